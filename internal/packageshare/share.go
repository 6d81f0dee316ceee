package packageshare

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/internal/atomicfile"
)

const (
	// Name is that of the share.
	Name = "packages"
	// Account is who may read it. Samba wants an account of the system behind each of its own; this one is everywhere and
	// owns nothing.
	Account = "nobody"

	syncEvery = 2 * time.Second
	stopTime  = 5 * time.Second
	// drainTime is how long output is read after the program that makes it has ended.
	drainTime = time.Second
	// firstRestart and lastRestart are the pauses before a server that ended is started again.
	firstRestart, lastRestart = time.Second, time.Minute
)

// Package is one that asks for a place in the share.
type Package struct {
	ID string
	// Version changes when the files do.
	Version int
	// Dir and Files are for what is not in the library, a boot image: names of files in a folder.
	Dir   string
	Files []string
}

// Source is where packages and their files come from. It is used from one goroutine.
type Source interface {
	// Shared lists the packages that ask for the share (DOP-5).
	Shared(ctx context.Context) ([]Package, error)
	ManifestVersion(id string, version int) (content.Signed, content.Manifest, error)
	// OpenBlob opens a file by its hash; the caller closes it.
	OpenBlob(hash content.Hash) (*os.File, error)
}

// Config is what a Share is made of. All but Log are required.
type Config struct {
	// Dir holds copies and state; nobody else writes there. smb.conf names it, so it has no %, quotes, backslashes or control
	// characters.
	Dir string
	// Listen is address and port, ":445" for all addresses.
	Listen string
	// Password of Account: letters and digits.
	Password string
	Source   Source
	Log      *slog.Logger
}

// Share is the package share of this distribution point. It is safe for concurrent use.
type Share struct {
	config Config
	smbd   string
	passwd string
	port   int
	host   string

	mu   sync.Mutex
	here map[string]int // package -> version in the share
}

// plainPassword keeps what goes to smbpasswd's standard input and into mount options free of their special characters.
var plainPassword = regexp.MustCompile(`^[A-Za-z0-9]{16,}$`)

// notInConf tells what means something else in a value of smb.conf: a variable, an end of the value, another line.
func notInConf(r rune) bool { return strings.ContainsRune("%\"'`\\", r) || unicode.IsControl(r) }

// New looks whether Samba is there, and writes its configuration. Nothing is started or copied yet.
func New(c Config) (*Share, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if !plainPassword.MatchString(c.Password) {
		return nil, errors.New("package share: the password must be 16 or more letters and digits")
	}
	if strings.ContainsFunc(c.Dir, notInConf) {
		return nil, fmt.Errorf("package share: Samba's configuration cannot name the folder %q: set data_dir to one without %%, quotes, backslashes and control characters, or share.enabled to false", c.Dir)
	}
	s := &Share{config: c, here: map[string]int{}}
	host, port, err := net.SplitHostPort(c.Listen)
	if err == nil {
		s.host = host
		s.port, err = strconv.Atoi(port)
	}
	if err != nil || s.port < 1 || s.port > 65535 || host != "" && net.ParseIP(host) == nil {
		return nil, fmt.Errorf("package share: share.listen %q is not [ADDRESS]:PORT", c.Listen)
	}
	if s.smbd, err = Program(); err != nil {
		return nil, err
	}
	if s.passwd, err = find("smbpasswd"); err != nil {
		return nil, err
	}
	for _, dir := range []string{s.tree(), s.state(), s.notes()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("package share: %w", err)
		}
	}
	if err := atomicfile.Write(s.conf(), []byte(s.configuration()), 0o600); err != nil {
		return nil, fmt.Errorf("package share: %w", err)
	}
	return s, nil
}

// Program is the path of Samba's server; an error says how to get it.
func Program() (string, error) { return find("smbd") }

// find looks in PATH and where Debian has the servers, which is not in every PATH.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", name))
	}
	if err != nil {
		return "", fmt.Errorf("package share: %s is not installed: apt-get install samba (and disable its own service: systemctl disable --now smbd), or set share.enabled to false", name)
	}
	return path, nil
}

func (s *Share) tree() string  { return filepath.Join(s.config.Dir, "packages") }
func (s *Share) state() string { return filepath.Join(s.config.Dir, "samba") }
func (s *Share) notes() string { return filepath.Join(s.config.Dir, "versions") }
func (s *Share) conf() string  { return filepath.Join(s.config.Dir, "smb.conf") }

// Port is where the share is served.
func (s *Share) Port() int { return s.port }

// Password of Account.
func (s *Share) Password() string { return s.config.Password }

// Ready reports whether a version of a package is in the share, complete.
func (s *Share) Ready(id string, version int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.here[id]
	return ok && v == version
}

// Run serves until ctx ends. What fails, Samba's programs too, is logged and tried again; packages are brought into the share as the
// source lists them.
func (s *Share) Run(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("package share: smbd needs root: run the appliance as root, or set share.enabled to false")
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serve(ctx) })
	g.Go(func() error { return s.follow(ctx) })
	return g.Wait()
}

// follow keeps the share as the source wants it.
func (s *Share) follow(ctx context.Context) error {
	s.recall()
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for last := ""; ; {
		err := s.Sync(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			last = ""
		case err.Error() != last: // once, not every two seconds
			last = err.Error()
			s.config.Log.Error("package share is not up to date", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

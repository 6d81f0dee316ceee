package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// connectTime bounds one connection; an unreachable server must not hold up a run for the kernel's minutes.
const connectTime = 60 * time.Second

// Folders is a machine.NetworkFolders by the kernel's SMB client. The options, with the password, go to the kernel in the
// mount system call, so that they are on no command line and in no file.
type Folders struct {
	// Dir is where shares appear, one folder each; empty is /run/bootyard/drives.
	Dir string
	// Port of the servers; 0 is 445.
	Port int
}

// Connect implements machine.NetworkFolders.
func (f Folders) Connect(ctx context.Context, r machine.FolderRequest) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	dir := f.folder(r)
	share, options, err := f.options(ctx, r)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if isMounted(dir) {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil { // a second connection takes the place of the first
			return "", fmt.Errorf("disconnect what was at %s: %w", dir, err)
		}
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV)
	if r.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	done := make(chan error, 1)
	go func() { // ends with the kernel's own time limit at the latest
		done <- unix.Mount(share, dir, "cifs", flags, options)
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		return "", fmt.Errorf("no answer within %s: %w", connectTime, ctx.Err())
	}
	if err != nil {
		return "", explainMount(err)
	}
	return dir, nil
}

// Disconnect implements machine.NetworkFolders. What still uses the share keeps it until it is done.
func (f Folders) Disconnect(_ context.Context, r machine.FolderRequest) error {
	dir := f.folder(r)
	if !isMounted(dir) {
		return nil
	}
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("disconnect %s: %w", r.Path, err)
	}
	return os.Remove(dir)
}

// folder is named after the letter, or after server and share; names of the network become one path element.
func (f Folders) folder(r machine.FolderRequest) string {
	base := f.Dir
	if base == "" {
		base = "/run/bootyard/drives"
	}
	if r.Letter != "" {
		return filepath.Join(base, r.Letter[:1])
	}
	name := strings.Map(func(c rune) rune {
		if c == '\\' || c == '/' {
			return '+'
		}
		return c
	}, strings.Trim(r.Path, `\`))
	return filepath.Join(base, "net+"+name)
}

// options are those of the kernel's cifs (admin-guide/cifs/usage). It resolves no names by itself, so the address is
// given. A comma ends an option; in a password it is written twice, elsewhere it cannot be.
func (f Folders) options(ctx context.Context, r machine.FolderRequest) (share, options string, err error) {
	server, rest, _ := strings.Cut(strings.Trim(r.Path, `\`), `\`)
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", server)
	if err != nil {
		return "", "", fmt.Errorf("find the address of %s: %w", server, err)
	}
	port := cmp.Or(r.Port, f.Port)
	if port == 0 {
		port = 445
	}
	var address string
	for _, a := range addresses {
		// The kernel tries one address only, and long; the first that answers is taken.
		address = a.Unmap().String()
		d := net.Dialer{Timeout: 10 * time.Second}
		var conn net.Conn
		if conn, err = d.DialContext(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port))); err == nil {
			_ = conn.Close()
			break
		}
	}
	if err != nil {
		return "", "", fmt.Errorf("%s does not answer on port %d: %w; check the name, the network and the server's firewall", server, port, err)
	}
	user, domain := r.Account, ""
	if d, u, ok := strings.Cut(user, `\`); ok {
		user, domain = u, d
	} else if u, d, ok := strings.Cut(user, "@"); ok {
		user, domain = u, d
	}
	if strings.ContainsAny(user+domain, ",\x00\n") || strings.ContainsAny(r.Password, "\x00\n") {
		return "", "", errors.New("the account has a comma or a control character, which cannot be used here")
	}
	options = "ip=" + address + ",port=" + strconv.Itoa(port) + ",username=" + user
	if domain != "" && domain != "." {
		options += ",domain=" + domain
	}
	if r.Sealed {
		options += ",vers=3.1.1,seal"
	}
	options += ",password=" + strings.ReplaceAll(r.Password, ",", ",,")
	return "//" + server + "/" + strings.ReplaceAll(rest, `\`, "/"), options, nil
}

func isMounted(dir string) bool {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && unescapeMount(fields[1]) == dir {
			return true
		}
	}
	return false
}

// explainMount says what the kernel's numbers mean for a share.
func explainMount(err error) error {
	switch {
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("this kernel has no cifs; add its module to the boot image or install linux-modules-extra: %w", err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("the server refuses the account or its password: %w", err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("the server has no such share or folder: %w", err)
	case errors.Is(err, unix.ENOKEY), errors.Is(err, unix.EKEYREJECTED):
		return fmt.Errorf("the password was not taken: %w", err)
	case errors.Is(err, unix.EHOSTDOWN), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ETIMEDOUT):
		return fmt.Errorf("the server is not reachable: %w", err)
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("server and kernel speak no common version of SMB (2.1 or later is needed): %w", err)
	}
	return err
}

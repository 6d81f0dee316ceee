package userstate

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// Linux is a machine.UserState of a running Linux system.
type Linux struct {
	Root     string           // put before every path; tests point it at a folder
	Programs machine.Programs // makes accounts
}

// Pack implements machine.UserState.
func (Linux) Pack(ctx context.Context, dir string, w io.Writer) error { return Pack(ctx, dir, w) }

// Unpack implements machine.UserState.
func (Linux) Unpack(ctx context.Context, r io.Reader, dir string) error { return Unpack(ctx, r, dir) }

const (
	accountsFile = "accounts.json"
	filesFolder  = "files/"
	maxNotes     = 100
	xattrPrefix  = "SCHILY.xattr."
	maxXattrs    = 256 << 10 // of one file; file systems keep 64 KiB
)

// caches are what no user misses; encoded is what a user encrypted with a key that the new system does not have.
var (
	caches  = []string{".cache", ".thumbnails", ".local/share/Trash", ".gvfs"}
	encoded = []string{".ecryptfs", ".Private", ".encfs", ".cryfs"}
)

// capture is the work of one Capture.
type capture struct {
	root     *os.Root
	tar      *tar.Writer
	options  machine.CaptureOptions
	names    map[int]string // of accounts
	links    map[[2]uint64]string
	done     map[string]bool // by name, so that nothing is taken twice
	notes    []string
	bytes    int64
	progress machine.Progress
}

// Capture implements machine.UserState: the accounts of people, then the files below their homes and what is included,
// with owners, times and user attributes. Other file systems that are mounted there are left out.
func (l Linux) Capture(ctx context.Context, w io.Writer, o machine.CaptureOptions, progress machine.Progress) ([]string, error) {
	accounts, err := people(l.Root)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(filepath.Join("/", l.Root))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	z, err := zstd.NewWriter(w)
	if err != nil {
		return nil, err
	}
	c := &capture{root: root, tar: tar.NewWriter(z), options: o, names: map[int]string{}, links: map[[2]uint64]string{}, done: map[string]bool{}, progress: progress}
	list, err := json.Marshal(accounts)
	if err == nil {
		err = c.tar.WriteHeader(&tar.Header{Name: accountsFile, Mode: 0o600, Size: int64(len(list)), Typeflag: tar.TypeReg})
	}
	if err == nil {
		_, err = c.tar.Write(list)
	}
	var places []string
	for _, a := range accounts {
		c.names[a.UID] = a.Name
		places = append(places, a.Home)
	}
	for i, p := range append(places, o.Include...) {
		if err != nil {
			break
		}
		err = c.tree(ctx, strings.TrimPrefix(path.Clean(p), "/"), i < len(places))
	}
	return c.notes, errors.Join(err, c.tar.Close(), z.Close())
}

// Places are the absolute paths that Capture looks at: the homes of people, and what is included.
func (l Linux) Places(o machine.CaptureOptions) ([]string, error) {
	accounts, err := people(l.Root)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, a := range accounts {
		out = append(out, a.Home)
	}
	for _, p := range o.Include {
		out = append(out, path.Clean(p))
	}
	return out, nil
}

func (c *capture) note(format string, args ...any) {
	if len(c.notes) < maxNotes {
		c.notes = append(c.notes, fmt.Sprintf(format, args...))
	}
}

// tree takes one home or included path along.
func (c *capture) tree(ctx context.Context, top string, home bool) error {
	info, err := c.root.Lstat(top)
	if errors.Is(err, fs.ErrNotExist) {
		if !home {
			c.note("/%s is not there and was left out", top)
		}
		return nil
	}
	if err != nil {
		return err
	}
	device := info.Sys().(*syscall.Stat_t).Dev
	return fs.WalkDir(c.root.FS(), top, func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && name != top && c.excluded(strings.TrimPrefix(name, top+"/"), d.Name(), home) {
			return skip(d)
		}
		if err == nil && c.done[name] {
			return nil
		}
		var info fs.FileInfo
		if err == nil {
			info, err = c.root.Lstat(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that went away meanwhile
		}
		if err == nil && info.Sys().(*syscall.Stat_t).Dev != device {
			c.note("/%s is another file system and was left out", name)
			return skip(d)
		}
		if err == nil {
			err = c.entry(ctx, name, info)
			c.done[name] = true
		}
		var bad *unreadable
		if err != nil && (errors.As(err, &bad) || errors.Is(err, fs.ErrPermission)) && c.options.SkipUnreadable {
			c.note("/%s was left out: %v", name, err)
			return skip(d)
		}
		return err
	})
}

func skip(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func (c *capture) excluded(below, base string, home bool) bool {
	if home {
		for _, p := range caches {
			if below == p {
				return true
			}
		}
	}
	if c.options.SkipUserEncoded {
		for _, p := range encoded {
			if base == p {
				return true
			}
		}
	}
	for _, p := range c.options.Exclude {
		if ok, _ := path.Match(p, base); ok {
			return true
		}
	}
	return false
}

// unreadable is a file whose content cannot be had; nothing of it is in the archive yet.
type unreadable struct{ error }

func (u *unreadable) Unwrap() error { return u.error }

func (c *capture) entry(ctx context.Context, name string, info fs.FileInfo) error {
	target := ""
	var err error
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if target, err = c.root.Readlink(name); err != nil {
			return &unreadable{err}
		}
	case !info.Mode().IsRegular() && !info.IsDir():
		c.note("/%s is a socket, pipe or device and was left out", name)
		return nil
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	h.Name, h.Format, h.Uname, h.Gname = filesFolder+name, tar.FormatPAX, c.names[int(st.Uid)], ""
	if !info.Mode().IsRegular() {
		if info.IsDir() {
			h.PAXRecords = c.attributes(name)
		}
		return c.tar.WriteHeader(h)
	}
	id := [2]uint64{uint64(st.Dev), st.Ino}
	if first, ok := c.links[id]; ok && st.Nlink > 1 {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, filesFolder+first, 0
		return c.tar.WriteHeader(h)
	}
	f, err := c.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return &unreadable{err}
	}
	defer f.Close()
	h.PAXRecords = attributes(int(f.Fd()))
	if err := c.tar.WriteHeader(h); err != nil {
		return err
	}
	if st.Nlink > 1 {
		c.links[id] = name
	}
	return c.content(ctx, name, f, h.Size)
}

// content copies what the header promised. A file that became shorter meanwhile is filled up with zeros and told of.
func (c *capture) content(ctx context.Context, name string, f io.Reader, size int64) error {
	n, err := io.CopyN(c.tar, &reader{ctx, f}, size)
	c.bytes += n
	c.progress(c.bytes, 0, "capturing "+path.Base(name))
	if n == size {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(err, io.EOF) && !c.options.SkipUnreadable {
		return fmt.Errorf("read /%s: %w", name, err)
	}
	c.note("/%s changed or could not be read to its end; the last %d of %d bytes are zeros", name, size-n, size)
	_, err = io.CopyN(c.tar, zeros{}, size-n)
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// reader ends a copy when the context has ended.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (c *capture) attributes(name string) map[string]string {
	f, err := c.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	return attributes(int(f.Fd()))
}

// kept says which extended attributes go along: the user's own and access control lists.
func kept(name string) bool {
	return strings.HasPrefix(name, "user.") || name == aclAccess || name == aclDefault
}

// attributes are those of a file that are kept.
func attributes(fd int) map[string]string {
	buffer := make([]byte, 64<<10)
	n, err := unix.Flistxattr(fd, buffer)
	if err != nil || n == 0 {
		return nil
	}
	out, total := map[string]string{}, 0
	for name := range bytes.SplitSeq(bytes.TrimRight(buffer[:n], "\x00"), []byte{0}) {
		if !kept(string(name)) || bytes.ContainsRune(name, '=') {
			continue // tar's records cannot hold such a name
		}
		value := make([]byte, 64<<10)
		n, err := unix.Fgetxattr(fd, string(name), value)
		if total += n; err != nil || total > maxXattrs {
			continue
		}
		out[xattrPrefix+string(name)] = string(value[:n])
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

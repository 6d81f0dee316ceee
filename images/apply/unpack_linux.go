package apply

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxOpenDirs = 128  // folders whose handle is kept; archives are ordered by folder
	maxWarnings = 20   // the rest says nothing new
	maxPath     = 4096 // PATH_MAX: a longer name cannot be used by the system either
	copyBuffer  = 1 << 20
	maxSparse   = 16 << 40 // ext4's limit; a header of a few bytes could claim any size
)

// ErrEscape says that an image holds a name that leads out of the volume.
var ErrEscape = errors.New("image holds a path that leads out of the volume")

// unpacker writes the entries of one tar archive below a root. Each entry is
// created by its last name only, relative to a handle of its folder that os.Root
// opened: ".." and links that lead out of the root are refused by os.Root, and
// the last name is never followed because entries are always created new.
type unpacker struct {
	root  *os.Root
	keep  keep
	dirs  map[string]*os.File
	times []dirTime // set at the end: entries change the time of their folder
	buf   []byte
	entry string // being worked on, for messages
	res   Result
}

type dirTime struct {
	name  string
	times [2]unix.Timespec
	acl   []byte // default access control list: entries made later must not inherit it
}

func newUnpacker(root *os.Root, k keep) *unpacker {
	return &unpacker{root: root, keep: k, dirs: map[string]*os.File{}, buf: make([]byte, copyBuffer)}
}

func (x *unpacker) close() {
	for _, f := range x.dirs {
		_ = f.Close() // folders: nothing is lost
	}
	x.dirs = map[string]*os.File{}
}

func (x *unpacker) unpack(ctx context.Context, r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read image after %s: %w", x.last(), err)
		}
		name, err := entryName(h.Name)
		if err != nil {
			return err
		}
		x.entry = name
		if x.keep.holds(name) {
			continue
		}
		if err := x.create(ctx, name, h, tr); err != nil {
			return fmt.Errorf("extract %s: %w", name, err)
		}
		x.res.Entries++
	}
	// The rest of the stream is read so that its checksum is checked.
	if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, x.buf); err != nil {
		return fmt.Errorf("read the end of the image: %w", err)
	}
	if x.res.Entries == 0 {
		return fmt.Errorf("image is empty")
	}
	for _, d := range x.times {
		f, err := x.root.Open(d.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // replaced by a later entry
		}
		if err != nil {
			return fmt.Errorf("set time of %s: %w", d.name, err)
		}
		if d.acl != nil {
			err = x.setAttribute(int(f.Fd()), aclDefault, d.acl, d.name)
		}
		if err == nil {
			err = unix.UtimesNanoAt(int(f.Fd()), ".", d.times[:], 0)
		}
		_ = f.Close() // a folder: nothing is lost
		if err != nil && !errors.Is(err, unix.ENOTDIR) {
			return fmt.Errorf("set time of %s: %w", d.name, err)
		}
	}
	return nil
}

func (x *unpacker) last() string {
	if x.entry == "" {
		return "its beginning"
	}
	return x.entry
}

// entryName turns the name in the archive into a clean relative one.
func entryName(name string) (string, error) {
	clean := path.Clean(name)
	if len(name) > maxPath || strings.IndexByte(name, 0) >= 0 || !filepath.IsLocal(clean) || path.IsAbs(name) {
		return "", fmt.Errorf("%w: %.200q; the image was not made by a trustworthy tool, do not use it", ErrEscape, name)
	}
	return clean, nil
}

// folder returns a handle of a folder below the root, made when missing.
func (x *unpacker) folder(dir string) (int, error) {
	if f, ok := x.dirs[dir]; ok {
		return int(f.Fd()), nil
	}
	f, err := x.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = x.root.MkdirAll(dir, 0o755); err == nil {
			f, err = x.root.Open(dir)
		}
	}
	if err != nil {
		if strings.Contains(err.Error(), "path escapes from parent") {
			err = fmt.Errorf("%w: %s goes through a link: %w", ErrEscape, dir, err)
		}
		return 0, err
	}
	if len(x.dirs) >= maxOpenDirs {
		x.close()
	}
	x.dirs[dir] = f
	return int(f.Fd()), nil
}

func (x *unpacker) create(ctx context.Context, name string, h *tar.Header, content io.Reader) error {
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return fmt.Errorf("the root of the image is not a folder")
		}
		return x.rootEntry(h)
	}
	dir, err := x.folder(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return x.file(ctx, dir, base, h, content)
	case tar.TypeDir:
		return x.dir(dir, base, name, h)
	case tar.TypeSymlink:
		err = x.replace(dir, base, func() error { return unix.Symlinkat(h.Linkname, dir, base) })
	case tar.TypeLink:
		return x.link(dir, base, h)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		mode := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}[h.Typeflag]
		dev := unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
		err = x.replace(dir, base, func() error { return unix.Mknodat(dir, base, mode|0o600, int(dev)) })
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fmt.Errorf("entry of unknown kind %q", h.Typeflag)
	}
	if err != nil {
		return err
	}
	return x.attributes(dir, base, h)
}

// replace makes an entry; one of that name from earlier in the archive gives way.
func (x *unpacker) replace(dir int, base string, make func() error) error {
	err := make()
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := unix.Unlinkat(dir, base, 0); err != nil {
		return err
	}
	return make()
}

// attributes sets owner, mode and times of an entry that is no file or folder,
// by name and without following it.
func (x *unpacker) attributes(dir int, base string, h *tar.Header) error {
	if err := unix.Fchownat(dir, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := unix.Fchmodat(dir, base, uint32(h.Mode)&0o7777, 0); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(dir, base, times(h), unix.AT_SYMLINK_NOFOLLOW)
}

func (x *unpacker) file(ctx context.Context, dir int, base string, h *tar.Header, content io.Reader) (err error) {
	var fd int
	err = x.replace(dir, base, func() error {
		var err error
		fd, err = unix.Openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	sparse := sparseEntry(h)
	if sparse {
		if h.Size > maxSparse {
			return fmt.Errorf("sparse file of %d bytes is larger than any file system here allows", h.Size)
		}
		if err := unix.Ftruncate(fd, h.Size); err != nil {
			return err
		}
	}
	for {
		n, rerr := content.Read(x.buf)
		if err := writeAll(fd, x.buf[:n], sparse); err != nil {
			return err
		}
		x.res.Bytes += int64(n)
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr != nil {
			return fmt.Errorf("read image: %w", rerr)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return x.finish(fd, h, base)
}

// sparseEntry says whether the archive keeps the file with holes. Only then are
// holes made again: a swap file, for one, must not have any.
func sparseEntry(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func writeAll(fd int, b []byte, sparse bool) error {
	if sparse && allZero(b) {
		_, err := unix.Seek(fd, int64(len(b)), io.SeekCurrent)
		return err
	}
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func allZero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}

func (x *unpacker) finish(fd int, h *tar.Header, name string) error {
	if h.Uid != 0 || h.Gid != 0 || h.Typeflag == tar.TypeDir {
		if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
			return err
		}
	}
	// After the owner, because changing that takes capabilities and setuid away.
	if err := x.extended(fd, h, name); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, uint32(h.Mode)&0o7777); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		return nil
	}
	return unix.UtimesNanoAt(fd, "", times(h), unix.AT_EMPTY_PATH)
}

func (x *unpacker) dir(parent int, base, name string, h *tar.Header) (err error) {
	err = unix.Mkdirat(parent, base, 0o700)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(parent, base, flags, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) { // an earlier entry that is no folder
		if err = unix.Unlinkat(parent, base, 0); err == nil {
			if err = unix.Mkdirat(parent, base, 0o700); err == nil {
				fd, err = unix.Openat(parent, base, flags, 0)
			}
		}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	x.times = append(x.times, dirTime{name: name, times: [2]unix.Timespec(times(h))})
	return x.finish(fd, h, base)
}

func (x *unpacker) rootEntry(h *tar.Header) error {
	fd, err := x.folder(".")
	if err != nil {
		return err
	}
	x.times = append(x.times, dirTime{name: ".", times: [2]unix.Timespec(times(h))})
	return x.finish(fd, h, ".")
}

// link makes a hard link to an earlier entry. The old name is resolved like any
// other; linkat without flags does not follow its last part.
func (x *unpacker) link(dir int, base string, h *tar.Header) error {
	old, err := entryName(h.Linkname)
	if err != nil {
		return err
	}
	if x.keep.holds(old) {
		return fmt.Errorf("link to %s, which is preserved and not the image's", old)
	}
	from, err := x.folder(path.Dir(old))
	if err != nil {
		return err
	}
	// Opening one folder may close all others to make room. After this pair of
	// calls at most one of the two was closed, and the third call cannot close.
	if dir, err = x.folder(path.Dir(x.entry)); err != nil {
		return err
	}
	if from, err = x.folder(path.Dir(old)); err != nil {
		return err
	}
	return x.replace(dir, base, func() error { return unix.Linkat(from, path.Base(old), dir, base, 0) })
}

func times(h *tar.Header) []unix.Timespec {
	at := h.AccessTime
	if at.IsZero() {
		at = h.ModTime
	}
	return []unix.Timespec{timespec(at), timespec(h.ModTime)}
}

// timespec keeps times in what every file system can store.
func timespec(t time.Time) unix.Timespec {
	if t.Unix() < 0 || t.Unix() > 1<<33 {
		t = time.Unix(0, 0)
	}
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

func (x *unpacker) warn(format string, args ...any) {
	if len(x.res.Warnings) < maxWarnings {
		x.res.Warnings = append(x.res.Warnings, fmt.Sprintf(format, args...))
	}
}

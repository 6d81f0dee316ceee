package bootimage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"
)

// archivePad is the size archives are padded to with zero bytes. The kernel
// wants the next archive at a multiple of four; 512 is what cpio itself uses.
const archivePad = 512

// Limits of a site archive: it is a handful of certificates and addresses, and
// it is held in memory.
const (
	maxSiteFiles = 1000
	maxSiteBytes = 16 << 20
)

// entry is one file of an archive before it is written.
type entry struct {
	path   string // clean, relative, merged-/usr
	mode   fs.FileMode
	source string // file that holds the content; empty: content
	data   string // content of a file, target of a link
	major  uint64 // device numbers
	minor  uint64
}

// tree is the content of an archive by path. Later additions do not replace
// earlier ones.
type tree map[string]entry

func (t tree) add(e entry) {
	if _, ok := t[e.path]; !ok {
		t[e.path] = e
	}
}

func (t tree) file(name, data string, perm fs.FileMode) {
	t.add(entry{path: name, mode: perm, data: data})
}

func (t tree) dir(name string, perm fs.FileMode) {
	t.add(entry{path: name, mode: fs.ModeDir | perm})
}

func (t tree) link(name, target string) {
	t.add(entry{path: name, mode: fs.ModeSymlink | 0o777, data: target})
}

func (t tree) device(name string, perm fs.FileMode, major, minor uint64) {
	t.add(entry{path: name, mode: fs.ModeDevice | fs.ModeCharDevice | perm, major: major, minor: minor})
}

// write stores the tree as a newc cpio archive whose bytes depend on nothing
// but the tree and mtime (seconds since 1970): entries sorted, owner 0:0, inode
// numbers counted. Missing parent folders are added with mode 0755.
func (t tree) write(w io.Writer, mtime uint64) error {
	for _, name := range slices.Collect(maps.Keys(t)) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			t.dir(dir, 0o755)
		}
	}
	names := slices.Sorted(maps.Keys(t))
	counter := &countingWriter{w: w}
	out := cpio.Newc.Writer(counter)
	for i, name := range names {
		rec, done, err := t[name].record()
		if err != nil {
			return err
		}
		rec.Ino, rec.NLink, rec.MTime = uint64(i+1), 1, mtime
		err = out.WriteRecord(rec)
		done()
		if err != nil {
			return fmt.Errorf("write %s to the archive: %w", name, err)
		}
	}
	if err := cpio.WriteTrailer(out); err != nil {
		return fmt.Errorf("write the end of the archive: %w", err)
	}
	return counter.pad()
}

func (e entry) record() (rec cpio.Record, done func(), err error) {
	done = func() {}
	perm := uint64(e.mode.Perm())
	if e.mode&fs.ModeSticky != 0 {
		perm |= 0o1000
	}
	switch {
	case e.mode.IsDir():
		return cpio.Directory(e.path, perm), done, nil
	case e.mode&fs.ModeSymlink != 0:
		return cpio.Symlink(e.path, e.data), done, nil
	case e.mode&fs.ModeDevice != 0:
		return cpio.CharDev(e.path, perm, e.major, e.minor), done, nil
	case e.source == "":
		rec = cpio.StaticFile(e.path, e.data, perm)
		rec.FileSize = uint64(len(e.data))
		return rec, done, nil
	}
	f, err := os.Open(e.source)
	if err != nil {
		return rec, done, fmt.Errorf("open content of %s: %w", e.path, err)
	}
	done = func() { f.Close() }
	info, err := f.Stat()
	if err != nil {
		done()
		return rec, func() {}, fmt.Errorf("size of %s: %w", e.path, err)
	}
	rec = cpio.Record{
		ReaderAt: io.NewSectionReader(f, 0, info.Size()),
		Info:     cpio.Info{Name: e.path, Mode: cpio.S_IFREG | perm, FileSize: uint64(info.Size())},
	}
	return rec, done, nil
}

// SiteArchive writes the site's own data (CA certificate, addresses) as an
// archive of its own, to be loaded after the boot image: the image itself stays
// the same for every site and can be compared by hash. Keys are paths in the
// boot environment, such as etc/bootyard/ca.pem; files get mode 0600. The same
// files give the same bytes.
func SiteArchive(w io.Writer, files map[string][]byte) error {
	if len(files) > maxSiteFiles {
		return fmt.Errorf("site archive: %d files, at most %d go in", len(files), maxSiteFiles)
	}
	t, total := tree{}, 0
	for name, data := range files {
		name = strings.TrimPrefix(name, "/")
		if !fs.ValidPath(name) || name == "." || len(name) > 1000 {
			return fmt.Errorf("site archive: %q is not a clean path", name)
		}
		if total += len(data); total > maxSiteBytes {
			return fmt.Errorf("site archive: more than %d bytes", maxSiteBytes)
		}
		t.file(name, string(data), 0o600)
	}
	for name := range t {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, isFile := files[dir]; isFile {
				return fmt.Errorf("site archive: %q is a file and a folder", dir)
			}
		}
	}
	return t.write(w, 0)
}

// Concat writes archives one after the other, each padded so that the kernel
// finds the next one. Later archives replace files of earlier ones. Archives
// may be compressed or not.
func Concat(w io.Writer, archives ...io.Reader) error {
	counter := &countingWriter{w: w}
	for _, a := range archives {
		if _, err := io.Copy(counter, a); err != nil {
			return fmt.Errorf("join archives: %w", err)
		}
		if err := counter.pad(); err != nil {
			return err
		}
	}
	return nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *countingWriter) pad() error {
	rest := (archivePad - c.n%archivePad) % archivePad
	if _, err := c.Write(make([]byte, rest)); err != nil {
		return errors.Join(errors.New("pad the archive"), err)
	}
	return nil
}

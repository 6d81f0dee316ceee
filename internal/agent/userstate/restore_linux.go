package userstate

import (
	"archive/tar"
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
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/tsengine/machine"
)

const (
	maxAccountsFile = 8 << 20
	temporaryName   = ".bootyard-restore"
)

// restore is the work of one Restore.
type restore struct {
	root    *os.Root
	places  []place
	options machine.RestoreOptions
	folders []folder // their modes and times are set at the end
	notes   []string
	done    int64
}

type folder struct {
	name string
	mode fs.FileMode
	time time.Time
	acl  [2]string // aclAccess and aclDefault
}

// Restore implements machine.UserState. Files that are there are replaced; an owner is found by the name of the account,
// whatever its number is here, and a home is where the account has it here.
func (l Linux) Restore(ctx context.Context, r io.Reader, o machine.RestoreOptions, progress machine.Progress) ([]string, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	t := tar.NewReader(z)
	accounts, err := readAccounts(t)
	if err != nil {
		return nil, err
	}
	x := &restore{options: o}
	if x.places, err = l.places(ctx, accounts, o); err != nil {
		return nil, err
	}
	if x.root, err = os.OpenRoot(filepath.Join("/", l.Root)); err != nil {
		return nil, err
	}
	defer x.root.Close()
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return x.notes, err
		}
		if err := x.entry(h, t); err != nil {
			if !o.SkipFailed {
				return x.notes, fmt.Errorf("restore %.200s: %w", h.Name, err)
			}
			x.note("%.200s was not restored: %v", strings.TrimPrefix(h.Name, filesFolder), err)
		}
		x.done += h.Size
		progress(x.done, 0, "restoring "+path.Base(h.Name))
	}
	for i := len(x.folders) - 1; i >= 0; i-- { // the inner ones first
		f := x.folders[i]
		if err := errors.Join(x.root.Chmod(f.name, f.mode), x.folderACL(f), x.root.Chtimes(f.name, f.time, f.time)); err != nil {
			x.note("mode, access control list or time of /%s: %v", f.name, err)
		}
	}
	return x.notes, nil
}

func (x *restore) note(format string, args ...any) {
	if len(x.notes) < maxNotes {
		x.notes = append(x.notes, fmt.Sprintf(format, args...))
	}
}

func readAccounts(t *tar.Reader) ([]account, error) {
	h, err := t.Next()
	if err != nil {
		return nil, err
	}
	if h.Name != accountsFile || h.Size > maxAccountsFile {
		return nil, errors.New("this is no user state of a Linux system")
	}
	var list []account
	if err := json.NewDecoder(io.LimitReader(t, maxAccountsFile)).Decode(&list); err != nil {
		return nil, fmt.Errorf("accounts of the user state: %w", err)
	}
	if len(list) > maxAccounts {
		return nil, fmt.Errorf("the user state has more than %d accounts", maxAccounts)
	}
	return list, nil
}

// destination is where an entry belongs here; below the home of its account that is the account's home here.
func (x *restore) destination(name string) (string, error) {
	rest, ok := strings.CutPrefix(path.Clean(name), strings.TrimSuffix(filesFolder, "/")+"/")
	if !ok || !filepath.IsLocal(rest) {
		return "", errors.New("its path leads out of the state")
	}
	for _, p := range x.places {
		home := strings.TrimPrefix(p.from.Home, "/")
		if rest == home || strings.HasPrefix(rest, home+"/") {
			return strings.TrimPrefix(path.Clean(p.to.Home+rest[len(home):]), "/"), nil
		}
	}
	return rest, nil
}

// owner is the account by its name; what belonged to no person keeps its numbers.
func (x *restore) owner(h *tar.Header) (uid, gid int) {
	uid, gid = h.Uid, h.Gid
	for _, p := range x.places {
		if h.Uname == p.from.Name {
			uid = p.to.UID
		}
		if h.Gid == p.from.GID {
			gid = p.to.GID
		}
	}
	return uid, gid
}

func (x *restore) entry(h *tar.Header, r io.Reader) error {
	name, err := x.destination(h.Name)
	if err != nil {
		return err
	}
	uid, gid := x.owner(h)
	if err := x.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := x.root.MkdirAll(name, 0o700); err != nil {
			return err
		}
		x.folders = append(x.folders, folder{name, fs.FileMode(h.Mode)&fs.ModePerm | sticky(h.Mode), h.ModTime,
			[2]string{h.PAXRecords[xattrPrefix+aclAccess], h.PAXRecords[xattrPrefix+aclDefault]}})
		return errors.Join(x.root.Lchown(name, uid, gid), x.attributes(name, h))
	case tar.TypeSymlink:
		if err := x.clear(name); err != nil {
			return err
		}
		return errors.Join(x.root.Symlink(h.Linkname, name), x.root.Lchown(name, uid, gid))
	case tar.TypeLink:
		first, err := x.destination(h.Linkname)
		if err != nil {
			return err
		}
		if err := x.clear(name); err != nil {
			return err
		}
		return x.root.Link(first, name)
	case tar.TypeReg:
		return x.file(name, h, r, uid, gid)
	}
	return fmt.Errorf("entries of type %q are in no user state", h.Typeflag)
}

// sticky are the bits of a folder that go along; programs lose their set-user bits.
func sticky(mode int64) (m fs.FileMode) {
	if mode&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}

// clear takes away what is there, unless it is a folder.
func (x *restore) clear(name string) error {
	info, err := x.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.IsDir() {
		return errors.New("a folder of that name is there")
	}
	if err != nil {
		return err
	}
	return x.root.Remove(name)
}

// file writes beside the old one and takes its place when it is whole.
func (x *restore) file(name string, h *tar.Header, r io.Reader, uid, gid int) error {
	temporary := path.Join(path.Dir(name), temporaryName)
	if err := x.clear(temporary); err != nil {
		return err
	}
	f, err := x.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = errors.Join(f.Chown(uid, gid), f.Chmod(fs.FileMode(h.Mode)&fs.ModePerm), setAttributes(int(f.Fd()), h), x.setACL(int(f.Fd()), name, aclAccess, h.PAXRecords[xattrPrefix+aclAccess]))
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = x.root.Chtimes(temporary, h.ModTime, h.ModTime)
	}
	if err == nil {
		if info, there := x.root.Lstat(name); there == nil && info.IsDir() {
			err = errors.New("a folder of that name is there")
		}
	}
	if err == nil {
		err = x.root.Rename(temporary, name)
	}
	if err != nil {
		_ = x.root.Remove(temporary)
	}
	return err
}

// folderACL is set at the end, so that nothing that is restored inherits from it.
func (x *restore) folderACL(f folder) error {
	dir, err := x.root.Open(f.name)
	if err != nil {
		return err
	}
	defer dir.Close()
	fd := int(dir.Fd())
	return errors.Join(x.setACL(fd, f.name, aclAccess, f.acl[0]), x.setACL(fd, f.name, aclDefault, f.acl[1]))
}

func (x *restore) attributes(name string, h *tar.Header) error {
	f, err := x.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return setAttributes(int(f.Fd()), h)
}

// setAttributes sets the user's own ones; a file system without them loses them.
func setAttributes(fd int, h *tar.Header) error {
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, xattrPrefix)
		if !ok || !strings.HasPrefix(name, "user.") {
			continue
		}
		if err := unix.Fsetxattr(fd, name, []byte(value), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("set attribute %.100q: %w", name, err)
		}
	}
	return nil
}

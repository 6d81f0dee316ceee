package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// keep is the set of folders that an image neither deletes nor writes.
type keep struct {
	paths []string // clean, relative, slashes
}

func newKeep(paths []string) (keep, error) {
	var k keep
	for _, p := range paths {
		p = strings.Trim(path.Clean("/"+filepath.ToSlash(p)), "/")
		if p == "" {
			return keep{}, fmt.Errorf("folder to preserve: the whole volume cannot be preserved")
		}
		k.paths = append(k.paths, p)
	}
	return k, nil
}

// holds says whether name is a preserved folder or lies in one.
func (k keep) holds(name string) bool {
	for _, p := range k.paths {
		if name == p || strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}

// above says whether a preserved folder lies below name.
func (k keep) above(name string) bool {
	for _, p := range k.paths {
		if strings.HasPrefix(p, name+"/") {
			return true
		}
	}
	return false
}

// clear deletes all but the preserved folders and the file system's own
// lost+found. It works through os.Root, so that no link leads it elsewhere, and
// refuses a volume with something mounted inside.
func clear(ctx context.Context, root *os.Root, k keep) error {
	dev, err := device(root, ".")
	if err != nil {
		return err
	}
	return clearBelow(ctx, root, k, ".", dev)
}

func clearBelow(ctx context.Context, root *os.Root, k keep, dir string, dev uint64) error {
	names, err := childNames(root, dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(dir, n)
		if k.holds(name) || name == "lost+found" {
			continue
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		if info.IsDir() {
			if d, err := device(root, name); err != nil {
				return err
			} else if d != dev {
				return fmt.Errorf("%s has another volume mounted on it; unmount it first", name)
			}
			// Depth first in any case: a mount further down must be seen before
			// anything in it is deleted.
			if err := clearBelow(ctx, root, k, name, dev); err != nil {
				return err
			}
			if k.above(name) {
				continue
			}
		}
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func childNames(root *os.Root, dir string) ([]string, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	names, err := f.Readdirnames(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return names, nil
}

func device(root *os.Root, name string) (uint64, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("ask for the device of %s: not supported", name)
	}
	return st.Dev, nil
}

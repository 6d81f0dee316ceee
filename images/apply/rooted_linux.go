package apply

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// writeFile puts a file into the image: temporary name, sync, rename, sync of
// the folder. A link of that name is replaced, never followed, and os.Root
// refuses a folder that leads out of the image.
func writeFile(root *os.Root, name string, data []byte, mode os.FileMode) error {
	return writeFrom(root, name, mode, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

func copyFile(root *os.Root, name, source string, mode os.FileMode) error {
	src, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // only read from
	return writeFrom(root, name, mode, func(f *os.File) error {
		_, err := io.Copy(f, src)
		return err
	})
}

func writeFrom(root *os.Root, name string, mode os.FileMode, fill func(*os.File) error) (err error) {
	dir := path.Dir(name)
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	tmp := path.Join(dir, ".bootyard-new-"+path.Base(name))
	if err := remove(root, tmp); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err = fill(f); err == nil {
		// FAT has no modes; a mount that refuses them is not an error there.
		if err = f.Chmod(mode); errors.Is(err, fs.ErrPermission) {
			err = nil
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(tmp, name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, remove(root, tmp)))
	}
	return syncDir(root, dir)
}

func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // a folder: nothing is lost
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// privateDir makes a folder that only root may look into; something else of that
// name gives way.
func privateDir(root *os.Root, name string) error {
	if info, err := root.Lstat(name); err == nil && !info.IsDir() {
		if err := root.Remove(name); err != nil {
			return err
		}
	}
	if err := root.MkdirAll(name, 0o700); err != nil {
		return err
	}
	return root.Chmod(name, 0o700)
}

// symlink makes or replaces a link.
func symlink(root *os.Root, target, name string) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := remove(root, name); err != nil {
		return err
	}
	return root.Symlink(target, name)
}

// remove deletes a file or link; one that is not there is no error.
func remove(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// glob finds names below the root by a pattern of path.Match. A folder that is
// missing, or that leads out of the image, has none: what cannot be reached need
// not be cleaned, and must not be.
func glob(root *os.Root, pattern string) []string {
	names, err := childNames(root, path.Dir(pattern))
	if err != nil {
		return nil
	}
	var out []string
	for _, n := range names {
		if ok, err := path.Match(path.Base(pattern), n); ok && err == nil {
			out = append(out, path.Join(path.Dir(pattern), n))
		}
	}
	return out
}

// readFile reads a small file of the image.
func readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	return io.ReadAll(io.LimitReader(f, limit))
}

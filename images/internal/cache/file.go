package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// HashFile returns SHA-256 (lower-case hex) and size of a file in bytes.
func HashFile(name string) (sum string, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, fmt.Errorf("hash: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return "", 0, fmt.Errorf("hash %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// WriteFile is Replace with bytes.
func WriteFile(name string, data []byte) error {
	return Replace(name, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// CopyFile is Replace with the content of src.
func CopyFile(src, dst string) error {
	in, err := os.Open(src)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	defer func() { _ = in.Close() }() // only read from
	return Replace(dst, func(out *os.File) error {
		_, err := io.Copy(out, in)
		return err
	})
}

// LinkFile puts src at dst in one step: as a second name for the same bytes where
// the file system allows, else as a copy.
func LinkFile(src, dst string) error {
	dir, err := os.MkdirTemp(filepath.Dir(dst), "."+filepath.Base(dst)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", dst, err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // empty, or holding a second name of src
	tmp := filepath.Join(dir, "new")
	if os.Link(src, tmp) != nil {
		return CopyFile(src, dst)
	}
	// Renaming a name onto another name of the same file does nothing, rightly.
	if err := os.Rename(tmp, dst); err != nil {
		return fmt.Errorf("write %s: %w", dst, err)
	}
	return syncDir(filepath.Dir(dst))
}

// Replace writes name by way of a temporary file beside it, so that a reader
// never sees half of it: synced, then renamed, then the folder is synced.
func Replace(name string, fill func(*os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err = fill(f); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), f.Close())
	}
	if err = errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

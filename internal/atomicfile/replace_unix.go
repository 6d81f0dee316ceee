//go:build unix

package atomicfile

import (
	"os"
	"path/filepath"
)

// replace renames and makes the new name last.
func replace(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

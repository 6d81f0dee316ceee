package safefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile replaces name by data with mode 0644: written to a temporary file beside it, synced, renamed, folder synced.
// After a crash name holds either the old or the new bytes.
func WriteFile(name string, data []byte) (err error) {
	dir := filepath.Dir(name)
	temp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("create temporary file in %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
		}
	}()
	if _, err := temp.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := Finish(temp); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), name); err != nil {
		return fmt.Errorf("put %s in place: %w", name, err)
	}
	return SyncDir(dir)
}

// Finish sets mode 0644, syncs and closes a file that is complete.
func Finish(file *os.File) error {
	return errors.Join(file.Chmod(0o644), file.Sync(), file.Close())
}

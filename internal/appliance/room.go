package appliance

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace is how many bytes can still be written to the disk of a folder.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil //nolint:gosec // blocks of a disk
}

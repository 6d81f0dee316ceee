package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ntfsTimeout bounds the start of NTFS-3G, which looks at the whole volume's table of clusters first.
const ntfsTimeout = 2 * time.Minute

// Mount mounts a volume on a folder, which is made when it is missing. The
// kernel loads the file system's module by itself when kmod is there. NTFS is
// mounted by NTFS-3G, because Debian's kernel cannot write it.
func Mount(ctx context.Context, v Volume, target string) error {
	fsType := map[FileSystem]string{FAT32: "vfat", EXT4: "ext4", XFS: "xfs", BTRFS: "btrfs", NTFS: "ntfs-3g"}[v.FileSystem]
	if fsType == "" {
		return fmt.Errorf("mount %s: it has no file system for files", v.Device)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mount %s: %w", v.Device, err)
	}
	if err := os.MkdirAll(target, 0o700); err != nil {
		return fmt.Errorf("mount %s: %w", v.Device, err)
	}
	if v.FileSystem == NTFS {
		if _, err := run(ctx, ntfsTimeout, "", "ntfs-3g", "-o", "noatime,big_writes", v.Device, target); err != nil {
			return fmt.Errorf("mount %s (NTFS) on %s: %w", v.Device, target, err)
		}
		return nil
	}
	data := ""
	if v.FileSystem == FAT32 {
		data = "umask=0077"
	}
	err := unix.Mount(v.Device, target, fsType, unix.MS_NOATIME, data)
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("mount %s on %s: this kernel has no %s; add its module to the boot image: %w", v.Device, target, fsType, err)
	}
	if err != nil {
		return fmt.Errorf("mount %s (%s) on %s: %w", v.Device, fsType, target, err)
	}
	return nil
}

// Unmount takes the topmost mount off a folder. A busy one is tried again until
// the deadline of ctx, 10 seconds at most; then it is detached, so that nothing
// stays visible, and the error says so. A folder that is not a mount point is
// no error.
func Unmount(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
		switch {
		case err == nil, errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
			return nil
		case !errors.Is(err, unix.EBUSY):
			return fmt.Errorf("unmount %s: %w", target, err)
		}
		select {
		case <-ctx.Done():
			detach := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			return errors.Join(fmt.Errorf("unmount %s: still busy, detached: %w", target, err), detach)
		case <-tick.C:
		}
	}
}

package host

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// FreeOn is the free space, in bytes, of a volume that is not mounted: it is mounted for a moment, for reading only. Used
// is false when it holds no file system that the kernel can mount.
func FreeOn(ctx context.Context, device string) (free int64, used bool) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "blkid", "-p", "-o", "value", "-s", "TYPE", device).Output()
	if err != nil || len(out) > 64 {
		return 0, false
	}
	kind := strings.TrimSpace(string(out))
	switch kind {
	case "ext4", "xfs", "btrfs", "vfat":
	case "ntfs":
		kind = "ntfs3"
	default:
		return 0, true // something is there that cannot be looked into
	}
	dir, err := os.MkdirTemp("", "free-*")
	if err != nil {
		return 0, true
	}
	defer os.Remove(dir) // not RemoveAll: should the volume stay mounted, its files must stay too
	if unix.Mount(device, dir, kind, unix.MS_RDONLY|unix.MS_NOATIME|unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, "") != nil {
		return 0, true
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }() // nothing was written
	return statFree(dir), true
}

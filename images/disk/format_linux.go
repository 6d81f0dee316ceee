package disk

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

func lookTool(name string) error {
	for _, dir := range []string{"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"} {
		if _, err := exec.LookPath(dir + name); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s is not in this boot environment; build the boot image with it: %w", name, exec.ErrNotFound)
}

func formatTool(fs FileSystem) string {
	switch fs {
	case NTFS:
		return "mkfs.ntfs"
	case FAT32:
		return "mkfs.vfat"
	case EXT4:
		return "mkfs.ext4"
	case XFS:
		return "mkfs.xfs"
	case BTRFS:
		return "mkfs.btrfs"
	case Swap:
		return "mkswap"
	}
	return ""
}

// makeFileSystem formats one volume and returns the UUID it chose, in the form
// that mount and fstab use.
func makeFileSystem(ctx context.Context, v Volume) (string, error) {
	tool := formatTool(v.FileSystem)
	if tool == "" {
		return "", nil
	}
	u, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("choose file system identifier: %w", err)
	}
	id := u.String()
	var args []string
	switch v.FileSystem {
	case EXT4:
		args = []string{"-F", "-q", "-U", id, "-L", cutLabel(v.Label, 16)}
		args = append(args, ext4Compatible(ctx)...)
	case XFS:
		args = []string{"-f", "-q", "-m", "uuid=" + id, "-L", strings.ReplaceAll(cutLabel(v.Label, 12), " ", "_")}
	case BTRFS:
		args = []string{"-f", "-q", "-U", id, "-L", cutLabel(v.Label, 255)}
	case Swap:
		args = []string{"-f", "-U", id, "-L", cutLabel(v.Label, 15)}
	case FAT32:
		var b [4]byte
		if _, err := rand.Read(b[:]); err != nil {
			return "", fmt.Errorf("choose file system identifier: %w", err)
		}
		serial := fmt.Sprintf("%X", b)
		id = serial[:4] + "-" + serial[4:]
		args = []string{"-F", "32", "-i", serial}
		if label := fatLabel(v.Label); label != "" {
			args = append(args, "-n", label)
		}
	case NTFS:
		// What Windows' boot code asks the volume for; virtio and NVMe disks do not tell mkfs.ntfs.
		args = []string{"--fast", "--force", "--quiet", "--label", cutLabel(v.Label, 128), "--heads", "255", "--sectors-per-track", "63"}
		if start := readAttr("/sys/class/block", blockName(v.Device)+"/start"); start != "" {
			args = append(args, "--partition-start", start)
		}
	}
	if args = append(args, v.Device); v.front > 0 {
		sector, err := deviceSector(v.Device)
		if err != nil {
			return "", err
		}
		args = append(args, fmt.Sprint(v.front/sector))
	}
	if _, err := run(ctx, mkfsTimeout, "", tool, args...); err != nil {
		return "", err
	}
	if v.FileSystem == NTFS { // mkfs.ntfs cannot be told a serial number
		return run(ctx, tableTimeout, "", "blkid", "-p", "-o", "value", "-s", "UUID", v.Device)
	}
	return id, nil
}

// deviceSector is the logical sector size of a block device.
func deviceSector(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only asked
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("ask for the sector size of %s: %w", path, err)
	}
	return int64(n), nil
}

// ext4Compatible switches off what e2fsprogs 1.47 began to switch on: the fsck
// and the boot loaders of systems older than that refuse such a file system.
func ext4Compatible(ctx context.Context) []string {
	out, err := run(ctx, tableTimeout, "", "mkfs.ext4", "-V")
	var major, minor int
	if err != nil {
		return nil
	}
	if _, err := fmt.Sscanf(out, "mke2fs %d.%d", &major, &minor); err != nil || major == 1 && minor < 47 {
		return nil
	}
	return []string{"-O", "^metadata_csum_seed,^orphan_file"}
}

func cutLabel(s string, limit int) string {
	s = strings.ToValidUTF8(s, "")
	for len(s) > limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// fatLabel keeps what a FAT label can hold: eleven upper-case ASCII characters.
func fatLabel(s string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(s) {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == ' ' {
			if b.Len() < 11 {
				b.WriteRune(r)
			}
		}
	}
	return strings.TrimSpace(b.String())
}

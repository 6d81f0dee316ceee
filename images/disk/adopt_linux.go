package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Adopt describes the partitions that are on a disk, in the order of their numbers
// and without letters, and makes sure that the kernel has nodes for them. Their
// file systems are what blkid finds; one that bootyard does not make is none. A
// disk without partition table has no volumes.
func Adopt(ctx context.Context, d Disk) ([]Volume, error) {
	parts, err := readTable(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("read the partitions of %s: %w", d, err)
	}
	slices.SortFunc(parts, func(a, b tablePart) int { return a.number - b.number })
	volumes := make([]Volume, 0, len(parts))
	for i, p := range parts {
		v := Volume{Partition: i + 1, Number: p.number, Device: partitionNode(d.Path, p.number), PARTUUID: p.partUUID, Type: typeOf(p.kind),
			Size: p.size, DiskPath: d.Path, DiskModel: d.Model, DiskSerial: d.Serial}
		if v.Type != Extended {
			if err := ensureNode(ctx, d, p); err != nil {
				return nil, fmt.Errorf("read the partitions of %s: %w", d, err)
			}
			describeContent(ctx, &v)
		}
		if v.Label == "" {
			v.Label = p.name
		}
		v.wantsLetter = Partition{Type: v.Type, FileSystem: v.FileSystem}.wantsLetter()
		volumes = append(volumes, v)
	}
	return volumes, nil
}

// Describe finds out the file system of a volume anew, after an image was written to it.
func Describe(ctx context.Context, v *Volume) {
	v.FileSystem, v.UUID, v.Label = NoFileSystem, "", ""
	describeContent(ctx, v)
}

func describeContent(ctx context.Context, v *Volume) {
	out, err := run(ctx, tableTimeout, "", "blkid", "-p", "-o", "export", v.Device)
	if err != nil {
		return // nothing that blkid knows
	}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.ReplaceAll(value, `\`, "")
		switch key {
		case "UUID":
			v.UUID = value
		case "LABEL":
			v.Label = value
		case "TYPE":
			v.FileSystem = map[string]FileSystem{"ntfs": NTFS, "vfat": FAT32, "ext4": EXT4, "xfs": XFS, "btrfs": BTRFS, "swap": Swap}[value]
		}
	}
}

func typeOf(kind string) Type {
	switch kind = strings.ToUpper(kind); kind {
	case guidEFI, "EF":
		return EFI
	case guidMSR:
		return MSR
	case guidBIOSBoot:
		return BIOSBoot
	case guidRecovery, "27":
		return Recovery
	case guidRootAMD64, guidRootARM64:
		return LinuxRoot
	case "5", "F", "85":
		return Extended
	case "17", "1C":
		return Hidden
	}
	return Primary
}

// Settle makes a disk that was written with an image of another size a disk of its
// own: GPT's second header moves to the end, the last partition grows over what
// is free behind it, and the kernel learns the new table. It returns the number of
// the partition that grew, 0 when none could; its file system still has its size
// (GrowFileSystem).
func Settle(ctx context.Context, sys System, d Disk) (grown int, err error) {
	fail := func(err error) error { return fmt.Errorf("fit the partitions to %s: %w", d, err) }
	if isGPT(d) {
		if _, err := run(ctx, tableTimeout, "", "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--relocate", "gpt-bak-std", d.Path); err != nil {
			return 0, fail(err)
		}
	}
	parts, err := readTable(ctx, d)
	if err != nil {
		return 0, fail(err)
	}
	if last := lastToGrow(parts, d.Size); last != nil {
		_, err := run(ctx, tableTimeout, ", +\n", "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "-N", fmt.Sprint(last.number), d.Path)
		if err != nil {
			return 0, fail(err)
		}
		grown = last.number
		if parts, err = readTable(ctx, d); err != nil {
			return 0, fail(err)
		}
	}
	for i := range parts {
		if typeOf(parts[i].kind) == Extended {
			parts[i].size = 1024 // as the kernel itself shows it
		}
	}
	if err := tellParts(sys, d, parts); err != nil {
		return 0, fail(err)
	}
	for _, p := range parts {
		if err := waitNode(ctx, partitionNode(d.Path, p.number)); err != nil {
			return 0, fail(err)
		}
	}
	return grown, nil
}

// lastToGrow is the partition at the end of the disk, if 2 MiB and more are free
// behind it. System partitions stay as they are, and so does one inside an
// extended partition, around which the container would have to grow too.
func lastToGrow(parts []tablePart, diskSize int64) *tablePart {
	var last *tablePart
	for i := range parts {
		if typeOf(parts[i].kind) == Extended {
			return nil
		}
		if last == nil || parts[i].start > last.start {
			last = &parts[i]
		}
	}
	if last == nil || diskSize-last.start-last.size < gptTail+2*align {
		return nil
	}
	switch typeOf(last.kind) {
	case EFI, MSR, BIOSBoot, Recovery, Hidden:
		return nil
	}
	if strings.EqualFold(last.kind, guidLinuxSwap) || last.kind == "82" {
		return nil
	}
	return last
}

func isGPT(d Disk) bool {
	f, err := os.Open(d.Path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // only read from
	mark := make([]byte, 8)
	_, err = f.ReadAt(mark, int64(d.SectorSize))
	return err == nil && string(mark) == "EFI PART"
}

// GrowFileSystem makes the file system of a volume as large as its partition. ext4
// and NTFS must not be mounted, XFS and btrfs are mounted at dir for it by the
// caller. Others stay as they are and are told by false.
func GrowFileSystem(ctx context.Context, v Volume, dir string) (bool, error) {
	var err error
	switch v.FileSystem {
	case EXT4:
		// resize2fs wants a check before; 1 says that something was put right.
		if _, err = run(ctx, mkfsTimeout, "", "e2fsck", "-f", "-p", v.Device); err != nil && !exitIs(err, 1) {
			break
		}
		_, err = run(ctx, mkfsTimeout, "", "resize2fs", v.Device)
	case XFS:
		_, err = run(ctx, mkfsTimeout, "", "xfs_growfs", dir)
	case BTRFS:
		err = growBtrfs(dir)
	case NTFS:
		// It refuses one that Windows left in disorder, and has Windows check what it grew.
		_, err = run(ctx, mkfsTimeout, "y\n", "ntfsresize", "--no-progress-bar", v.Device)
	default:
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("grow the file system of %s: %w", v.Device, err)
	}
	return true, nil
}

func exitIs(err error, code int) bool {
	var exit interface{ ExitCode() int }
	return errors.As(err, &exit) && exit.ExitCode() == code
}

// growBtrfs asks the kernel itself (BTRFS_IOC_RESIZE, linux/btrfs.h), which spares the boot image the tool.
func growBtrfs(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only asked
	var args struct {
		fd   int64
		name [4088]byte
	}
	copy(args.name[:], "1:max")
	const resize = 0x50009403 // _IOW(0x94, 3, struct btrfs_ioctl_vol_args)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), resize, uintptr(unsafe.Pointer(&args))); errno != 0 {
		return errno
	}
	return nil
}

// Format makes the file system of a volume anew and returns its identifier.
func Format(ctx context.Context, v Volume) (uuid string, err error) {
	if uuid, err = makeFileSystem(ctx, v); err != nil {
		return "", fmt.Errorf("make %s on %s: %w", v.FileSystem, v.Device, err)
	}
	return uuid, nil
}

package apply

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/images/internal/bcd"
)

// Windows is an applied Windows that is to start from its own disk.
type Windows struct {
	Dir      string      // where Volume is mounted
	Volume   disk.Volume // holds the system
	Firmware Firmware
	// Boot holds the boot manager: the EFI system partition, or the active partition of an MBR disk; the same as Volume
	// when that is active itself.
	Boot    disk.Volume
	BootDir string // where Boot is mounted
	Name    string // of the system, for the boot menu; may be empty
}

// ErrNoWindows says that a Windows cannot be made to start on this machine.
var ErrNoWindows = errors.New("Windows cannot be made to start on this machine")

// WindowsBoot chooses the volume for the boot manager among those of the disk of a Windows. On MBR without an active
// partition it is the system's own; MakeWindowsBootable makes it active.
func WindowsBoot(ctx context.Context, firmware Firmware, system disk.Volume, volumes []disk.Volume) (disk.Volume, error) {
	place, err := disk.Locate(ctx, system)
	if err != nil {
		return disk.Volume{}, err
	}
	if firmware == BIOS && place.Style == disk.GPT {
		return disk.Volume{}, fmt.Errorf("%w: it starts by BIOS and the disk has a GPT, from which Windows starts by UEFI only; use MBR style in the Format and Partition Disk step, or switch the firmware to UEFI", ErrNoWindows)
	}
	if firmware == UEFI && place.Style == disk.MBR {
		return disk.Volume{}, fmt.Errorf("%w: it starts by UEFI and the disk has an MBR, from which Windows starts by BIOS only; use GPT style in the Format and Partition Disk step", ErrNoWindows)
	}
	for _, v := range volumes {
		if v.Disk != system.Disk {
			continue
		}
		if firmware == UEFI {
			if v.Type == disk.EFI && v.FileSystem == disk.FAT32 {
				return v, nil
			}
			continue
		}
		if v.FileSystem != disk.NTFS && v.FileSystem != disk.FAT32 {
			continue
		}
		if p, err := disk.Locate(ctx, v); err == nil && p.Active {
			return v, nil
		}
	}
	if firmware == UEFI {
		return disk.Volume{}, fmt.Errorf("%w: it starts by UEFI and the disk has no EFI partition formatted FAT32; add one to the Format and Partition Disk step", ErrNoWindows)
	}
	if system.Type == disk.Logical {
		return disk.Volume{}, fmt.Errorf("%w: no partition of the disk is active (bootable), and that of Windows is a logical one, which cannot be", ErrNoWindows)
	}
	return system, nil
}

// MakeWindowsBootable copies Windows' boot manager from the system to the volume that the firmware starts from and
// writes a boot configuration store there that leads to the system. On BIOS machines the boot code of the disk is GRUB's,
// made by the boot environment's tools, which starts bootmgr. Repeating it is safe.
func MakeWindowsBootable(ctx context.Context, w Windows) error {
	fail := func(err error) error {
		return fmt.Errorf("make Windows on %s start: %w", w.Volume.Device, err)
	}
	root, err := os.OpenRoot(w.Dir)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	boot, err := os.OpenRoot(w.BootDir)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = boot.Close() }() // a folder, each file was synced
	store := "Boot/BCD"
	if w.Firmware == UEFI {
		store = "EFI/Microsoft/Boot/BCD"
		err = copyEFIManager(ctx, root, boot)
	} else {
		err = copyBIOSManager(ctx, root, boot)
	}
	if err == nil {
		err = writeStore(ctx, boot, store, w)
	}
	if err == nil && w.Firmware == UEFI {
		err = writeFile(boot, DeployedMark, nil, 0o644) // PXE-15a
	}
	if err == nil {
		err = syncVolume(w.BootDir)
	}
	if err == nil && w.Firmware == BIOS {
		err = installNTLDR(ctx, w.Boot)
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// writeStore makes the boot configuration anew: one of another disk leads nowhere.
func writeStore(ctx context.Context, boot *os.Root, name string, w Windows) error {
	system := bcd.System{UEFI: w.Firmware == UEFI, Name: w.Name}
	for _, v := range []struct {
		volume disk.Volume
		to     *bcd.Partition
	}{{w.Boot, &system.Boot}, {w.Volume, &system.Windows}} {
		place, err := disk.Locate(ctx, v.volume)
		if err != nil {
			return err
		}
		*v.to = bcd.Partition{GPT: place.Style == disk.GPT, Disk: place.Disk, ID: place.ID, Start: place.Start}
	}
	data, err := bcd.Store(system, time.Now())
	if err != nil {
		return err
	}
	name, _ = Fold(boot, name)
	for _, old := range []string{".LOG", ".LOG1", ".LOG2"} { // changes of a store that was there before
		if at, ok := Fold(boot, name+old); ok {
			if err := remove(boot, at); err != nil {
				return err
			}
		}
	}
	return writeFile(boot, name, data, 0o644)
}

// copyEFIManager puts the boot manager where Windows itself keeps it, and where any firmware finds it without an entry.
func copyEFIManager(ctx context.Context, system, boot *os.Root) error {
	from, ok := Fold(system, "Windows/Boot/EFI")
	manager, there := Fold(system, path.Join(from, "bootmgfw.efi"))
	if !ok || !there {
		return fmt.Errorf("%w: the image has no Windows\\Boot\\EFI\\bootmgfw.efi, from which it starts by UEFI", ErrNoWindows)
	}
	fallback, err := fallbackName(system, manager)
	if err != nil {
		return err
	}
	if err := copyTree(ctx, system, from, boot, "EFI/Microsoft/Boot"); err != nil {
		return err
	}
	if err := copyExtras(ctx, system, boot, "EFI/Microsoft/Boot"); err != nil {
		return err
	}
	return copyBetween(system, manager, boot, "EFI/Boot/"+fallback)
}

func copyBIOSManager(ctx context.Context, system, boot *os.Root) error {
	from, ok := Fold(system, "Windows/Boot/PCAT")
	manager, there := Fold(system, path.Join(from, "bootmgr"))
	if !ok || !there {
		return fmt.Errorf("%w: the image has no Windows\\Boot\\PCAT\\bootmgr, from which it starts by BIOS (Windows 11 starts by UEFI only)", ErrNoWindows)
	}
	if err := copyTree(ctx, system, from, boot, "Boot"); err != nil {
		return err
	}
	if err := copyExtras(ctx, system, boot, "Boot"); err != nil {
		return err
	}
	if next, ok := Fold(system, path.Join(from, "bootnxt")); ok {
		if err := copyBetween(system, next, boot, "BOOTNXT"); err != nil {
			return err
		}
	}
	return copyBetween(system, manager, boot, "bootmgr")
}

// copyExtras are the fonts and pictures of the boot manager, where the image has them.
func copyExtras(ctx context.Context, system, boot *os.Root, to string) error {
	for _, name := range []string{"Fonts", "Resources"} {
		if from, ok := Fold(system, "Windows/Boot/"+name); ok {
			if err := copyTree(ctx, system, from, boot, path.Join(to, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// limits of what is copied as boot files; Windows 11 has some 50 MB in 300 files.
const (
	maxBootFiles = 5000
	maxBootDepth = 8
)

// copyTree copies the regular files of a folder and of the folders in it. Links are left out: no boot file is one.
func copyTree(ctx context.Context, from *os.Root, source string, to *os.Root, target string) error {
	files := 0
	return fs.WalkDir(from.FS(), source, func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(name, source), "/")
		if files++; files > maxBootFiles || strings.Count(rest, "/") > maxBootDepth {
			return fmt.Errorf("%s holds more than boot files", source)
		}
		return copyBetween(from, name, to, path.Join(target, rest))
	})
}

// copyBetween copies a file to another volume, in place of one of that name in any case.
func copyBetween(from *os.Root, source string, to *os.Root, target string) error {
	src, err := from.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // only read from
	target, _ = Fold(to, target)
	return writeFrom(to, target, 0o644, func(f *os.File) error {
		_, err := io.Copy(f, src)
		return err
	})
}

// fallbackName is by the processor that a boot manager is for (UEFI 2.10, 3.5.1.1; PE format, COFF header).
func fallbackName(root *os.Root, manager string) (string, error) {
	f, err := root.Open(manager)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read from
	var head [64]byte
	var coff [6]byte
	if _, err := f.ReadAt(head[:], 0); err == nil {
		_, err = f.ReadAt(coff[:], int64(binary.LittleEndian.Uint32(head[60:])))
		if err == nil && string(head[:2]) == "MZ" && string(coff[:4]) == "PE\x00\x00" {
			switch binary.LittleEndian.Uint16(coff[4:]) {
			case 0x8664:
				return "bootx64.efi", nil
			case 0xaa64:
				return "bootaa64.efi", nil
			case 0x14c:
				return "bootia32.efi", nil
			}
		}
	}
	return "", fmt.Errorf("%w: its bootmgfw.efi is no EFI program of a known processor", ErrNoWindows)
}

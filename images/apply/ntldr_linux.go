package apply

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/bootyard/bootyard/images/disk"
)

// grubDir is where the boot environment keeps GRUB's parts for BIOS (images/bootimage).
const grubDir = "/usr/lib/grub/i386-pc"

// volumeID is what file systems of FAT and NTFS are known by.
var volumeID = regexp.MustCompile(`^[0-9A-Fa-f-]{4,40}$`)

// installNTLDR gives an MBR disk boot code that starts bootmgr of one volume. The boot code that Windows itself puts on a
// disk is inside its programs; GRUB starts bootmgr as that does. It lies in front of the first partition and is tied to
// the volume by its serial number, so that no other disk's bootmgr is taken.
func installNTLDR(ctx context.Context, v disk.Volume) error {
	if !volumeID.MatchString(v.UUID) {
		return fmt.Errorf("the volume for bootmgr has no serial number (%.40q)", v.UUID)
	}
	dir, err := os.MkdirTemp("", "bootyard-grub-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // small, in memory
	config, core := filepath.Join(dir, "grub.cfg"), filepath.Join(dir, "core.img")
	script := fmt.Sprintf("search.fs_uuid %s root\nntldr /bootmgr\nboot\n", v.UUID)
	if err := os.WriteFile(config, []byte(script), 0o600); err != nil {
		return err
	}
	_, err = run(ctx, loaderTimeout, nil, "grub-mkimage", "--directory="+grubDir, "--format=i386-pc", "--prefix=/", "--config="+config, "--output="+core,
		"biosdisk", "part_msdos", "fat", "ntfs", "search_fs_uuid", "ntldr", "boot")
	if err != nil {
		return fmt.Errorf("make the loader for bootmgr: %w", err)
	}
	boot, err := os.ReadFile(filepath.Join(grubDir, "boot.img"))
	if err != nil {
		return fmt.Errorf("make the loader for bootmgr: %w; build the boot image with grub-pc-bin", err)
	}
	rest, err := os.ReadFile(core)
	if err != nil {
		return err
	}
	if len(boot) < 512 {
		return fmt.Errorf("boot.img of GRUB has %d bytes", len(boot))
	}
	// Some BIOSes give a wrong number for the disk they start from; GRUB's own installer has its code ask for a hard disk
	// all the same, by taking a jump away.
	const checkDrive = 0x66
	boot[checkDrive], boot[checkDrive+1] = 0x90, 0x90
	first, err := disk.FirstPartition(ctx, v.DiskPath)
	if err != nil {
		return err
	}
	if err := disk.WriteMBRLoader(v.DiskPath, boot, rest, first); err != nil {
		return err
	}
	return disk.Activate(ctx, v)
}

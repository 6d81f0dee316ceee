package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/bootyard/bootyard/images/disk"
)

const loaderTimeout = 10 * time.Minute // grub-install reads the whole disk's names; software emulation is slow

// ErrNoLoader says that an image cannot be made bootable with its own tools.
var ErrNoLoader = errors.New("image cannot be made bootable on this machine")

// MakeBootable writes fstab by UUID and installs the boot loader with the image's
// own GRUB (TS-118b). On UEFI the fallback path /EFI/BOOT is written, with the
// signed chain when the image has one. The loader for the machine's own firmware
// must succeed; that for the other kind is installed when AnyFirmware asks for
// it, and what stands against it is returned as a warning. Repeating it is safe.
func MakeBootable(ctx context.Context, t Target) (warnings []string, err error) {
	fail := func(err error) error {
		return fmt.Errorf("make %s bootable on %s: %w", t.Root.Device, t.Root.DiskPath, err)
	}
	if t.Firmware != BIOS && t.Firmware != UEFI {
		return nil, fail(fmt.Errorf("firmware %q is neither bios nor uefi", t.Firmware))
	}
	if t.Firmware == UEFI && t.ESP == nil {
		return nil, fail(fmt.Errorf("%w: it starts by UEFI and the disk has no EFI partition formatted FAT32; add one to the Format and Partition Disk step", ErrNoLoader))
	}
	root, err := os.OpenRoot(t.Dir)
	if err != nil {
		return nil, fail(err)
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	if err := writeFile(root, "etc/fstab", []byte(fstab(t)), 0o644); err != nil {
		return nil, fail(err)
	}
	if err := writeKernelArgs(root, t.KernelArgs); err != nil {
		return nil, fail(err)
	}
	tools, err := findGRUB(root, t)
	if err != nil {
		return nil, fail(err)
	}
	// An image that never had a loader has no folder for the menu yet.
	if err := root.MkdirAll(path.Dir(rel(tools.config)), 0o755); err != nil {
		return nil, fail(err)
	}
	err = inChroot(ctx, t, func(c *chroot) error {
		warnings, err = tools.install(ctx, c, t)
		return err
	})
	if err != nil {
		return warnings, fail(err)
	}
	if err := syncVolume(t.Dir); err != nil {
		return warnings, fail(err)
	}
	return warnings, nil
}

// fstab names every volume by UUID: kernel names change with the order in which
// drivers come up.
func fstab(t Target) string {
	var b strings.Builder
	b.WriteString("# written by bootyard when the image was applied\n")
	kind, options, pass := strings.ToLower(string(t.Root.FileSystem)), "defaults", 1
	switch t.Root.FileSystem {
	case disk.EXT4:
		options = "errors=remount-ro"
	case disk.XFS, disk.BTRFS:
		pass = 0 // they check themselves; there is nothing for fsck to do
	}
	fmt.Fprintf(&b, "UUID=%s\t/\t%s\t%s\t0\t%d\n", t.Root.UUID, kind, options, pass)
	if t.ESP != nil {
		fmt.Fprintf(&b, "UUID=%s\t/boot/efi\tvfat\tumask=0077,nofail\t0\t2\n", t.ESP.UUID)
	}
	for _, s := range t.Swaps {
		fmt.Fprintf(&b, "UUID=%s\tnone\tswap\tsw,nofail\t0\t0\n", s.UUID)
	}
	return b.String()
}

const argsFile = "etc/default/grub.d/50-bootyard.cfg"

func writeKernelArgs(root *os.Root, args []string) error {
	if len(args) == 0 {
		return remove(root, argsFile)
	}
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\r\n\"'`$\\") {
			return fmt.Errorf("kernel argument %q holds blanks or quotes", a)
		}
	}
	line := fmt.Sprintf("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX %s\"\n", strings.Join(args, " "))
	return writeFile(root, argsFile, []byte(line), 0o644)
}

// grub is the image's own boot loader kit.
type grub struct {
	installer, mkconfig, config string // tools by absolute path in the image, and the menu they write
	bios, efi                   bool
}

func findGRUB(root *os.Root, t Target) (grub, error) {
	var g grub
	find := func(names ...string) string {
		for _, n := range names {
			if info, err := root.Stat(n); err == nil && info.Mode().IsRegular() {
				return "/" + n
			}
		}
		return ""
	}
	g.installer = find("usr/sbin/grub-install", "usr/bin/grub-install", "usr/sbin/grub2-install")
	g.mkconfig = find("usr/sbin/grub-mkconfig", "usr/bin/grub-mkconfig", "usr/sbin/grub2-mkconfig")
	g.config = "/boot/grub/grub.cfg"
	if strings.HasSuffix(g.installer, "grub2-install") {
		g.config = "/boot/grub2/grub.cfg"
	}
	if g.installer == "" || g.mkconfig == "" {
		return g, fmt.Errorf("%w: it has no grub-install and grub-mkconfig; make the image with its distribution's GRUB (Debian: grub2-common)", ErrNoLoader)
	}
	g.bios = find("usr/lib/grub/i386-pc/modinfo.sh") != ""
	target := efiFor(t.Arch).target
	g.efi = t.ESP != nil && find("usr/lib/grub/"+target+"/modinfo.sh") != ""
	switch {
	case t.Firmware == BIOS && !g.bios:
		return g, fmt.Errorf("%w: it starts by BIOS and the image has no GRUB for it; add the package (Debian: grub-pc-bin)", ErrNoLoader)
	case t.Firmware == UEFI && !g.efi:
		return g, fmt.Errorf("%w: it starts by UEFI and the image has no GRUB for %s; add the package (Debian: grub-efi-amd64-bin, and grub-efi-amd64-signed with shim-signed for Secure Boot)", ErrNoLoader, target)
	}
	return g, nil
}

func (g grub) install(ctx context.Context, c *chroot, t Target) (warnings []string, err error) {
	if _, err := c.run(ctx, g.mkconfig, "-o", g.config); err != nil {
		return nil, err
	}
	if err := checkMenu(t.Dir, g.config, t.Root); err != nil {
		return nil, err
	}
	if t.Firmware == BIOS || t.AnyFirmware && g.bios {
		_, err := c.run(ctx, g.installer, "--target=i386-pc", "--no-floppy", t.Root.DiskPath)
		switch {
		case err != nil && t.Firmware == BIOS:
			return nil, fmt.Errorf("%w (a GPT disk needs a partition of type BIOSBoot for this)", err)
		case err != nil:
			warnings = append(warnings, fmt.Sprintf("the disk will not start by BIOS: %v", err))
		}
	}
	if t.Firmware == UEFI || t.AnyFirmware && g.efi {
		err := g.installEFI(ctx, c, t)
		switch {
		case err != nil && t.Firmware == UEFI:
			return warnings, err
		case err != nil:
			warnings = append(warnings, fmt.Sprintf("the disk will not start by UEFI: %v", err))
		}
	}
	if t.AnyFirmware && !(g.bios && g.efi) {
		warnings = append(warnings, "the disk starts by "+string(t.Firmware)+" only: the image has no GRUB for the other kind of firmware, or the disk no EFI partition")
	}
	return warnings, nil
}

// checkMenu makes sure that the menu starts a kernel and finds its root without
// a kernel name, which may change: better an error now than a machine that does
// not come back.
func checkMenu(dir, config string, rootVolume disk.Volume) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // only read from
	menu, err := readFile(root, rel(config), 4<<20)
	if err != nil {
		return fmt.Errorf("read the new boot menu: %w", err)
	}
	kernels := 0
	for line := range strings.Lines(string(menu)) {
		f := strings.Fields(line)
		if len(f) < 2 || !strings.HasPrefix(f[0], "linux") {
			continue
		}
		kernels++
		if strings.Contains(line, "root="+rootVolume.Device) {
			return fmt.Errorf("%w: its boot menu names the root as %s, which changes; check GRUB_DISABLE_LINUX_UUID in the image", ErrNoLoader, rootVolume.Device)
		}
	}
	if kernels == 0 {
		return fmt.Errorf("%w: it has no kernel in %s; make the image with one (Debian: linux-image-amd64)", ErrNoLoader, path.Dir(path.Dir(config)))
	}
	return nil
}

package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/bootyard/bootyard/images/disk"
)

// HoldsLinux says whether the root of a Linux system is mounted at dir.
func HoldsLinux(dir string) bool {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer func() { _ = root.Close() }() // only looked at
	release, first := false, false
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		release = release || exists(root, name)
	}
	for _, name := range []string{"sbin/init", "usr/sbin/init", "usr/lib/systemd/systemd", "bin/init", "init"} {
		// A link is enough: it may lead to a place that only the running system has.
		_, err := root.Lstat(name)
		first = first || err == nil
	}
	return release && first
}

// AdoptESP makes the EFI partition that a disk image brought start on this machine: it gets bootyard's mark (PXE-15a),
// loses the marks of the machine it was copied from, and gets a loader on the path that any firmware starts, when the
// image has its loader only in the folder of its system, which firmware finds by an entry of the old machine alone. dir
// is where the system is mounted. The note says what was done. ErrNoLoader: there is nothing that could be started.
func AdoptESP(ctx context.Context, esp disk.Volume, dir, arch string) (note string, err error) {
	at, err := os.MkdirTemp("", "bootyard-esp-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.Remove(at)) }()
	if err := disk.Mount(ctx, esp, at); err != nil {
		return "", fmt.Errorf("look at the image's EFI partition: %w", err)
	}
	defer func() { err = errors.Join(err, disk.Unmount(context.WithoutCancel(ctx), at)) }()
	root, err := os.OpenRoot(at)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	note, err = adoptESP(root, vendorName(dir), efiFor(arch))
	if err != nil {
		return "", fmt.Errorf("the image's EFI partition %s: %w", esp.Device, err)
	}
	return note, nil
}

func adoptESP(esp *os.Root, vendor string, n efiNames) (note string, err error) {
	for _, old := range []string{MarkerOnESP, "loader/random-seed"} {
		if err := remove(esp, old); err != nil {
			return "", err
		}
	}
	fallback := path.Join("EFI/BOOT", n.fallback)
	_, err = esp.Stat(fallback)
	if errors.Is(err, fs.ErrNotExist) {
		var from string
		if from, err = installedLoader(esp, vendor, n); err == nil {
			note = fmt.Sprintf("the image has no %s, which firmware starts without an entry: made from %s", fallback, from)
		}
	}
	if err != nil {
		return "", err
	}
	return note, writeFile(esp, DeployedMark, nil, 0o644)
}

// installedLoader puts the loader of a system's own folder on the fallback path: its distribution's, else the first by
// name, else systemd's.
func installedLoader(esp *os.Root, vendor string, n efiNames) (from string, err error) {
	for _, dir := range append([]string{path.Join("EFI", vendor)}, glob(esp, "EFI/*")...) {
		if strings.EqualFold(path.Base(dir), "boot") || !exists(esp, path.Join(dir, n.grub)) {
			continue
		}
		return dir, placeFallback(esp, dir, n)
	}
	// systemd-boot is the same program in both places and reads its menu from the partition it lies on (bootctl(1)).
	systemd := "EFI/systemd/systemd-" + strings.ToLower(n.fallback)
	if exists(esp, systemd) {
		return systemd, copyInside(esp, systemd, path.Join("EFI/BOOT", n.fallback))
	}
	return "", fmt.Errorf("%w: it holds neither EFI/BOOT/%s nor a GRUB or systemd-boot to make it from; install the image's loader with --removable (GRUB) before the disk is imaged", ErrNoLoader, n.fallback)
}

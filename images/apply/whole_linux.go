package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

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

// MarkDeployed marks the EFI partition that a disk image brought as bootyard's (PXE-15a) and looks whether firmware will
// find a loader there. The answer is what a person should know; an empty one means that all is well.
func MarkDeployed(ctx context.Context, esp disk.Volume, arch string) (warning string) {
	dir, err := os.MkdirTemp("", "bootyard-esp-")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = os.Remove(dir) }()
	if err := disk.Mount(ctx, esp, dir); err != nil {
		return "the image's EFI partition was not looked at: " + err.Error()
	}
	defer func() {
		if err := disk.Unmount(context.WithoutCancel(ctx), dir); err != nil && warning == "" {
			warning = err.Error()
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	if err := writeFile(root, DeployedMark, nil, 0o644); err != nil {
		return fmt.Sprintf("mark the EFI partition: %v", err)
	}
	fallback := path.Join("EFI/BOOT", efiFor(arch).fallback)
	if _, err := root.Stat(fallback); errors.Is(err, fs.ErrNotExist) {
		return "the image has no " + fallback + ": firmware without an entry for it will not start it"
	}
	return ""
}

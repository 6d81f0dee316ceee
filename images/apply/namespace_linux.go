package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/disk"
)

// chroot is an image's root with what its tools need mounted. It is valid inside
// inChroot only.
type chroot struct {
	dir    string
	mounts []string
}

// inChroot calls work with the image's tools ready to run. The mounts are made
// in a mount namespace of one thread that ends with the call: nobody else sees
// them, and they are gone even when this program is killed.
func inChroot(ctx context.Context, t Target, work func(*chroot) error) error {
	result := make(chan error, 1)
	go func() {
		// Never unlocked: the thread has another file system view than the rest of
		// the program and must end with this goroutine.
		runtime.LockOSThread()
		result <- func() (err error) {
			if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("make a mount namespace: %w", err)
			}
			if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return fmt.Errorf("make mounts private: %w", err)
			}
			c := &chroot{dir: t.Dir}
			defer func() { err = errors.Join(err, c.unmount(ctx)) }()
			if err := c.prepare(t); err != nil {
				return err
			}
			return work(c)
		}()
	}()
	return <-result // every tool in work has its own deadline
}

// prepare mounts proc, sys and a small dev with nothing but what a loader's
// tools need: this disk and its partitions, and the names by UUID that no udev
// makes here and without which GRUB writes kernel names into its menu. The
// firmware's variables stay out: an image's tools must not change them.
func (c *chroot) prepare(t Target) error {
	for _, m := range []struct {
		kind, at, data string
		flags          uintptr
	}{
		{"proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"sysfs", "sys", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RDONLY},
		{"tmpfs", "dev", "mode=755,size=4m", unix.MS_NOSUID},
		{"tmpfs", "run", "mode=755,size=64m", unix.MS_NOSUID | unix.MS_NODEV},
		{"tmpfs", "tmp", "mode=1777,size=256m", unix.MS_NOSUID | unix.MS_NODEV},
	} {
		if err := c.mount(m.kind, m.at, m.kind, m.flags, m.data); err != nil {
			return err
		}
	}
	if t.ESP != nil {
		if err := c.mount(t.ESP.Device, "boot/efi", "vfat", unix.MS_NOATIME, "umask=0077"); err != nil {
			return err
		}
	}
	return c.devices(t)
}

// mount mounts below the image's root. Each folder on the way must be a real
// one: a link could lead the mount over the boot environment's own folders.
func (c *chroot) mount(source, at, kind string, flags uintptr, data string) error {
	dir := c.dir
	for part := range strings.SplitSeq(at, "/") {
		dir = filepath.Join(dir, part)
		info, err := os.Lstat(dir)
		if errors.Is(err, os.ErrNotExist) {
			err = os.Mkdir(dir, 0o755)
		} else if err == nil && !info.IsDir() {
			err = fmt.Errorf("/%s of the image is no folder", at)
		}
		if err != nil {
			return fmt.Errorf("mount %s: %w", kind, err)
		}
	}
	err := unix.Mount(source, dir, kind, flags, data)
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("mount %s on /%s of the image: this kernel has no %s; add its module to the boot image: %w", source, at, kind, err)
	}
	if err != nil {
		return fmt.Errorf("mount %s (%s) on /%s of the image: %w", source, kind, at, err)
	}
	c.mounts = append(c.mounts, dir)
	return nil
}

func (c *chroot) unmount(ctx context.Context) error {
	var errs []error
	// The work may have been cancelled; cleaning up is not.
	ctx = context.WithoutCancel(ctx)
	for i := len(c.mounts) - 1; i >= 0; i-- {
		errs = append(errs, disk.Unmount(ctx, c.mounts[i]))
	}
	c.mounts = nil
	return errors.Join(errs...)
}

func (c *chroot) devices(t Target) error {
	dev := filepath.Join(c.dir, "dev")
	for name, n := range map[string][2]uint32{"null": {1, 3}, "zero": {1, 5}, "full": {1, 7}, "random": {1, 8}, "urandom": {1, 9}, "tty": {5, 0}} {
		if err := mknod(filepath.Join(dev, name), unix.S_IFCHR|0o666, unix.Mkdev(n[0], n[1])); err != nil {
			return err
		}
	}
	nodes := []string{t.Root.DiskPath}
	byUUID := filepath.Join(dev, "disk/by-uuid")
	if err := os.MkdirAll(byUUID, 0o755); err != nil {
		return err
	}
	volumes := append([]disk.Volume{t.Root}, t.Swaps...)
	if t.ESP != nil {
		volumes = append(volumes, *t.ESP)
	}
	for _, v := range volumes {
		nodes = append(nodes, v.Device)
		if v.UUID != "" && !strings.ContainsAny(v.UUID, "/.") {
			if err := os.Symlink("../../"+strings.TrimPrefix(v.Device, "/dev/"), filepath.Join(byUUID, v.UUID)); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
	}
	// All partitions of the disk: GRUB looks at the BIOS boot partition too.
	names, err := filepath.Glob(t.Root.DiskPath + "*")
	if err != nil {
		return err
	}
	for _, node := range append(nodes, names...) {
		var st unix.Stat_t
		if err := unix.Stat(node, &st); err != nil {
			return fmt.Errorf("look up %s: %w", node, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFBLK {
			continue
		}
		at := filepath.Join(dev, strings.TrimPrefix(node, "/dev/"))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := mknod(at, unix.S_IFBLK|0o660, st.Rdev); err != nil {
			return err
		}
	}
	return os.Symlink("/proc/self/fd", filepath.Join(dev, "fd"))
}

func mknod(path string, mode uint32, dev uint64) error {
	if err := unix.Mknod(path, mode, int(dev)); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make device %s: %w", path, err)
	}
	return nil
}

// run executes one of the image's own tools.
func (c *chroot) run(ctx context.Context, tool string, args ...string) (string, error) {
	return run(ctx, loaderTimeout, &syscall.SysProcAttr{Chroot: c.dir}, tool, args...)
}

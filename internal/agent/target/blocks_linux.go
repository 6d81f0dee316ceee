package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// place finds the volume that an image step means. Partitions that were on a disk before the run are taken into the
// table when one of them is named; adopted are those of the disk then.
func (t *Target) place(ctx context.Context, target machine.Target) (v disk.Volume, adopted []disk.Volume, err error) {
	wanted := machine.Volume{Disk: target.Disk, Partition: target.Partition}
	if target.Volume != nil {
		wanted = *target.Volume
	}
	if v, err = t.find(wanted); err == nil || wanted.PartUUID != "" {
		return v, nil, err
	}
	if slices.ContainsFunc(t.table.Volumes(), func(v disk.Volume) bool { return v.Disk == wanted.Disk }) {
		return v, nil, err // the run made this disk's partitions, and that is none of them
	}
	index := wanted.Disk
	d, err := t.choose(ctx, &index)
	if err != nil {
		return v, nil, err
	}
	there, err := disk.Adopt(ctx, d)
	if err != nil {
		return v, nil, err
	}
	if _, err := t.table.Set(index, there); err != nil {
		return v, nil, err
	}
	for _, known := range t.table.Volumes() {
		if known.Disk == index {
			adopted = append(adopted, known)
		}
	}
	if v, err = t.find(wanted); err != nil {
		return v, nil, fmt.Errorf("disk %d has no partition %d (it has %d); put a Format and Partition Disk step before this one", wanted.Disk, wanted.Partition, len(there))
	}
	return v, adopted, nil
}

// choose returns a disk by its number; nil is the only one.
func (t *Target) choose(ctx context.Context, index *int) (disk.Disk, error) {
	all, err := disk.List(ctx, t.options.System)
	if err != nil {
		return disk.Disk{}, err
	}
	d, err := disk.Choose(disk.Targets(all), index)
	if errors.Is(err, disk.ErrAmbiguous) {
		return d, fmt.Errorf("%w: %w", machine.ErrAmbiguousDisk, err)
	}
	return d, err
}

// number is the number of a disk as sequences count.
func (t *Target) number(ctx context.Context, d disk.Disk) (int, error) {
	all, err := disk.List(ctx, t.options.System)
	if err != nil {
		return 0, err
	}
	return max(0, slices.IndexFunc(disk.Targets(all), func(o disk.Disk) bool { return o.Path == d.Path })), nil
}

// applyDisk writes an image of a whole disk (TS-118b): the table is made to fit, the last partition grows, and the system
// on it becomes unique. It brings its own boot loader.
func (t *Target) applyDisk(ctx context.Context, w work) (machine.Applied, error) {
	if w.request.Data {
		return machine.Applied{}, fmt.Errorf("package %s holds an image of a whole disk; Apply Data Image takes files (tar, squashfs, WIM) or the image of one file system", w.request.PackageID)
	}
	d, err := t.wholeDisk(ctx, w.request.Target)
	if err != nil {
		return machine.Applied{}, err
	}
	index, err := t.number(ctx, d)
	if err != nil {
		return machine.Applied{}, err
	}
	return t.writeDisk(ctx, w, d, index)
}

func (t *Target) wholeDisk(ctx context.Context, target machine.Target) (disk.Disk, error) {
	if target.Volume != nil {
		v, err := t.find(*target.Volume)
		if err != nil {
			return disk.Disk{}, err
		}
		return disk.Lookup(t.options.System, v.DiskPath)
	}
	if target.Disk == machine.AnyDisk {
		return t.choose(ctx, nil)
	}
	return t.choose(ctx, &target.Disk)
}

func (t *Target) writeDisk(ctx context.Context, w work, d disk.Disk, index int) (machine.Applied, error) {
	onDisk := func(v disk.Volume) bool { return v.DiskPath == d.Path }
	image, remove, err := t.outOfTheWay(w.image, onDisk)
	if err != nil {
		return machine.Applied{}, err
	}
	defer remove()
	if err := t.unmountSome(ctx, onDisk); err != nil {
		return machine.Applied{}, err
	}
	defer t.useForData(ctx) // of the volumes that are there then (TS-117a)
	t.options.Say("  writing %s to %s", filepath.Base(image), d)
	options := w.options(disk.Volume{})
	options.Volume = d.String()
	size, err := apply.WriteBlocks(ctx, image, w.format, d.Path, options)
	if err != nil {
		return machine.Applied{}, err
	}
	t.data, t.system, t.fresh, t.installed = "", "", nil, nil
	if _, err := t.table.Set(index, nil); err != nil {
		return machine.Applied{}, err
	}
	grown, err := disk.Settle(ctx, t.options.System, d)
	if err != nil {
		return machine.Applied{}, err
	}
	volumes, err := disk.Adopt(ctx, d)
	if err != nil {
		return machine.Applied{}, err
	}
	if len(volumes) == 0 {
		return machine.Applied{}, fmt.Errorf("the image %s has no partition", filepath.Base(image))
	}
	for _, v := range volumes {
		if v.Number == grown {
			t.grow(ctx, v)
		}
	}
	if _, err := t.table.Set(index, volumes); err != nil {
		return machine.Applied{}, err
	}
	applied := machine.Applied{Description: disk.FormatSize(size) + " of disk image"}
	for _, v := range t.table.Volumes() {
		if v.Disk == index {
			applied.Volumes = append(applied.Volumes, volume(v))
		}
	}
	system, err := t.ownSystem(ctx, w, index)
	if err != nil {
		return machine.Applied{}, err
	}
	applied.Volume = volume(system)
	return applied, nil
}

// ownSystem finds the system that a disk image brought and makes it unique. One that is not Linux stays as it is.
func (t *Target) ownSystem(ctx context.Context, w work, index int) (disk.Volume, error) {
	var largest disk.Volume
	for _, v := range t.table.Volumes() {
		if v.Disk != index {
			continue
		}
		if v.Size > largest.Size {
			largest = v
		}
		switch v.FileSystem {
		case disk.EXT4, disk.XFS, disk.BTRFS:
		default:
			continue
		}
		dir, err := t.mount(ctx, v)
		if err != nil {
			return v, err
		}
		if !apply.HoldsLinux(dir) {
			continue
		}
		if err := makeUnique(ctx, dir, w.request.ComputerName); err != nil {
			return v, err
		}
		t.system = v.PARTUUID
		return v, t.ownESP(ctx, dir, index)
	}
	t.options.Say("  no Linux system was found in the image: it stays as it is, and this environment cannot put the agent into it")
	return largest, nil
}

// ownESP makes the EFI partition of a disk image one that this machine's firmware starts. On a machine that starts by BIOS
// it may be as it is.
func (t *Target) ownESP(ctx context.Context, dir string, index int) error {
	uefi := t.options.Firmware == wire.UEFI
	esp, ok := t.table.ESP(index)
	if !ok {
		if uefi {
			return fmt.Errorf("%w: the image has no EFI partition formatted FAT32, and this machine starts by UEFI; make the image on a machine that does", apply.ErrNoLoader)
		}
		return nil
	}
	note, err := apply.AdoptESP(ctx, esp, dir, t.options.Arch)
	if err != nil && !uefi {
		note, err = err.Error(), nil
	}
	if note != "" {
		t.options.Say("  %s", note)
	}
	return err
}

// grow makes a file system as large as its partition. What does not work is said: the system works all the same.
func (t *Target) grow(ctx context.Context, v disk.Volume) {
	dir := ""
	if v.FileSystem == disk.XFS || v.FileSystem == disk.BTRFS {
		var err error
		if dir, err = t.mount(ctx, v); err != nil {
			t.options.Say("  %v", err)
			return
		}
	}
	grown, err := disk.GrowFileSystem(ctx, v, dir)
	switch {
	case err != nil:
		t.options.Say("  %v", err)
	case !grown:
		t.options.Say("  the file system of partition %d keeps its size", v.Partition)
	}
}

// applyBlocks writes the image of one file system to a partition, grows it and finds out what it is.
func (t *Target) applyBlocks(ctx context.Context, w work, v disk.Volume) (disk.Volume, error) {
	if w.request.Keep {
		return v, errors.New("an image of a file system cannot be added to one; let the step delete what is on the partition")
	}
	itself := func(o disk.Volume) bool { return o.PARTUUID == v.PARTUUID }
	image, remove, err := t.outOfTheWay(w.image, itself)
	if err != nil {
		return v, err
	}
	defer remove()
	if err := t.unmountSome(ctx, itself); err != nil {
		return v, err
	}
	defer t.useForData(ctx)
	if _, err := apply.WriteBlocks(ctx, image, w.format, v.Device, w.options(v)); err != nil {
		return v, err
	}
	disk.Describe(ctx, &v)
	if err := t.table.Update(v); err != nil {
		return v, err
	}
	t.grow(ctx, v)
	return v, nil
}

// applyNTFS lets wimlib write to NTFS itself, which alone keeps what Windows has in it. What is to stay on the volume is
// looked after with the kernel's driver.
func (t *Target) applyNTFS(ctx context.Context, w work, v *disk.Volume) error {
	if w.request.Keep {
		return errors.New("files of a WIM cannot be added to an NTFS volume here; let the step delete what is on it")
	}
	if len(w.request.Preserve) > 0 {
		return errors.New("folders of an NTFS volume cannot be kept while a WIM is applied to it here; keep the user state elsewhere")
	}
	itself := func(o disk.Volume) bool { return o.PARTUUID == v.PARTUUID }
	if t.staging != nil && itself(t.staging.Volume) {
		return t.applyStaged(ctx, w, v)
	}
	image, remove, err := t.outOfTheWay(w.image, itself)
	if err != nil {
		return err
	}
	defer remove()
	if err := t.unmountSome(ctx, itself); err != nil {
		return err
	}
	t.written(*v)
	if v.UUID, err = disk.Format(ctx, *v); err != nil {
		return err
	}
	if err := t.table.Update(*v); err != nil {
		return err
	}
	return apply.ApplyNTFS(ctx, image, v.Device, w.options(*v))
}

// applyStaged is applyNTFS for the volume that holds the run's data, and the image with them, in its last third: NTFS is
// made in front of it and grows when the data are gone.
func (t *Target) applyStaged(ctx context.Context, w work, v *disk.Volume) (err error) {
	t.written(*v)
	staging := *t.staging
	if v.UUID, err = disk.FormatFront(ctx, *v, staging.Front); err != nil {
		return err
	}
	if err := t.table.Update(*v); err != nil {
		return err
	}
	options := w.options(*v)
	options.Room = staging.Front
	if err := apply.ApplyNTFS(ctx, w.image, v.Device, options); err != nil {
		return err
	}
	t.staging = nil
	if err := staging.Release(ctx); err != nil {
		return err
	}
	if _, err := disk.GrowFileSystem(ctx, *v, ""); err != nil {
		return err
	}
	return disk.ClearDirty(ctx, *v)
}

// unmountSome takes chosen volumes of the run away.
func (t *Target) unmountSome(ctx context.Context, which func(disk.Volume) bool) error {
	if t.staging != nil && which(t.staging.Volume) {
		if err := t.unstage(ctx); err != nil {
			return err
		}
	}
	for _, v := range t.table.Volumes() {
		if dir := t.mounted[v.PARTUUID]; dir != "" && which(v) {
			if err := disk.Unmount(ctx, dir); err != nil {
				return err
			}
			delete(t.mounted, v.PARTUUID)
		}
	}
	return nil
}

// outOfTheWay copies an image that lies on one of the volumes it is going to replace into memory.
func (t *Target) outOfTheWay(image string, replaced func(disk.Volume) bool) (name string, remove func(), err error) {
	info, err := os.Stat(image)
	if err != nil {
		return "", nil, err
	}
	on := t.staging != nil && replaced(t.staging.Volume) && strings.HasPrefix(image, t.staging.Dir+"/") || slices.ContainsFunc(t.table.Volumes(), func(v disk.Volume) bool {
		dir := t.mounted[v.PARTUUID]
		return dir != "" && replaced(v) && strings.HasPrefix(image, dir+"/")
	})
	if !on {
		return image, func() {}, nil
	}
	var memory unix.Sysinfo_t
	if err := unix.Sysinfo(&memory); err != nil {
		return "", nil, err
	}
	free := (int64(memory.Freeram) + int64(memory.Bufferram)) * int64(memory.Unit)
	if need := info.Size() + 256<<20; need > free {
		return "", nil, fmt.Errorf("the image is kept on the disk that it is to replace, and memory has no room for it (%s needed, %s free); nothing was written; take the Format and Partition Disk step away, pack the image (.zst), or give the machine more memory",
			disk.FormatSize(need), disk.FormatSize(free))
	}
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	name = filepath.Join(dir, filepath.Base(image))
	if err := copyFile(image, name); err != nil {
		remove()
		return "", nil, fmt.Errorf("copy the image into memory: %w", err)
	}
	return name, remove, nil
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // only read from
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/capture"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// imaging is the engine's machine.ImageCapture.
type imaging struct{ t *Target }

// CaptureImage implements machine.ImageCapture. The system's volume is the first image; a WIM also gets the other volumes of
// its disk that hold files, without system partitions. A tar archive holds the system's volume only.
func (i imaging) CaptureImage(ctx context.Context, r machine.CaptureRequest, progress machine.Progress) (machine.Captured, error) {
	t := i.t
	t.mu.Lock()
	defer t.mu.Unlock()
	system, all, err := t.systemToCapture(ctx, r.Target)
	if err != nil {
		return machine.Captured{}, err
	}
	done := machine.Captured{Images: 1, Notes: []string{fmt.Sprintf("capturing disk %d, partition %d (%s)", system.Disk, system.Partition, system.Device)}}
	options := capture.Options{Creator: r.Creator, Description: r.Description, Version: r.Version,
		Progress: func(now, total int64) { progress(now, total, "capturing "+system.Device) }}
	one := r.Tar || r.Stream != nil
	sources := make([]capture.Source, 0, len(all)+1)
	for k, v := range append([]disk.Volume{system}, all...) {
		if k > 0 {
			if v.PARTUUID == system.PARTUUID || v.Disk != system.Disk {
				continue
			}
			note := fmt.Sprintf("partition %d (%s %s) is left out", v.Partition, v.Type, v.FileSystem)
			if one || v.Type == disk.EFI || v.Type == disk.Recovery || v.Type == disk.Hidden || v.FileSystem == disk.NoFileSystem || v.FileSystem == disk.Swap {
				done.Notes = append(done.Notes, note)
				continue
			}
		}
		source := capture.Source{Device: v.Device, Name: r.Name}
		if k > 0 {
			source.Name = fmt.Sprintf("%s, partition %d", r.Name, v.Partition)
		}
		if v.FileSystem != disk.NTFS || r.Tar {
			if source.Dir, err = t.mount(ctx, v); err != nil {
				return machine.Captured{}, err
			}
		} else if err := t.unmountSome(ctx, func(o disk.Volume) bool { return o.PARTUUID == v.PARTUUID }); err != nil {
			return machine.Captured{}, err
		}
		sources = append(sources, source)
	}
	switch {
	case r.Tar && r.Stream != nil:
		done.Unpacked, err = capture.TarTo(ctx, sources[0], r.Stream, options)
	case r.Stream != nil:
		err = capture.WIMTo(ctx, sources[0], r.Stream, options)
	case r.Tar:
		err = capture.Tar(ctx, sources[0], r.File, options)
	default:
		err = capture.WIM(ctx, sources, r.File, options)
		done.Images = len(sources)
	}
	if err != nil {
		return machine.Captured{}, err
	}
	if r.Stream != nil {
		return done, nil
	}
	info, err := os.Stat(r.File)
	if err != nil {
		return machine.Captured{}, err
	}
	done.Bytes = info.Size()
	return done, nil
}

// systemToCapture finds the volume with the system, and all volumes that are known then. Without a target it must be the
// only one of the machine.
func (t *Target) systemToCapture(ctx context.Context, target *machine.Target) (system disk.Volume, all []disk.Volume, err error) {
	if target != nil {
		system, _, err = t.place(ctx, *target)
		return system, t.table.Volumes(), err
	}
	disks, err := disk.List(ctx, t.options.System)
	if err != nil {
		return system, nil, err
	}
	for index, d := range disk.Targets(disks) {
		if t.knows(index) {
			continue
		}
		there, err := disk.Adopt(ctx, d)
		if err != nil {
			t.options.Say("  %v", err)
			continue
		}
		if _, err := t.table.Set(index, there); err != nil {
			return system, nil, err
		}
	}
	found, names := 0, []string{}
	for _, v := range t.table.Volumes() {
		if !t.holdsSystem(ctx, v) {
			continue
		}
		system = v
		found++
		names = append(names, fmt.Sprintf("%d,%d", v.Disk, v.Partition))
	}
	switch found {
	case 0:
		return system, nil, errors.New("no installed operating system was found on the machine's disks")
	case 1:
		return system, t.table.Volumes(), nil
	}
	return system, nil, fmt.Errorf("several partitions hold an operating system (%s): set OSDTargetSystemRoot to the one to capture, as disk,partition", strings.Join(names, " "))
}

func (t *Target) knows(index int) bool {
	for _, v := range t.table.Volumes() {
		if v.Disk == index {
			return true
		}
	}
	return false
}

func (t *Target) holdsSystem(ctx context.Context, v disk.Volume) bool {
	switch v.FileSystem {
	case disk.EXT4, disk.XFS, disk.BTRFS, disk.NTFS:
	default:
		return false
	}
	dir, err := t.mount(ctx, v)
	if err != nil {
		t.options.Say("  %v", err)
		return false
	}
	return apply.HoldsLinux(dir) || apply.HoldsWindowsSystem(dir)
}

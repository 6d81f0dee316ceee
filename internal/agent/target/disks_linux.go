package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// disks is the engine's machine.Disks; it also carries the target's state through checkpoints.
type disks struct{ t *Target }

// State implements machine.Stateful.
func (d disks) State() (json.RawMessage, error) { return d.t.state() }

// Restore implements machine.Stateful.
func (d disks) Restore(state json.RawMessage) error { return d.t.restore(state) }

// Partition implements machine.Disks.
func (d disks) Partition(ctx context.Context, request machine.DiskRequest, progress machine.Progress) ([]machine.Volume, error) {
	t := d.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.unmountAll(ctx); err != nil {
		return nil, err
	}
	all, err := disk.List(ctx, t.options.System)
	if err != nil {
		return nil, err
	}
	targets := disk.Targets(all)
	chosen, err := disk.Choose(targets, request.Disk)
	if errors.Is(err, disk.ErrAmbiguous) {
		return nil, fmt.Errorf("%w: %w", machine.ErrAmbiguousDisk, err)
	}
	if err != nil {
		return nil, err
	}
	layout, err := layoutOf(request, t.options.Arch)
	if err != nil {
		return nil, err
	}
	plan, err := disk.NewPlan(layout, chosen.Size, chosen.SectorSize)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", chosen, err)
	}
	for _, warning := range plan.Warnings {
		t.options.Say("  %s", warning)
	}
	t.options.Say("  partitioning %s", chosen)
	progress(0, int64(len(plan.Extents)), "partitioning "+chosen.Path)
	t.data, t.system, t.fresh = "", "", nil
	made, err := disk.Writer{System: t.options.System, Protected: t.options.Protected}.Apply(ctx, chosen, plan)
	if err != nil {
		return nil, err
	}
	index := 0
	for i, candidate := range targets {
		if candidate.Path == chosen.Path {
			index = i
		}
	}
	if _, err := t.table.Set(index, made); err != nil {
		return nil, err
	}
	for _, v := range made {
		t.fresh = append(t.fresh, v.PARTUUID)
	}
	t.useForData(ctx)
	progress(int64(len(plan.Extents)), int64(len(plan.Extents)), "partitioned "+chosen.Path)
	volumes := make([]machine.Volume, 0, len(made))
	for _, v := range made {
		v.Disk = index
		volumes = append(volumes, volume(v))
	}
	return volumes, nil
}

func layoutOf(request machine.DiskRequest, arch string) (disk.Layout, error) {
	style, err := disk.ParseStyle(string(request.Style))
	if err != nil {
		return disk.Layout{}, err
	}
	layout := disk.Layout{Style: style, Arch: arch}
	for i, p := range request.Partitions {
		kind, err := disk.ParseType(string(p.Type))
		if err != nil {
			return disk.Layout{}, fmt.Errorf("partition %d: %w", i+1, err)
		}
		fs, err := disk.ParseFileSystem(p.FileSystem)
		if err != nil {
			return disk.Layout{}, fmt.Errorf("partition %d: %w", i+1, err)
		}
		wanted := disk.Partition{Type: kind, FileSystem: fs, Bootable: p.Bootable, QuickFormat: p.QuickFormat, Name: p.Name}
		switch {
		case p.Bytes > 0:
			wanted.Size = disk.Size{Value: uint64((p.Bytes + 1<<20 - 1) >> 20), Unit: disk.MB}
		case p.Percent > 0:
			wanted.Size = disk.Size{Value: uint64(p.Percent), Unit: disk.Percent}
		}
		layout.Partitions = append(layout.Partitions, wanted)
	}
	return layout, nil
}

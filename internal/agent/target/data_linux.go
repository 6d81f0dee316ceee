package target

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
)

// leastStaged is the smallest NTFS volume a part of which is worth having for the run's data, in bytes.
const leastStaged = 2 << 30

// useForData finds the volume on which the run's folder is to be (TS-117a): the largest with a Linux file system, which is
// where the operating system goes. Where there is none, a Windows that was applied holds the folder as in the model, and
// before that a part of the volume it will be on. Without any of these the run stays in RAM.
func (t *Target) useForData(ctx context.Context) {
	t.data = ""
	if t.staging != nil {
		return
	}
	best := t.largest(func(v disk.Volume) bool {
		return v.FileSystem == disk.EXT4 || v.FileSystem == disk.XFS || v.FileSystem == disk.BTRFS
	})
	if best == nil {
		best = t.largest(func(v disk.Volume) bool { return v.FileSystem == disk.NTFS && v.PARTUUID == t.system })
	}
	if best == nil {
		t.stage(ctx)
		return
	}
	dir, err := t.mount(ctx, *best)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, dataFolder), 0o700)
	}
	if err == nil {
		err = apply.Private(filepath.Join(dir, dataFolder))
	}
	if err != nil {
		t.options.Say("the run's data stays in memory: %v", err)
		return
	}
	t.data = best.PARTUUID
}

func (t *Target) largest(fits func(disk.Volume) bool) *disk.Volume {
	var best *disk.Volume
	volumes := t.table.Volumes()
	for i, v := range volumes {
		if fits(v) && (best == nil || v.Size > best.Size) {
			best = &volumes[i]
		}
	}
	return best
}

// stage makes room for the run's data on the largest volume for Windows that nothing was written to.
func (t *Target) stage(ctx context.Context) {
	v := t.largest(func(v disk.Volume) bool {
		return v.FileSystem == disk.NTFS && v.Size >= leastStaged && slices.Contains(t.fresh, v.PARTUUID)
	})
	if v == nil {
		return
	}
	staging, err := disk.Stage(ctx, *v, t.stagingDir())
	if err == nil {
		t.staging = &staging
		err = os.MkdirAll(filepath.Join(staging.Dir, dataFolder), 0o700)
	}
	if err != nil {
		t.options.Say("the run's data stays in memory: %v", err)
	}
}

func (t *Target) stagingDir() string { return filepath.Join(t.options.Mounts, "staging") }

// takeOver ends what an agent that was killed in this boot left mounted.
func (t *Target) takeOver(ctx context.Context) error {
	return disk.ReleaseLeft(ctx, t.options.System, t.options.Mounts, t.stagingDir())
}

// unstage gives the volume back as it was: formatted and empty.
func (t *Target) unstage(ctx context.Context) error {
	if t.staging == nil {
		return nil
	}
	v := t.staging.Volume
	if err := t.staging.Release(ctx); err != nil {
		return err
	}
	t.staging = nil
	uuid, err := disk.Format(ctx, v)
	if err != nil {
		return err
	}
	v.UUID = uuid
	return t.table.Update(v)
}

// written notes that there is something on a volume from now on, so that it is nobody's to use up.
func (t *Target) written(v disk.Volume) {
	t.fresh = slices.DeleteFunc(t.fresh, func(id string) bool { return id == v.PARTUUID })
}

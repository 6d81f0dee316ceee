package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
)

const (
	// maxSearched bounds the volumes that are looked at; machines with more are not what this is for.
	maxSearched = 64
	// probeTime bounds one look at a volume's type.
	probeTime = 15 * time.Second
)

// States implements agent.Target. Volumes are mounted for reading only; a journal that a reset left is replayed by the
// kernel all the same, without which the state could not be read.
func (t *Target) States(ctx context.Context, visit func(dir string)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	all, err := disk.List(ctx, t.options.System)
	if err != nil {
		return err
	}
	searched := 0
	for _, d := range disk.Targets(all) {
		for _, name := range append([]string{d.Name}, d.Partitions...) {
			if searched++; searched > maxSearched || ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
			kind := fileSystemOf(ctx, "/dev/"+name)
			if kind == "" {
				continue
			}
			if e := t.look(ctx, "/dev/"+name, kind, visit); e != nil {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

// look mounts one volume and shows the folders in question.
func (t *Target) look(ctx context.Context, device, kind string, visit func(dir string)) (err error) {
	dir := filepath.Join(t.options.Mounts, "search")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Mount(device, dir, kind, unix.MS_RDONLY|unix.MS_NOATIME|unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("look at %s (%s): %w", device, kind, err)
	}
	defer func() { err = errors.Join(err, disk.Unmount(ctx, dir)) }()
	for _, folder := range []string{filepath.Join(dataFolder, "State"), filepath.Join(apply.StateDir, "run")} {
		folder = filepath.Join(dir, folder)
		// A link could lead out of the volume into this system.
		if real, err := filepath.EvalSymlinks(folder); err == nil && real == folder {
			visit(folder)
		}
	}
	return nil
}

// fileSystemOf is the type of a volume that a run may have made; empty for any other.
func fileSystemOf(ctx context.Context, device string) string {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "blkid", "-p", "-o", "value", "-s", "TYPE", device).Output()
	if err != nil || len(out) > 64 {
		return "" // nothing that blkid knows
	}
	switch kind := strings.TrimSpace(string(bytes.TrimRight(out, "\n"))); kind {
	case "ext4", "xfs", "btrfs":
		return kind
	}
	return ""
}

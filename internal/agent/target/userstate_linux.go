package target

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/internal/agent/userstate"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// offline is the engine's machine.UserState of the boot environment: of an installed Linux that does not run.
type offline struct {
	userstate.Linux
	t *Target
}

// Capture implements machine.UserState. Volumes that the system's fstab mounts where people's files are belong to it; one
// that cannot be had fails the capture, for a state without homes would look like one.
func (o offline) Capture(ctx context.Context, w io.Writer, options machine.CaptureOptions, progress machine.Progress) (notes []string, err error) {
	t := o.t
	t.mu.Lock()
	defer t.mu.Unlock()
	system, _, err := t.systemToCapture(ctx, options.Target)
	if err != nil {
		return nil, err
	}
	dir, err := t.mount(ctx, system)
	if err != nil {
		return nil, err
	}
	if !apply.HoldsLinux(dir) {
		return nil, fmt.Errorf("disk %d, partition %d holds no Linux; the state of a Windows is captured in WinPE, by scanstate", system.Disk, system.Partition)
	}
	linux := userstate.Linux{Root: dir}
	places, err := linux.Places(options)
	if err != nil {
		return nil, err
	}
	undo, err := t.mountBelow(ctx, dir, places)
	defer func() { err = errors.Join(err, undo()) }()
	if err != nil {
		return nil, err
	}
	notes, err = linux.Capture(ctx, w, options, progress)
	return append([]string{fmt.Sprintf("captured from disk %d, partition %d (%s), which does not run", system.Disk, system.Partition, system.Device)}, notes...), err
}

// Restore implements machine.UserState.
func (offline) Restore(context.Context, io.Reader, machine.RestoreOptions, machine.Progress) ([]string, error) {
	return nil, errors.New("user state is restored in the system that runs, not in the boot environment")
}

// fstabMount is a line of fstab that a capture needs.
type fstabMount struct{ source, folder, options string }

// mountBelow mounts the volumes of the system below root that hold the places. undo takes them off again; it is never nil.
func (t *Target) mountBelow(ctx context.Context, root string, places []string) (undo func() error, err error) {
	var mounted []string
	undo = func() error {
		var err error
		for _, dir := range slices.Backward(mounted) {
			err = errors.Join(err, disk.Unmount(context.WithoutCancel(ctx), dir))
		}
		return err
	}
	lines, err := readFstab(root)
	if err != nil {
		return undo, err
	}
	for _, m := range lines {
		if !slices.ContainsFunc(places, func(p string) bool { return within(p, m.folder) || within(m.folder, p) }) {
			continue
		}
		fail := func(format string, args ...any) (func() error, error) {
			return undo, fmt.Errorf("/etc/fstab of the system mounts %s on %s, where people's files are: %s", m.source, m.folder, fmt.Sprintf(format, args...))
		}
		if strings.Contains(m.options, "subvol") {
			return fail("subvolumes cannot be captured; capture in the running system")
		}
		v := t.bySource(m.source)
		if v == nil {
			return fail("no disk here has it; capture in the running system")
		}
		dir, err := inside(root, m.folder)
		if err != nil {
			return fail("%v", err)
		}
		if err := disk.Mount(ctx, *v, dir); err != nil {
			return fail("%v", err)
		}
		mounted = append(mounted, dir)
	}
	return undo, nil
}

// within says whether path is folder or lies in it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

const maxFstab = 1 << 20

// readFstab lists what the system below root mounts besides itself and what is no volume. A system without the file mounts
// nothing.
func readFstab(dir string) ([]fstabMount, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open("etc/fstab")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read /etc/fstab of the system: %w", err)
	}
	defer f.Close()
	var out []fstabMount
	lines := bufio.NewScanner(io.LimitReader(f, maxFstab))
	for lines.Scan() {
		field := strings.Fields(lines.Text())
		if len(field) < 3 || strings.HasPrefix(field[0], "#") || !path.IsAbs(field[1]) || path.Clean(field[1]) == "/" {
			continue
		}
		switch field[2] {
		case "tmpfs", "proc", "sysfs", "devpts", "swap", "overlay":
			continue
		}
		m := fstabMount{source: field[0], folder: path.Clean(strings.ReplaceAll(field[1], `\040`, " "))}
		if len(field) > 3 {
			m.options = field[3]
		}
		out = append(out, m)
	}
	return out, lines.Err()
}

// bySource finds the volume that a line of fstab names; device names of another system say nothing here.
func (t *Target) bySource(source string) *disk.Volume {
	key, value, _ := strings.Cut(source, "=")
	value = strings.Trim(value, `"`)
	for _, v := range t.table.Volumes() {
		has := map[string]string{"UUID": v.UUID, "PARTUUID": v.PARTUUID, "LABEL": v.Label}[key]
		if value != "" && strings.EqualFold(has, value) {
			return &v
		}
	}
	return nil
}

// inside is a folder of the system as it is seen here. Links on the way could lead out of the system, so there may be none.
func inside(root, folder string) (string, error) {
	at := root
	for part := range strings.SplitSeq(strings.Trim(folder, "/"), "/") {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		if err != nil {
			return "", err
		}
		if !info.IsDir() {
			return "", fmt.Errorf("%s is no folder there", strings.TrimPrefix(at, root))
		}
	}
	return at, nil
}

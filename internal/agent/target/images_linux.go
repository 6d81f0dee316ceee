package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// images is the engine's machine.Images.
type images struct{ t *Target }

// Apply implements machine.Images. Repeating it is safe: it begins by emptying the volume.
func (i images) Apply(ctx context.Context, request machine.ApplyRequest, progress machine.Progress) (machine.Applied, error) {
	t := i.t
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted := machine.Volume{Disk: request.Target.Disk, Partition: request.Target.Partition}
	if request.Target.Volume != nil {
		wanted = *request.Target.Volume
	}
	v, err := t.find(wanted)
	if err != nil {
		return machine.Applied{}, err
	}
	image, format, err := findImage(request.Dir)
	if err != nil {
		return machine.Applied{}, fmt.Errorf("package %s: %w", request.PackageID, err)
	}
	dir, err := t.mount(ctx, v)
	if err != nil {
		return machine.Applied{}, err
	}
	t.installed = nil
	result, err := apply.Extract(ctx, image, format, dir, apply.Options{
		Volume: fmt.Sprintf("%s (%s)", wanted.Letter, v.Device), Image: metadata(image), Preserve: []string{dataFolder},
		Progress: func(done, total int64) { progress(done, total, "applying "+filepath.Base(image)) },
	})
	if err != nil {
		return machine.Applied{}, err
	}
	for _, warning := range result.Warnings {
		t.options.Say("  %s", warning)
	}
	if request.Bootable {
		progress(0, 0, "making it bootable")
		if err := t.makeBootable(ctx, v, dir, request.ComputerName); err != nil {
			return machine.Applied{}, err
		}
		t.system = v.PARTUUID
	}
	return machine.Applied{Volume: volume(v), Description: fmt.Sprintf("%d files, %s", result.Entries, disk.FormatSize(result.Bytes))}, nil
}

func (t *Target) makeBootable(ctx context.Context, v disk.Volume, dir, name string) error {
	if err := apply.MakeUnique(ctx, dir, apply.Identity{HostName: name}); err != nil {
		return err
	}
	warnings, err := apply.MakeBootable(ctx, t.applied(v, dir))
	for _, warning := range warnings {
		t.options.Say("  %s", warning)
	}
	return err
}

// applied is the target of package apply for an operating system on v, which is mounted at dir.
func (t *Target) applied(v disk.Volume, dir string) apply.Target {
	a := apply.Target{Dir: dir, Root: v, Swaps: t.table.Swaps(v.Disk), Firmware: apply.Firmware(t.options.Firmware), Arch: t.options.Arch}
	if esp, ok := t.table.ESP(v.Disk); ok {
		a.ESP = &esp
	}
	return a
}

// maxMetadata bounds the file beside an image.
const maxMetadata = 16 << 20

// metadata is what the builder of an image wrote beside it (images/osimage.MetadataFile); nothing of it is required. The
// package as a whole was checked against its hashes.
func metadata(image string) apply.Metadata {
	name := filepath.Join(filepath.Dir(image), "image.json")
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxMetadata {
		return apply.Metadata{}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return apply.Metadata{}
	}
	var m struct {
		Unpacked int64 `json:"unpacked"` // bytes
		Files    int64 `json:"files"`
	}
	if json.Unmarshal(data, &m) != nil || m.Unpacked < 0 || m.Files < 0 || m.Files > 1<<40 || m.Unpacked > 1<<60 {
		return apply.Metadata{}
	}
	return apply.Metadata{Bytes: m.Unpacked, Files: m.Files}
}

// findImage returns the one file of a package that is an image.
func findImage(dir string) (name string, format apply.Format, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		f, err := apply.DetectFormat(path)
		if errors.Is(err, apply.ErrFormat) {
			return nil
		}
		if err != nil {
			return err
		}
		if name != "" {
			return fmt.Errorf("it holds two images, %s and %s: import each as an image of its own", filepath.Base(name), filepath.Base(path))
		}
		name, format = path, f
		return nil
	})
	if err == nil && name == "" {
		if _, statErr := os.Stat(dir); statErr != nil {
			return "", "", statErr
		}
		err = fmt.Errorf("it holds no image that can be applied (tar, tar.gz, tar.zst, squashfs)")
	}
	return name, format, err
}

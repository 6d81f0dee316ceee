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
	image, format, err := findImage(request.Dir)
	if err != nil {
		return machine.Applied{}, fmt.Errorf("package %s: %w", request.PackageID, err)
	}
	w := work{request: request, image: image, format: format, progress: progress}
	if format.Blocks() {
		whole, err := apply.HoldsDisk(image)
		if err != nil {
			return machine.Applied{}, err
		}
		if whole {
			return t.applyDisk(ctx, w)
		}
	}
	if request.Target.Volume == nil && request.Target.Partition == 0 {
		return machine.Applied{}, fmt.Errorf("the image %s is for one partition, and there is no formatted partition without an image left; put a Format and Partition Disk step before this one or name the destination", filepath.Base(image))
	}
	v, adopted, err := t.place(ctx, request.Target)
	if err != nil {
		return machine.Applied{}, err
	}
	var boot disk.Volume
	if w.windows(); request.Bootable && w.isWindows {
		if boot, err = t.windowsBoot(ctx, &w, v); err != nil {
			return machine.Applied{}, err
		}
	}
	t.installed = nil
	switch {
	case format.Blocks():
		v, err = t.applyBlocks(ctx, w, v)
	case v.FileSystem == disk.NTFS && format == apply.FormatWIM:
		err = t.applyNTFS(ctx, w, &v)
	default:
		err = t.applyFiles(ctx, w, v)
	}
	if err != nil {
		return machine.Applied{}, err
	}
	if request.Bootable {
		progress(0, 0, "making it bootable")
		if w.isWindows {
			err = t.bootWindows(ctx, &w, v, boot)
		} else {
			err = t.makeBootable(ctx, v, request.ComputerName)
		}
		if err != nil {
			return machine.Applied{}, err
		}
		t.system = v.PARTUUID
	}
	if v.FileSystem == disk.NTFS {
		t.useForData(ctx) // what the image took the place of (TS-117a)
	}
	applied := machine.Applied{Volume: volume(v), Description: w.done}
	for _, a := range adopted {
		applied.Volumes = append(applied.Volumes, volume(a))
	}
	return applied, nil
}

// work is one image on its way to a disk.
type work struct {
	request   machine.ApplyRequest
	image     string
	format    apply.Format
	progress  machine.Progress
	isWindows bool
	product   string // of Windows
	done      string // in words, for status
}

func (w *work) windows() {
	if w.format == apply.FormatWIM {
		w.product, w.isWindows, _ = apply.HoldsWindows(w.image, w.request.Index) // a wrong index is told when it is applied
	}
}

func (w *work) options(v disk.Volume) apply.Options {
	return apply.Options{
		Volume: fmt.Sprintf("disk %d, partition %d (%s)", v.Disk, v.Partition, v.Device), Image: metadata(w.image), Index: w.request.Index, Keep: w.request.Keep,
		Progress: func(done, total int64) { w.progress(done, total, "applying "+filepath.Base(w.image)) },
	}
}

// applyFiles writes a file-level image through the mounted file system.
func (t *Target) applyFiles(ctx context.Context, w work, v disk.Volume) error {
	dir, err := t.mount(ctx, v)
	if err != nil {
		return err
	}
	options := w.options(v)
	options.Preserve = preserved(dir, w.request.Preserve)
	result, err := apply.Extract(ctx, w.image, w.format, dir, options)
	if err != nil {
		return err
	}
	for _, warning := range result.Warnings {
		t.options.Say("  %s", warning)
	}
	t.options.Say("  %d files, %s", result.Entries, disk.FormatSize(result.Bytes))
	return nil
}

// preserved are the folders of the volume mounted at dir that stay: the run's own and the user state's (TS-117).
func preserved(dir string, wanted []string) []string {
	keep := []string{dataFolder}
	for _, name := range wanted {
		if filepath.IsAbs(name) {
			rel, err := filepath.Rel(dir, name)
			if err != nil {
				continue
			}
			name = rel
		}
		if name = filepath.Clean(name); filepath.IsLocal(name) && name != "." {
			keep = append(keep, name)
		}
	}
	return keep
}

func (t *Target) makeBootable(ctx context.Context, v disk.Volume, name string) error {
	dir, err := t.mount(ctx, v)
	if err != nil {
		return err
	}
	if err := makeUnique(ctx, dir, name); err != nil {
		return err
	}
	warnings, err := apply.MakeBootable(ctx, t.applied(v, dir))
	for _, warning := range warnings {
		t.options.Say("  %s", warning)
	}
	return err
}

// makeUnique takes from an applied image what was of the machine it was made on.
func makeUnique(ctx context.Context, dir, name string) error {
	if err := apply.ForgetAgent(dir); err != nil {
		return err
	}
	return apply.MakeUnique(ctx, dir, apply.Identity{HostName: name})
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

// findImage returns the one file of a package that is an image. Of a split WIM it is the first part.
func findImage(dir string) (name string, format apply.Format, err error) {
	sets := map[string]bool{}
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
		if f == apply.FormatWIM {
			set, part, parts, err := apply.WIMPart(path)
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(path), err)
			}
			known := sets[set]
			sets[set] = parts > 1
			if part > 1 && (known || name == "") || known && part == 1 && name == "" {
				if part == 1 {
					name, format = path, f
				}
				return nil
			}
			if part > 1 {
				return fmt.Errorf("it holds %s and a part of another WIM, %s: import each as an image of its own", filepath.Base(name), filepath.Base(path))
			}
		}
		if name != "" {
			return fmt.Errorf("it holds two images, %s and %s: import each as an image of its own", filepath.Base(name), filepath.Base(path))
		}
		name, format = path, f
		return nil
	})
	if err == nil && name == "" {
		switch _, statErr := os.Stat(dir); {
		case statErr != nil:
			return "", "", statErr
		case len(sets) > 0:
			return "", "", errors.New("it holds parts of a split WIM and not the first; put all of them into one package")
		}
		err = fmt.Errorf("it holds no image that can be applied (tar and raw, also .zst, .gz, .xz; squashfs, WIM, qcow2)")
	}
	return name, format, err
}

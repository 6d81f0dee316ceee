package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/internal/watch"
	"github.com/bootyard/bootyard/images/internal/wim"
)

// extractSquashFS uses unsquashfs, which checks names itself and is the only
// reader of the format that keeps everything.
func extractSquashFS(ctx context.Context, path, root string, opts Options) (Result, error) {
	return extractByTool(ctx, root, opts, func(k keep) error {
		args := []string{"-no-progress", "-quiet", "-force", "-dest", root}
		if len(k.paths) == 0 {
			_, err := run(ctx, toolTimeout, nil, "unsquashfs", append(args, path)...)
			return err
		}
		_, err := run(ctx, toolTimeout, nil, "unsquashfs", append(append(args, "-excludes", path), k.paths...)...)
		return err
	})
}

// extractWIM uses wimlib. Owners, modes, special files and extended attributes
// of a Linux system are in the WIM as wimlib's UNIX data.
func extractWIM(ctx context.Context, path, root string, opts Options) (Result, error) {
	return extractByTool(ctx, root, opts, func(k keep) error {
		for _, p := range k.paths {
			if err := wimLacks(ctx, path, opts.Index, p); err != nil {
				return err
			}
		}
		_, err := run(ctx, toolTimeout, nil, "wimlib-imagex", wimArgs(path, opts.Index, root, "--unix-data")...)
		return err
	})
}

// ApplyNTFS applies a WIM to an NTFS volume that is not mounted, by wimlib's own
// NTFS driver: that alone keeps Windows' security descriptors, streams, short
// names and reparse points. The volume is formatted anew before by the caller; it
// must be empty or its files give way.
func ApplyNTFS(ctx context.Context, path, device string, opts Options) error {
	image, err := wimSize(path, opts.Index)
	if err == nil {
		var size int64
		if size, err = deviceSize(device); err == nil {
			err = Check(image, opts.Volume, min(size, cmp.Or(opts.Room, size)))
		}
	}
	if err == nil {
		_, err = run(ctx, toolTimeout, nil, "wimlib-imagex", wimArgs(path, opts.Index, device)...)
	}
	if err != nil {
		return fmt.Errorf("apply image to %s: %w", opts.Volume, err)
	}
	return nil
}

func wimArgs(path string, index int, target string, options ...string) []string {
	args := append([]string{"apply", path, fmt.Sprint(max(1, index)), target}, options...)
	for _, part := range wimParts(path) {
		args = append(args, "--ref="+part)
	}
	return args
}

// wimParts are the other parts of a split WIM, beside the first, as patterns that
// match these files only.
func wimParts(path string) []string {
	first, err := wimInfo(path)
	if err != nil || first.Parts == 1 {
		return nil
	}
	names, _ := filepath.Glob(filepath.Join(globQuote(filepath.Dir(path)), "*"))
	var parts []string
	for _, name := range names {
		if info, err := wimInfo(name); name != path && err == nil && info.GUID == first.GUID {
			parts = append(parts, globQuote(name))
		}
	}
	return parts
}

func globQuote(s string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]", `\`, `\\`).Replace(s)
}

func wimInfo(path string) (wim.Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return wim.Info{}, err
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return wim.Info{}, errors.Join(err, wim.ErrFormat)
	}
	return wim.Read(f, info.Size())
}

// WIMPart says which part of a split WIM a file is, and of how many; 1 of 1 when
// it is not split. Parts of one WIM have the same set.
func WIMPart(path string) (set string, part, parts int, err error) {
	info, err := wimInfo(path)
	return string(info.GUID[:]), info.Part, info.Parts, err
}

// HoldsWindows says whether an image of a WIM is a system of Windows, and its name for people.
func HoldsWindows(path string, index int) (product string, is bool, err error) {
	info, err := wimInfo(path)
	if err != nil {
		return "", false, err
	}
	image, err := info.Find(max(1, index))
	if image.Windows == nil {
		return "", false, err
	}
	return cmp.Or(image.DisplayName, image.Name, image.Windows.Product), true, err
}

// wimSize is what an image of a WIM needs, checked with all parts there.
func wimSize(path string, index int) (Metadata, error) {
	info, err := wimInfo(path)
	if err != nil {
		return Metadata{}, err
	}
	if info.Part != 1 {
		return Metadata{}, fmt.Errorf("it is part %d of %d of a split WIM; give the first", info.Part, info.Parts)
	}
	if have := 1 + len(wimParts(path)); have != info.Parts {
		return Metadata{}, fmt.Errorf("the WIM is split into %d parts and %d are there; put all into one package", info.Parts, have)
	}
	image, err := info.Find(max(1, index))
	return Metadata{Bytes: max(0, image.Bytes-image.HardLinked), Files: image.Files + image.Folders}, err
}

// wimLacks makes sure that an image does not hold a folder that is to stay as it is.
func wimLacks(ctx context.Context, path string, index int, name string) error {
	args := []string{"dir", path, fmt.Sprint(max(1, index)), "--path=/" + name}
	for _, part := range wimParts(path) {
		args = append(args, "--ref="+part)
	}
	if _, err := run(ctx, toolTimeout, nil, "wimlib-imagex", args...); err == nil {
		return fmt.Errorf("the image holds /%s, which has to stay as it is; capture the image without it", name)
	}
	return nil
}

// extractByTool clears the volume and lets a tool write, with progress by how full the volume is.
func extractByTool(ctx context.Context, root string, opts Options, work func(keep) error) (Result, error) {
	fail := func(err error) error { return fmt.Errorf("apply image to %s: %w", opts.Volume, err) }
	dir, k, err := openVolume(ctx, root, opts)
	if err != nil {
		return Result{}, fail(err)
	}
	defer func() { _ = dir.Close() }() // a folder, nothing is written through it
	before, err := statfs(root)
	if err != nil {
		return Result{}, fail(err)
	}
	stop := watch.Start(opts.Progress, opts.Image.Bytes, func() (int64, error) {
		now, err := statfs(root)
		return (int64(before.Bfree) - int64(now.Bfree)) * now.Bsize, err
	})
	err = work(k)
	stop()
	after, statErr := statfs(root)
	if err == nil {
		err = statErr
	}
	if err != nil && statErr == nil && (after.Bavail == 0 || after.Ffree == 0 && after.Files > 0) {
		err = &NoSpaceError{Volume: opts.Volume, Needed: opts.Image.need(), Available: int64(after.Blocks) * after.Bsize, Entry: "an unknown file", Err: err}
	}
	if err == nil {
		err = syncVolume(root)
	}
	if err != nil {
		return Result{}, fail(err)
	}
	res := Result{Entries: int64(before.Ffree) - int64(after.Ffree), Bytes: (int64(before.Bfree) - int64(after.Bfree)) * after.Bsize}
	if opts.Progress != nil {
		total := max(opts.Image.Bytes, res.Bytes, 1)
		opts.Progress(total, total)
	}
	return Result{Entries: max(0, res.Entries), Bytes: max(0, res.Bytes)}, nil
}

func statfs(root string) (unix.Statfs_t, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		return st, fmt.Errorf("ask for the space of %s: %w", root, err)
	}
	return st, nil
}

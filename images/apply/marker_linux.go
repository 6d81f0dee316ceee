package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootyard/bootyard/images/disk"
)

// Where the run marker lies (MED-25), relative to its volume. A boot medium's
// GRUB looks for both by name, so they never change.
const (
	MarkerOnESP  = "bootyard/pending.run"
	MarkerOnRoot = "boot/bootyard/pending.run"
)

// DeployedMark on the EFI system partition stays there: a network loader knows
// by it which disk bootyard deployed (PXE-15a). It never changes either.
const DeployedMark = "EFI/bootyard/deployed"

// WriteMarker marks the disk as holding a run in progress: on the EFI system
// partition when the target has one, which it mounts for that time, else on the
// root volume. The file holds the run's id and a line feed.
func WriteMarker(ctx context.Context, t Target, runID string) (err error) {
	if runID == "" || len(runID) > 64 || strings.ContainsFunc(runID, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return fmt.Errorf("write run marker: run id %.80q is not valid", runID)
	}
	dir, name := t.Dir, MarkerOnRoot
	if t.ESP != nil {
		name = MarkerOnESP
		if dir, err = os.MkdirTemp("", "bootyard-esp-"); err != nil {
			return fmt.Errorf("write run marker: %w", err)
		}
		defer func() { err = errors.Join(err, os.Remove(dir)) }()
		if err := disk.Mount(ctx, *t.ESP, dir); err != nil {
			return fmt.Errorf("write run marker: %w", err)
		}
		defer func() { err = errors.Join(err, disk.Unmount(context.WithoutCancel(ctx), dir)) }()
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write run marker: %w", err)
	}
	name, _ = Fold(root, name) // Windows has a folder Boot, which must not get a twin
	err = errors.Join(writeFile(root, name, []byte(runID+"\n"), 0o644), root.Close())
	if err != nil {
		return fmt.Errorf("write run marker: %w", err)
	}
	return nil
}

// ExpireMarker takes a marker away that is older than age, or from the future:
// a clock that was wrong must not keep it for ever.
func ExpireMarker(dir string, age time.Duration, now time.Time) error {
	for _, name := range []string{MarkerOnRoot, "boot/efi/" + MarkerOnESP, "efi/" + MarkerOnESP, "boot/" + MarkerOnESP} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err == nil && (now.Sub(info.ModTime()) > age || info.ModTime().Sub(now) > 24*time.Hour) {
			return RemoveMarker(dir)
		}
	}
	return nil
}

// RemoveMarker takes the marker away at the end of a run, in the installed OS:
// dir is its root. The ESP is looked for where systems mount it. A marker that
// is not there is no error.
func RemoveMarker(dir string) error {
	var errs []error
	for _, place := range []struct{ at, name string }{
		{"", MarkerOnRoot}, {"boot/efi", MarkerOnESP}, {"efi", MarkerOnESP}, {"boot", MarkerOnESP},
	} {
		root, err := os.OpenRoot(filepath.Join(dir, place.at))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := root.Lstat(place.name); err == nil {
			errs = append(errs, root.Remove(place.name), syncDir(root, filepath.Dir(place.name)))
		}
		errs = append(errs, root.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove run marker: %w", err)
	}
	return nil
}

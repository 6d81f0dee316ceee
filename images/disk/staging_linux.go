package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// stagingAlign is what the border inside a volume is rounded down to, in bytes.
const stagingAlign = 1 << 20

// Staging is a file system for a run's data in the last third of a volume that is
// formatted NTFS and empty so far: a machine that gets nothing but Windows has no
// other place for an image that is larger than its memory. NTFS itself cannot hold
// it, because the image is written by a driver that wants the volume for itself.
// While there is a Staging, the file system of the volume is not valid: it is made
// anew over the first part (FormatFront), filled, and grown over the rest when the
// Staging has been released.
type Staging struct {
	Volume Volume
	Dir    string // where it is mounted
	Front  int64  // bytes of the volume before it
	loop   string
}

// Stage makes a Staging on a volume and mounts it on a folder.
func Stage(ctx context.Context, v Volume, dir string) (s Staging, err error) {
	fail := func(err error) (Staging, error) {
		return Staging{}, fmt.Errorf("make room for the run on %s: %w", v.Device, err)
	}
	s = Staging{Volume: v, Dir: dir, Front: v.Size / 3 * 2 / stagingAlign * stagingAlign}
	s.loop, err = run(ctx, tableTimeout, "", "losetup", "--find", "--show", "--offset", strconv.FormatInt(s.Front, 10), v.Device)
	if err != nil {
		return fail(err)
	}
	part := Volume{Device: s.loop, FileSystem: EXT4, Label: "bootyard-run"}
	if _, err = makeFileSystem(ctx, part); err == nil {
		err = Mount(ctx, part, dir)
	}
	if err != nil {
		return fail(errors.Join(err, s.detach(ctx)))
	}
	return s, nil
}

// Release takes the Staging away with all it holds. After an error it may be called again, and does what was not done.
func (s Staging) Release(ctx context.Context) error {
	return errors.Join(Unmount(ctx, s.Dir), s.detach(ctx))
}

// detach overwrites the file system's first blocks too, so that nobody finds it again inside the volume.
func (s Staging) detach(ctx context.Context) error {
	attached, err := s.attached()
	if attached {
		_, err = run(ctx, tableTimeout, "", "losetup", "--detach", s.loop)
	}
	f, openErr := os.OpenFile(s.Volume.Device, os.O_WRONLY|unix.O_CLOEXEC, 0)
	if openErr == nil {
		_, openErr = f.WriteAt(make([]byte, stagingAlign), s.Front)
		openErr = errors.Join(openErr, f.Close())
	}
	return errors.Join(err, openErr)
}

// attached says whether the loop device still is that of the Staging, and not free or another's since an earlier try.
func (s Staging) attached() (bool, error) {
	about := filepath.Join("/sys/block", filepath.Base(s.loop), "loop")
	file, err := os.ReadFile(filepath.Join(about, "backing_file"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENXIO) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find what %s is for: %w", s.loop, err)
	}
	offset, err := os.ReadFile(filepath.Join(about, "offset"))
	if err != nil {
		return false, fmt.Errorf("find what %s is for: %w", s.loop, err)
	}
	device, err := filepath.EvalSymlinks(s.Volume.Device)
	if err != nil {
		return false, fmt.Errorf("find what %s is for: %w", s.loop, err)
	}
	return strings.TrimSpace(string(file)) == device && strings.TrimSpace(string(offset)) == strconv.FormatInt(s.Front, 10), nil
}

// ReleaseLeft takes away what a process that was killed left mounted below a folder, and a Staging at dir there: its loop
// device would write into the file system that the next Staging makes in the same place.
func ReleaseLeft(ctx context.Context, sys System, below, dir string) error {
	mounts := readMounts(sys)
	var err error
	for _, m := range slices.Backward(mounts) {
		if !strings.HasPrefix(m.point, below+"/") {
			continue
		}
		err = errors.Join(err, Unmount(ctx, m.point))
		if m.point == dir {
			_, more := run(ctx, tableTimeout, "", "losetup", "--detach", m.source)
			err = errors.Join(err, more)
		}
	}
	if err != nil {
		return fmt.Errorf("take away what is left below %s: %w", below, err)
	}
	return nil
}

// FormatFront makes NTFS on the first bytes of a volume and returns its identifier.
func FormatFront(ctx context.Context, v Volume, bytes int64) (uuid string, err error) {
	if v.FileSystem != NTFS || bytes <= 0 || bytes > v.Size {
		return "", fmt.Errorf("make a file system on %d bytes of %s (%s): that is for NTFS within the volume", bytes, v.Device, v.FileSystem)
	}
	v.front = bytes
	return Format(ctx, v)
}

// ClearDirty takes back the order to check an NTFS at the next start of Windows, which resizing gives: what was written a
// moment ago needs none.
func ClearDirty(ctx context.Context, v Volume) error {
	if _, err := run(ctx, mkfsTimeout, "", "ntfsfix", "--clear-dirty", v.Device); err != nil {
		return fmt.Errorf("mark %s as clean: %w", v.Device, err)
	}
	return nil
}

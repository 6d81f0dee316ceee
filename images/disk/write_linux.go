package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse says that a disk is mounted, used for swap or part of another device.
var ErrInUse = errors.New("disk is in use")

const (
	tableTimeout = 30 * time.Second
	nodeTimeout  = 10 * time.Second
	mkfsTimeout  = 10 * time.Minute // a slow disk of many terabytes
	wipeEdge     = 4 << 20          // holds every signature that is looked for: GPT, md, LVM, ZFS labels, file systems
)

// Writer puts plans on disks. The zero value works on this machine.
type Writer struct {
	System System
	// Protected are paths whose disk must not be written, such as the folder
	// with the run's content. Paths that do not exist protect nothing.
	Protected []string
}

// Apply wipes the disk, writes the partition table, makes the file systems and
// returns the volumes in the order of the plan, without letters: VolumeTable.Set
// gives them. Nothing is written before the disk is known to be unused, to have
// the size of the plan, and before every tool that the plan needs is there. An
// error after that leaves a disk without valid content; repeating is safe.
func (w Writer) Apply(ctx context.Context, d Disk, p Plan) ([]Volume, error) {
	if err := w.check(d, p); err != nil {
		return nil, fmt.Errorf("partition %s: %w", d, err)
	}
	if err := checkTools(p); err != nil {
		return nil, fmt.Errorf("partition %s: nothing was written: %w", d, err)
	}
	id, err := newIdentity(p)
	if err != nil {
		return nil, err
	}
	if err := wipe(ctx, d, p); err != nil {
		return nil, fmt.Errorf("wipe %s: %w", d, err)
	}
	// The kernel is told afterwards by tellKernel, which works as well on a
	// kernel that cannot read this kind of table.
	_, err = run(ctx, tableTimeout, script(p, id), "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel",
		"--wipe", "always", "--wipe-partitions", "always", d.Path)
	if err != nil {
		return nil, fmt.Errorf("write partition table of %s: %w", d, err)
	}
	if err := tellKernel(w.System, d, p); err != nil {
		return nil, fmt.Errorf("tell the kernel about the partitions of %s: %w", d, err)
	}
	volumes := make([]Volume, 0, len(p.Extents))
	for i, e := range p.Extents {
		v := Volume{Partition: e.Index, Number: e.Number, Device: partitionNode(d.Path, e.Number), PARTUUID: id.partUUID[i],
			Type: e.Type, FileSystem: e.FileSystem, Label: e.Name, Size: p.Bytes(e), letterVariable: e.LetterVariable, wantsLetter: e.wantsLetter()}
		v.DiskPath, v.DiskSerial, v.DiskModel = d.Path, d.Serial, d.Model
		if err := waitNode(ctx, v.Device); err != nil {
			return nil, err
		}
		if v.UUID, err = makeFileSystem(ctx, v); err != nil {
			return nil, fmt.Errorf("make %s on partition %d (%s): %w", e.FileSystem, e.Index, v.Device, err)
		}
		volumes = append(volumes, v)
	}
	if err := syncDevice(d.Path); err != nil {
		return nil, fmt.Errorf("partition %s: %w", d, err)
	}
	return volumes, nil
}

func (w Writer) check(d Disk, p Plan) error {
	if d.Excluded != "" {
		return fmt.Errorf("it is no target: %s", d.Excluded)
	}
	now, err := Lookup(w.System, d.Path)
	if err != nil {
		return err
	}
	if now.Size != p.DiskBytes || now.SectorSize != p.SectorSize || now.Size != d.Size {
		return fmt.Errorf("the plan is for a disk of %d bytes and this one has %d; plan again", p.DiskBytes, now.Size)
	}
	if len(now.Mounted) > 0 {
		return fmt.Errorf("%w: mounted on %v; nothing was written; unmount it first", ErrInUse, now.Mounted)
	}
	if len(now.Holders) > 0 {
		return fmt.Errorf("%w: part of %v; nothing was written; stop that device first", ErrInUse, now.Holders)
	}
	for _, path := range w.Protected {
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil {
			continue
		}
		number := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
		numbers := []string{now.Number}
		for _, name := range now.Partitions {
			numbers = append(numbers, deviceNumber(w.System, name))
		}
		for _, n := range numbers {
			if n == number {
				return fmt.Errorf("%w: it holds %s; nothing was written", ErrInUse, path)
			}
		}
	}
	return nil
}

// wipe clears the places where old signatures may be: both ends of the disk, of
// every old partition and of every new one. Otherwise an old file system, md or
// LVM member can show through the new layout. O_EXCL is the kernel's own word
// that nobody uses the disk.
func wipe(ctx context.Context, d Disk, p Plan) (err error) {
	f, err := os.OpenFile(d.Path, os.O_RDWR|unix.O_EXCL, 0)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w: the kernel says that somebody holds it; nothing was written", ErrInUse)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	type area struct{ start, size int64 }
	areas := []area{{0, d.Size}}
	for _, e := range p.Extents {
		areas = append(areas, area{int64(e.Start) * int64(p.SectorSize), p.Bytes(e)})
	}
	for _, name := range d.Partitions {
		start, err1 := strconv.ParseInt(readAttr("/sys/class/block", name+"/start"), 10, 64)
		size, err2 := strconv.ParseInt(readAttr("/sys/class/block", name+"/size"), 10, 64)
		if err1 == nil && err2 == nil && start >= 0 && size >= 0 && (start+size)*512 <= d.Size {
			areas = append(areas, area{start * 512, size * 512})
		}
	}
	zero := make([]byte, wipeEdge)
	for _, a := range areas {
		if err := ctx.Err(); err != nil {
			return err
		}
		head := min(a.size, wipeEdge)
		if _, err := f.WriteAt(zero[:head], a.start); err != nil {
			return err
		}
		if _, err := f.WriteAt(zero[:head], a.start+a.size-head); err != nil {
			return err
		}
	}
	return f.Sync()
}

// checkTools looks for everything the plan needs, so that a boot image without
// a tool fails before the disk is wiped.
func checkTools(p Plan) error {
	if err := lookTool("sfdisk"); err != nil {
		return err
	}
	for _, e := range p.Extents {
		if tool := formatTool(e.FileSystem); tool != "" {
			if err := lookTool(tool); err != nil {
				return fmt.Errorf("partition %d wants %s: %w", e.Index, e.FileSystem, err)
			}
		}
	}
	return nil
}

func syncDevice(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

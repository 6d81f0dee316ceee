package disk

import (
	"fmt"
)

const (
	align       = 1 << 20 // every partition starts and ends on 1 MiB
	gptTail     = 1 << 20 // room for the second GPT at the end of the disk (33 sectors)
	espSize     = 512 << 20
	mbrSectors  = 1 << 32 // an MBR entry counts sectors in 32 bits
	maxDisk     = 1 << 60
	extentParts = 4 // the first logical partition is number 5
)

// Extent is one partition of a Plan, in exact sectors.
type Extent struct {
	Partition
	Index  int    // from 1, in the order of the layout: the 2 of a destination "0,2"
	Number int    // number in the table; differs from Index for MBR's logical partitions
	Start  uint64 // first sector
	Size   uint64 // sectors
}

// Plan is a layout computed for one disk size. It holds no partition that does
// not fit.
type Plan struct {
	Style      Style
	Arch       string
	DiskBytes  int64
	SectorSize int
	Extents    []Extent
	Warnings   []string // what the administrator should know but need not change
}

// NewPlan computes where each partition of a layout goes on a disk of the given
// size. It is pure: the same input gives the same plan and nothing is touched.
// Partitions are laid in the order of the layout, aligned to 1 MiB, without
// gaps but those that the style needs; a percentage is of what is free at that
// point. The error names the first partition that does not fit.
func NewPlan(l Layout, diskBytes int64, sectorSize int) (Plan, error) {
	if sectorSize < 512 || sectorSize > 65536 || sectorSize&(sectorSize-1) != 0 {
		return Plan{}, fmt.Errorf("plan partitions: sector size %d is not a power of two from 512 to 65536", sectorSize)
	}
	if diskBytes < 0 || diskBytes > maxDisk {
		return Plan{}, fmt.Errorf("plan partitions: disk size %d is out of range", diskBytes)
	}
	l = l.withESP()
	if err := l.check(); err != nil {
		return Plan{}, fmt.Errorf("plan partitions: %w", err)
	}
	plan := Plan{Style: l.Style, Arch: l.Arch, DiskBytes: diskBytes, SectorSize: sectorSize}
	s := space{next: align, end: uint64(diskBytes)}
	if l.Style == GPT {
		s.end -= min(s.end, gptTail)
	} else if limit := uint64(mbrSectors) * uint64(sectorSize); s.end > limit {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("MBR reaches only the first %s of this disk; use GPT for all of it", FormatSize(int64(limit))))
		s.end = limit
	}
	s.end = s.end / align * align
	logical, slot, nextLogical := space{}, 0, extentParts
	for i, p := range l.Partitions {
		from, number := &s, 0
		if p.Type == Logical {
			from = &logical
			nextLogical++
			number = nextLogical
			from.next += min(from.free(), align) // the record that links logical partitions
		} else {
			slot++
			number = slot
		}
		start, size, err := from.take(p.Size)
		if err == nil {
			err = fits(p, size, sectorSize)
		}
		if err != nil {
			return Plan{}, fmt.Errorf("plan partitions: partition %d (%s) on a disk of %s: %w", i+1, p.label(), FormatSize(diskBytes), err)
		}
		if p.Type == Extended {
			logical = space{next: start, end: start + size}
		}
		plan.Extents = append(plan.Extents, Extent{Partition: p, Index: i + 1, Number: number,
			Start: start / uint64(sectorSize), Size: size / uint64(sectorSize)})
	}
	return plan, nil
}

// Bytes is the size of the partition in bytes on the plan's disk.
func (p Plan) Bytes(e Extent) int64 { return int64(e.Size) * int64(p.SectorSize) }

// withESP adds what OSDGPTBootDisk asks for, as first partition.
func (l Layout) withESP() Layout {
	if l.Style != GPT || !l.GPTBootDisk {
		return l
	}
	for _, p := range l.Partitions {
		if p.Type == EFI {
			return l
		}
	}
	esp := Partition{Type: EFI, FileSystem: FAT32, QuickFormat: true, Name: "EFI", Size: Size{Value: espSize >> 20, Unit: MB}, NoLetter: true}
	l.Partitions = append([]Partition{esp}, l.Partitions...)
	return l
}

// space is the run of bytes not yet given to a partition; both ends aligned.
type space struct {
	next, end uint64
}

func (s *space) free() uint64 {
	if s.next >= s.end {
		return 0
	}
	return s.end - s.next
}

func (s *space) take(want Size) (start, size uint64, err error) {
	free := s.free()
	switch {
	case want.Value == 0:
		size = free
	case want.Unit == Percent:
		// A hundredth first: free times percent may be beyond 64 bits for no disk
		// that exists, but this costs nothing.
		size = free/100*want.Value + free%100*want.Value/100
		size = size / align * align
	default:
		unit := uint64(1 << 20)
		if want.Unit == GB {
			unit = 1 << 30
		}
		if want.Value > free/unit {
			return 0, 0, fmt.Errorf("needs %d %s and %s is free; make it smaller, or give it no size to take what is left", want.Value, unitName(want.Unit), FormatSize(int64(free)))
		}
		size = want.Value * unit
	}
	if size == 0 {
		return 0, 0, fmt.Errorf("nothing is left for it (%s free); make the partitions before it smaller", FormatSize(int64(free)))
	}
	start = s.next
	s.next += size
	return start, size, nil
}

func unitName(u Unit) Unit {
	if u == "" {
		return MB
	}
	return u
}

// fits refuses partitions that a file system cannot be made on, so that the
// error comes before the disk is wiped.
func fits(p Partition, size uint64, sectorSize int) error {
	least := uint64(0)
	switch p.FileSystem {
	case FAT32:
		// FAT32 begins at 65525 clusters of at least one sector.
		least = (uint64(sectorSize)*65525/align + 2) * align
	case XFS:
		least = 300 << 20
	case BTRFS:
		least = 110 << 20
	case EXT4, NTFS:
		least = 2 << 20
	}
	if size < least {
		return fmt.Errorf("is %s and %s needs at least %s; make it larger", FormatSize(int64(size)), p.FileSystem, FormatSize(int64(least)))
	}
	return nil
}

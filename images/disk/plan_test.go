package disk_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bootyard/bootyard/images/disk"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

func mb(n uint64) disk.Size      { return disk.Size{Value: n, Unit: disk.MB} }
func percent(n uint64) disk.Size { return disk.Size{Value: n, Unit: disk.Percent} }

func TestPlanSizes(t *testing.T) {
	l := disk.Layout{Style: disk.GPT, Partitions: []disk.Partition{
		{Type: disk.BIOSBoot, Size: mb(1)},
		{Type: disk.EFI, FileSystem: disk.FAT32, Size: mb(254)},
		{Type: disk.Primary, FileSystem: disk.EXT4, Size: percent(50)},
		{Type: disk.Primary, FileSystem: disk.EXT4, Size: percent(50)},
		{Type: disk.Primary, FileSystem: disk.EXT4},
	}}
	// 1 MiB in front, 255 used, 1 behind: 768 MiB are left for the percentages.
	p, err := disk.NewPlan(l, gib+mib, 512)
	require.NoError(t, err)
	var got []int64
	for _, e := range p.Extents {
		got = append(got, p.Bytes(e)/mib)
	}
	assert.Equal(t, []int64{1, 254, 384, 192, 192}, got, "percent is of the space still free")
	assert.EqualValues(t, 2048, p.Extents[0].Start)
	assert.EqualValues(t, 5, p.Extents[4].Number)
}

func TestPlanLogical(t *testing.T) {
	l := disk.Layout{Style: disk.MBR, Partitions: []disk.Partition{
		{Type: disk.Primary, FileSystem: disk.NTFS, Size: mb(100), Bootable: true},
		{Type: disk.Extended, Size: mb(500)},
		{Type: disk.Logical, FileSystem: disk.EXT4, Size: percent(50)},
		{Type: disk.Logical, FileSystem: disk.EXT4},
		{Type: disk.Primary, FileSystem: disk.EXT4},
	}}
	p, err := disk.NewPlan(l, gib, 512)
	require.NoError(t, err)
	var numbers, sizes []int
	for _, e := range p.Extents {
		numbers = append(numbers, e.Number)
		sizes = append(sizes, int(p.Bytes(e)/mib))
	}
	assert.Equal(t, []int{1, 2, 5, 6, 3}, numbers)
	assert.Equal(t, []int{100, 500, 249, 249, 423}, sizes)
}

func TestPlanGPTBootDisk(t *testing.T) {
	l := disk.Layout{Style: disk.GPT, GPTBootDisk: true, Partitions: []disk.Partition{{Type: disk.Primary, FileSystem: disk.EXT4}}}
	p, err := disk.NewPlan(l, 4*gib, 512)
	require.NoError(t, err)
	require.Len(t, p.Extents, 2)
	assert.Equal(t, disk.EFI, p.Extents[0].Type)
	assert.Len(t, l.Partitions, 1, "the caller's layout is not changed")

	l.Partitions = append(l.Partitions[:0:0], disk.Partition{Type: disk.EFI, FileSystem: disk.FAT32, Size: mb(100)}, l.Partitions[0])
	p, err = disk.NewPlan(l, 4*gib, 512)
	require.NoError(t, err)
	assert.Len(t, p.Extents, 2, "an EFI partition of the list is enough")
}

func TestPlanRefuses(t *testing.T) {
	root := disk.Partition{Type: disk.Primary, FileSystem: disk.EXT4}
	with := func(style disk.Style, parts ...disk.Partition) disk.Layout {
		return disk.Layout{Style: style, Partitions: parts}
	}
	sized := func(s disk.Size) disk.Partition { p := root; p.Size = s; return p }
	tests := map[string]struct {
		layout disk.Layout
		bytes  int64
		want   string
	}{
		"no style":         {with("", root), gib, "GPT or MBR"},
		"nothing":          {with(disk.GPT), gib, "no partitions"},
		"too large":        {with(disk.GPT, sized(mb(100)), sized(disk.Size{Value: 20, Unit: disk.GB})), 10 * gib, "partition 2 (Primary) on a disk of 10.0 GiB: needs 20 GB and 9.9 GiB is free"},
		"huge number":      {with(disk.GPT, sized(disk.Size{Value: 1 << 63, Unit: disk.GB})), gib, "is free"},
		"after rest":       {with(disk.GPT, root, root), gib, "partition 2 (Primary) on a disk of 1.0 GiB: nothing is left"},
		"percent 101":      {with(disk.GPT, sized(percent(101))), gib, "1 to 100"},
		"tiny disk":        {with(disk.GPT, root), 2 * mib, "nothing is left"},
		"no disk":          {with(disk.GPT, root), 0, "nothing is left"},
		"logical alone":    {with(disk.MBR, disk.Partition{Type: disk.Logical}), gib, "extended"},
		"extended in GPT":  {with(disk.GPT, disk.Partition{Type: disk.Extended}), gib, "GPT has no extended"},
		"two extended":     {with(disk.MBR, disk.Partition{Type: disk.Extended, Size: mb(1)}, disk.Partition{Type: disk.Extended}), gib, "one extended"},
		"five primaries":   {with(disk.MBR, sized(mb(9)), sized(mb(9)), sized(mb(9)), sized(mb(9)), sized(mb(9))), gib, "four partitions"},
		"BIOSBoot in MBR":  {with(disk.MBR, disk.Partition{Type: disk.BIOSBoot}), gib, "GPT only"},
		"EFI as EXT4":      {with(disk.GPT, disk.Partition{Type: disk.EFI, FileSystem: disk.EXT4}), gib, "FAT32 only"},
		"formatted MSR":    {with(disk.GPT, disk.Partition{Type: disk.MSR, FileSystem: disk.NTFS}), gib, "not formatted"},
		"FAT32 too small":  {with(disk.GPT, disk.Partition{Type: disk.EFI, FileSystem: disk.FAT32, Size: mb(20)}), gib, "FAT32 needs at least"},
		"unknown type":     {with(disk.GPT, disk.Partition{Type: "Quaternary"}), gib, "unknown partition type"},
		"quote in a name":  {with(disk.GPT, disk.Partition{Type: disk.Primary, Name: "a\"\nlabel: dos"}), gib, "volume name"},
		"negative disk":    {with(disk.GPT, root), -1, "out of range"},
		"percent of none":  {with(disk.GPT, sized(percent(100)), sized(percent(50))), gib, "nothing is left"},
		"file system name": {with(disk.GPT, disk.Partition{Type: disk.Primary, FileSystem: "ZFS"}), gib, "unknown file system"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := disk.NewPlan(tc.layout, tc.bytes, 512)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

func TestPlanMBRLimit(t *testing.T) {
	l := disk.Layout{Style: disk.MBR, Partitions: []disk.Partition{{Type: disk.Primary, FileSystem: disk.EXT4}}}
	p, err := disk.NewPlan(l, 4<<40, 512)
	require.NoError(t, err)
	assert.Len(t, p.Warnings, 1)
	assert.LessOrEqual(t, p.Extents[0].Start+p.Extents[0].Size, uint64(1<<32))
}

// Whatever the layout, a plan that is given keeps these promises.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		style := rapid.SampledFrom([]disk.Style{disk.GPT, disk.MBR}).Draw(t, "style")
		types := []disk.Type{disk.Primary, disk.EFI, disk.MSR, disk.Recovery, disk.BIOSBoot, disk.LinuxRoot, disk.Hidden}
		if style == disk.MBR {
			types = []disk.Type{disk.Primary, disk.Extended, disk.Logical, disk.Hidden, disk.Recovery}
		}
		part := rapid.Custom(func(t *rapid.T) disk.Partition {
			return disk.Partition{
				Type: rapid.SampledFrom(types).Draw(t, "type"),
				Size: disk.Size{
					Value: rapid.OneOf(rapid.Uint64Range(0, 100), rapid.Uint64Range(0, 100000), rapid.Uint64()).Draw(t, "size"),
					Unit:  rapid.SampledFrom([]disk.Unit{disk.MB, disk.GB, disk.Percent, ""}).Draw(t, "unit"),
				},
			}
		})
		l := disk.Layout{Style: style, GPTBootDisk: rapid.Bool().Draw(t, "esp"), Partitions: rapid.SliceOfN(part, 1, 8).Draw(t, "parts")}
		bytes := rapid.OneOf(rapid.Int64Range(0, 200*gib), rapid.Int64Range(0, 1<<60)).Draw(t, "disk") / 512 * 512
		sector := rapid.SampledFrom([]int{512, 4096}).Draw(t, "sector")

		p, err := disk.NewPlan(l, bytes, sector)
		if err != nil {
			return
		}
		numbers := map[int]bool{}
		var extended disk.Extent
		var end, logicalEnd uint64
		for i, e := range p.Extents {
			start, size := e.Start*uint64(sector), e.Size*uint64(sector)
			assert.Zero(t, start%mib, "starts on 1 MiB")
			assert.Zero(t, size%mib, "is whole MiB")
			assert.NotZero(t, size)
			assert.False(t, numbers[e.Number], "number given twice")
			numbers[e.Number] = true
			assert.Equal(t, i+1, e.Index)
			if e.Size > 1<<32 && style == disk.MBR {
				t.Fatalf("MBR partition of %d sectors", e.Size)
			}
			limit := uint64(bytes)
			if style == disk.GPT {
				limit -= 33 * uint64(sector)
			}
			if e.Type == disk.Logical {
				assert.GreaterOrEqual(t, start, max(logicalEnd, extended.Start*uint64(sector))+mib, "room for its record")
				logicalEnd = start + size
				limit = (extended.Start + extended.Size) * uint64(sector)
			} else {
				assert.GreaterOrEqual(t, start, max(end, mib), "no overlap")
				end = start + size
			}
			assert.LessOrEqual(t, start+size, limit, "inside")
			if e.Type == disk.Extended {
				extended, logicalEnd = e, 0
			}
			if e.Partition.Size.Value == 0 || e.Partition.Size.Unit == disk.Percent {
				continue
			}
			unit := uint64(mib)
			if e.Partition.Size.Unit == disk.GB {
				unit = gib
			}
			assert.Equal(t, e.Partition.Size.Value*unit, size, "as large as asked for")
		}
	})
}

func TestParse(t *testing.T) {
	typ, err := disk.ParseType("PRIMARY")
	require.NoError(t, err)
	assert.Equal(t, disk.Primary, typ)
	unit, err := disk.ParseUnit("%")
	require.NoError(t, err)
	assert.Equal(t, disk.Percent, unit)
	unit, err = disk.ParseUnit("")
	require.NoError(t, err)
	assert.Equal(t, disk.MB, unit)
	fs, err := disk.ParseFileSystem("")
	require.NoError(t, err)
	assert.Equal(t, disk.NoFileSystem, fs)
	style, err := disk.ParseStyle("gpt")
	require.NoError(t, err)
	assert.Equal(t, disk.GPT, style)
	_, err = disk.ParseFileSystem("REFS")
	assert.ErrorContains(t, err, "NTFS, FAT32, EXT4")
}

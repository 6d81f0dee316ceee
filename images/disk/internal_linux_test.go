package disk

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScript(t *testing.T) {
	l := Layout{Style: GPT, Partitions: []Partition{
		{Type: BIOSBoot, Size: Size{Value: 1}},
		{Type: Hidden, FileSystem: NTFS, Name: "H ä", Size: Size{Value: 100}},
		{Type: LinuxRoot, FileSystem: EXT4},
	}, Arch: "arm64"}
	p, err := NewPlan(l, 1<<30, 512)
	require.NoError(t, err)
	assert.Equal(t, `label: gpt
label-id: L
unit: sectors
1 : start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=a, name="BIOSBoot"
2 : start=4096, size=204800, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=b, attrs="GUID:62,63", name="H ä"
3 : start=208896, size=1886208, type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE, uuid=c, name="LinuxRoot"
`, script(p, identity{label: "L", partUUID: []string{"a", "b", "c"}}))

	l = Layout{Style: MBR, Partitions: []Partition{
		{Type: Primary, FileSystem: FAT32, Bootable: true, Size: Size{Value: 100}}, {Type: Primary, FileSystem: Swap}}}
	p, err = NewPlan(l, 1<<30, 512)
	require.NoError(t, err)
	assert.Equal(t, `label: dos
label-id: 0x1
unit: sectors
1 : start=2048, size=204800, type=c, bootable
2 : start=206848, size=1890304, type=82
`, script(p, identity{label: "0x1", partUUID: []string{"", ""}}))
}

func TestPartitionNode(t *testing.T) {
	assert.Equal(t, "/dev/sda1", partitionNode("/dev/sda", 1))
	assert.Equal(t, "/dev/nvme0n1p12", partitionNode("/dev/nvme0n1", 12))
	assert.Equal(t, "/dev/mmcblk0p2", partitionNode("/dev/mmcblk0", 2))
}

func TestLabels(t *testing.T) {
	assert.Equal(t, "EFI SYS-1", fatLabel("efi sys-1ä!"))
	assert.Equal(t, "ABCDEFGHIJK", fatLabel("abcdefghijklm"))
	assert.Equal(t, "aä", cutLabel("aää", 4), "a letter is not cut in two")
	assert.Len(t, gptName(Extent{Partition: Partition{Name: strings.Repeat("n", 100)}}), 36)
}

func FuzzParseTable(f *testing.F) {
	f.Add(`sfdisk: warning
{"partitiontable":{"label":"dos","id":"0x1","partitions":[{"node":"/dev/sda1","start":1,"size":2}]}}`)
	f.Add(`{"partitiontable":{"label":"gpt","partitions":[{"node":"/dev/sda999999999999999999999"}]}}`)
	f.Fuzz(func(t *testing.T, out string) {
		parts, err := parseTable(out, Disk{Path: "/dev/sda", SectorSize: 512})
		if err != nil {
			return
		}
		for _, p := range parts {
			assert.Positive(t, p.number)
		}
	})
}

func FuzzVolumeLabel(f *testing.F) {
	f.Add(strings.Repeat("\x00", 32768) + "\x01CD001\x01")
	f.Fuzz(func(t *testing.T, disk string) {
		assert.LessOrEqual(t, len(volumeLabel(strings.NewReader(disk))), 32)
	})
}

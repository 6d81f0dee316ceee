package disk_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
)

// loopDisk makes an empty disk out of a sparse file and takes it away again.
func loopDisk(t *testing.T, size int64) disk.Disk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for loop devices")
	}
	for _, tool := range []string{"losetup", "sfdisk", "mkfs.ext4", "mkfs.vfat", "mkswap", "blkid", "partx"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	file := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Truncate(file, size))
	out, err := exec.Command("losetup", "--show", "--find", file).Output()
	if err != nil {
		t.Skipf("no loop device: %v", err)
	}
	node := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		_ = exec.Command("partx", "--delete", node).Run()
		assert.NoError(t, exec.Command("losetup", "--detach", node).Run())
	})
	d, err := disk.Lookup(disk.System{}, node)
	require.NoError(t, err)
	return d
}

func probe(t *testing.T, device, tag string) string {
	t.Helper()
	out, err := exec.Command("blkid", "-p", "-o", "value", "-s", tag, device).Output()
	require.NoError(t, err, "blkid %s %s", tag, device)
	return strings.TrimSpace(string(out))
}

func TestApplyGPT(t *testing.T) {
	d := loopDisk(t, 400*mib)
	l := disk.Layout{Style: disk.GPT, Partitions: []disk.Partition{
		{Type: disk.BIOSBoot, Size: mb(1)},
		{Type: disk.EFI, FileSystem: disk.FAT32, Size: mb(64), Name: "EFI \"system", LetterVariable: "TSUEFIDrive"},
		{Type: disk.Primary, FileSystem: disk.Swap, Size: mb(16), Name: "swap"},
		{Type: disk.LinuxRoot, FileSystem: disk.EXT4, Name: "root", LetterVariable: "OSDISK"},
	}}
	_, err := disk.NewPlan(l, d.Size, d.SectorSize)
	require.Error(t, err, "a quote in a label")
	l.Partitions[1].Name = "EFI system"
	p, err := disk.NewPlan(l, d.Size, d.SectorSize)
	require.NoError(t, err)
	var w disk.Writer

	volumes, err := w.Apply(t.Context(), d, p)
	require.NoError(t, err)

	require.Len(t, volumes, 4)
	assert.Equal(t, "vfat", probe(t, volumes[1].Device, "TYPE"))
	assert.Equal(t, volumes[1].UUID, probe(t, volumes[1].Device, "UUID"))
	assert.Equal(t, "EFI SYSTEM", probe(t, volumes[1].Device, "LABEL"))
	assert.Equal(t, "swap", probe(t, volumes[2].Device, "TYPE"))
	assert.Equal(t, volumes[2].UUID, probe(t, volumes[2].Device, "UUID"))
	assert.Equal(t, "ext4", probe(t, volumes[3].Device, "TYPE"))
	assert.Equal(t, volumes[3].UUID, probe(t, volumes[3].Device, "UUID"))
	assert.Equal(t, volumes[3].PARTUUID, probe(t, volumes[3].Device, "PART_ENTRY_UUID"))
	assert.Equal(t, "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", probe(t, volumes[3].Device, "PART_ENTRY_TYPE"))
	assert.Equal(t, "21686148-6449-6e6f-744e-656564454649", probe(t, volumes[0].Device, "PART_ENTRY_TYPE"))

	var tab disk.VolumeTable
	variables, err := tab.Set(0, volumes)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"TSUEFIDrive": "C:", "OSDISK": "D:"}, variables)

	t.Run("mounted is refused", func(t *testing.T) {
		target := filepath.Join(t.TempDir(), "mnt")
		root, err := tab.ByLetter("D:")
		require.NoError(t, err)
		require.NoError(t, disk.Mount(t.Context(), root, target))
		_, err = w.Apply(t.Context(), d, p)
		assert.ErrorIs(t, err, disk.ErrInUse)
		assert.ErrorContains(t, err, target)
		require.NoError(t, disk.Unmount(t.Context(), target))
		require.NoError(t, disk.Unmount(t.Context(), target), "twice is no error")
	})
	t.Run("rescan after a restart", func(t *testing.T) {
		b, err := json.Marshal(tab)
		require.NoError(t, err)
		var later disk.VolumeTable
		require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(b), d.Path, "/dev/sdz")), &later))
		require.NoError(t, exec.Command("partx", "--delete", d.Path).Run())
		require.NoError(t, later.Rescan(t.Context(), disk.System{}, []disk.Disk{d}))
		root, err := later.ByLetter("D:")
		require.NoError(t, err)
		assert.Equal(t, volumes[3].Device, root.Device)
		assert.Equal(t, root.UUID, probe(t, root.Device, "UUID"), "the node is there again")
	})
	t.Run("again, with another layout", func(t *testing.T) {
		l := disk.Layout{Style: disk.MBR, Partitions: []disk.Partition{
			{Type: disk.Primary, FileSystem: disk.FAT32, Size: mb(40), Bootable: true},
			{Type: disk.Extended, Size: mb(100)},
			{Type: disk.Logical, FileSystem: disk.EXT4, Size: mb(20)},
			{Type: disk.Logical},
			{Type: disk.Primary},
		}}
		p, err := disk.NewPlan(l, d.Size, d.SectorSize)
		require.NoError(t, err)
		now, err := disk.Lookup(disk.System{}, d.Path)
		require.NoError(t, err)
		volumes, err := w.Apply(t.Context(), now, p)
		require.NoError(t, err)
		assert.Equal(t, volumes[2].PARTUUID, probe(t, volumes[2].Device, "PART_ENTRY_UUID"))
		assert.Equal(t, "dos", probe(t, d.Path, "PTTYPE"))
		assert.Equal(t, "0x80", probe(t, volumes[0].Device, "PART_ENTRY_FLAGS"))
		_, err = exec.Command("blkid", "-p", volumes[4].Device, "-s", "TYPE", "-o", "value").Output()
		assert.NoError(t, err)
		assert.Empty(t, probe(t, volumes[4].Device, "TYPE"), "an unformatted partition shows nothing of what was there")
		var tab disk.VolumeTable
		_, err = tab.Set(0, volumes)
		require.NoError(t, err)
		require.NoError(t, tab.Rescan(t.Context(), disk.System{}, []disk.Disk{d}))
		_, err = tab.ByPartition(0, 5)
		require.NoError(t, err)
	})
}

func TestApplyFileSystems(t *testing.T) {
	tests := map[disk.FileSystem]struct{ tool, kind string }{
		disk.XFS: {"mkfs.xfs", "xfs"}, disk.BTRFS: {"mkfs.btrfs", "btrfs"}, disk.NTFS: {"mkfs.ntfs", "ntfs"},
	}
	for fs, tc := range tests {
		t.Run(string(fs), func(t *testing.T) {
			if _, err := exec.LookPath(tc.tool); err != nil {
				t.Skipf("needs %s", tc.tool)
			}
			d := loopDisk(t, 400*mib)
			l := disk.Layout{Style: disk.GPT, Partitions: []disk.Partition{{Type: disk.Primary, FileSystem: fs, Name: "a b"}}}
			p, err := disk.NewPlan(l, d.Size, d.SectorSize)
			require.NoError(t, err)
			volumes, err := disk.Writer{}.Apply(t.Context(), d, p)
			require.NoError(t, err)
			assert.Equal(t, tc.kind, probe(t, volumes[0].Device, "TYPE"))
			assert.Equal(t, volumes[0].UUID, probe(t, volumes[0].Device, "UUID"))
		})
	}
}

func TestApplyWipesOldMembers(t *testing.T) {
	d := loopDisk(t, 64*mib)
	// A software RAID member of the oldest kind: its superblock lies in the last 64 to 128 KiB.
	f, err := os.OpenFile(d.Path, os.O_WRONLY, 0)
	require.NoError(t, err)
	magic := []byte{0xfc, 0x4e, 0x2b, 0xa9, 0, 0, 0, 0, 90, 0, 0, 0, 0, 0, 0, 0}
	_, err = f.WriteAt(magic, d.Size/65536*65536-65536)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, "linux_raid_member", probe(t, d.Path, "TYPE"))

	p, err := disk.NewPlan(disk.Layout{Style: disk.MBR, Partitions: []disk.Partition{{Type: disk.Primary}}}, d.Size, d.SectorSize)
	require.NoError(t, err)
	_, err = disk.Writer{}.Apply(t.Context(), d, p)
	require.NoError(t, err)
	assert.Empty(t, probe(t, d.Path, "TYPE"))
	assert.Equal(t, "dos", probe(t, d.Path, "PTTYPE"))
}

func TestApplyRefuses(t *testing.T) {
	d := loopDisk(t, 64*mib)
	l := disk.Layout{Style: disk.GPT, Partitions: []disk.Partition{{Type: disk.Primary, FileSystem: disk.EXT4}}}
	p, err := disk.NewPlan(l, d.Size, d.SectorSize)
	require.NoError(t, err)

	small := p
	small.DiskBytes -= mib
	_, err = disk.Writer{}.Apply(t.Context(), d, small)
	assert.ErrorContains(t, err, "plan again")

	stick := d
	stick.Excluded = "removable"
	_, err = disk.Writer{}.Apply(t.Context(), stick, p)
	assert.ErrorContains(t, err, "removable")

	target := t.TempDir()
	out, err := exec.Command("mkfs.ext4", "-q", "-F", d.Path).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, disk.Mount(t.Context(), disk.Volume{Device: d.Path, FileSystem: disk.EXT4}, target))
	t.Cleanup(func() { assert.NoError(t, disk.Unmount(t.Context(), target)) })
	_, err = disk.Writer{Protected: []string{target}}.Apply(t.Context(), d, p)
	assert.ErrorIs(t, err, disk.ErrInUse)
	// Even when the mount table is hidden, the content's disk and the kernel's own lock refuse.
	hidden := disk.System{Root: t.TempDir()}
	require.NoError(t, os.Symlink("/sys", filepath.Join(hidden.Root, "sys")))
	_, err = disk.Writer{System: hidden, Protected: []string{target}}.Apply(t.Context(), d, p)
	assert.ErrorContains(t, err, "it holds "+target)
	_, err = disk.Writer{System: hidden}.Apply(t.Context(), d, p)
	assert.ErrorIs(t, err, disk.ErrInUse)
	assert.Equal(t, "ext4", probe(t, d.Path, "TYPE"), "nothing was written")
	require.NoError(t, disk.Unmount(t.Context(), target))
}

package target

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

func TestLayoutOf(t *testing.T) {
	layout, err := layoutOf(machine.DiskRequest{Style: machine.GPT, Partitions: []machine.Partition{
		{Type: machine.EFI, FileSystem: "FAT32", Bytes: 256<<20 + 1}, {Type: machine.LinuxRoot, FileSystem: "EXT4", Percent: 80}, {Type: machine.Primary, Rest: true}}}, "arm64")
	require.NoError(t, err)
	require.Equal(t, disk.GPT, layout.Style)
	require.Equal(t, "arm64", layout.Arch)
	require.Equal(t, disk.Size{Value: 257, Unit: disk.MB}, layout.Partitions[0].Size, "rounded up")
	require.Equal(t, disk.Size{Value: 80, Unit: disk.Percent}, layout.Partitions[1].Size)
	require.Zero(t, layout.Partitions[2].Size)

	_, err = layoutOf(machine.DiskRequest{Style: machine.GPT, Partitions: []machine.Partition{{Type: "Nonsense"}}}, "")
	require.ErrorContains(t, err, "partition 1")
}

func TestFindImage(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("readme.txt", "hello")
	_, _, err := findImage(dir)
	require.ErrorContains(t, err, "no image")
	var image bytes.Buffer
	packer, err := zstd.NewWriter(&image)
	require.NoError(t, err)
	archive := tar.NewWriter(packer)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "f", Format: tar.FormatPAX}))
	require.NoError(t, archive.Close())
	require.NoError(t, packer.Close())
	write("sub/image.tar.zst", image.String())
	write("notes.zst", image.String()[:4])
	name, format, err := findImage(dir)
	require.NoError(t, err)
	require.Equal(t, "image.tar.zst", filepath.Base(name))
	require.Equal(t, apply.FormatTarZstd, format)
	write("second.squashfs", "hsqsrest")
	_, _, err = findImage(dir)
	require.ErrorContains(t, err, "two images")
}

func TestUnknownVolumeIsRefused(t *testing.T) {
	target := New(Options{Say: func(string, ...any) {}})
	_, err := target.find(machine.Volume{Disk: 0, Partition: 2})
	require.ErrorContains(t, err, "was not made by this run")
	require.Empty(t, target.DataDir())
	require.NoError(t, target.Close())
}

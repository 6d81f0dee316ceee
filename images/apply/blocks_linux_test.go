package apply_test

import (
	"bytes"
	"compress/gzip"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
)

// rawDisk is a disk with an MBR of one partition, noise and zeros.
func rawDisk() []byte {
	raw := make([]byte, 12<<20)
	_, _ = rand.New(rand.NewSource(2)).Read(raw[1<<20 : 3<<20])
	copy(raw[450:], []byte{0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0x50, 0, 0})
	copy(raw[510:], "\x55\xaa")
	copy(raw[11<<20:], "the end")
	return raw
}

func zipped(t testing.TB, raw []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, opts...)
	require.NoError(t, err)
	return z.EncodeAll(raw, nil)
}

// blockImages are the same disk in every block-level format.
func blockImages(t *testing.T, raw []byte) map[apply.Format]string {
	t.Helper()
	dir := t.TempDir()
	name := func(f apply.Format) string { return filepath.Join(dir, string(f)) }
	all := map[apply.Format]string{apply.FormatRaw: name(apply.FormatRaw), apply.FormatRawZstd: name(apply.FormatRawZstd), apply.FormatRawGzip: name(apply.FormatRawGzip)}
	require.NoError(t, os.WriteFile(name(apply.FormatRaw), raw, 0o600))
	// Two frames, as parallel programs write, and one that may be skipped.
	frames := append(zipped(t, raw[:5<<20]), 0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c')
	require.NoError(t, os.WriteFile(name(apply.FormatRawZstd), append(frames, zipped(t, raw[5<<20:])...), 0o600))
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, err := g.Write(raw)
	require.NoError(t, err)
	require.NoError(t, g.Close())
	require.NoError(t, os.WriteFile(name(apply.FormatRawGzip), gz.Bytes(), 0o600))
	if _, err := exec.LookPath("xz"); err == nil {
		out, err := exec.Command("sh", "-c", `xz -0 -c "$1" > "$2"`, "sh", name(apply.FormatRaw), name(apply.FormatRawXz)).CombinedOutput()
		require.NoError(t, err, string(out))
		all[apply.FormatRawXz] = name(apply.FormatRawXz)
	}
	if _, err := exec.LookPath("qemu-img"); err == nil {
		out, err := exec.Command("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", name(apply.FormatRaw), name(apply.FormatQCOW2)).CombinedOutput()
		require.NoError(t, err, string(out))
		all[apply.FormatQCOW2] = name(apply.FormatQCOW2)
	}
	return all
}

func TestWriteBlocks(t *testing.T) {
	raw := rawDisk()
	for format, image := range blockImages(t, raw) {
		t.Run(string(format), func(t *testing.T) {
			found, err := apply.DetectFormat(image)
			require.NoError(t, err)
			assert.Equal(t, format, found)
			whole, err := apply.HoldsDisk(image)
			require.NoError(t, err)
			assert.True(t, whole)

			device := filepath.Join(t.TempDir(), "device")
			old := bytes.Repeat([]byte("old "), 5<<20)
			require.NoError(t, os.WriteFile(device, old, 0o600))
			var done, total int64
			size, err := apply.WriteBlocks(t.Context(), image, format, device, apply.Options{Progress: func(d, n int64) { done, total = d, n }})
			require.NoError(t, err)
			assert.EqualValues(t, len(raw), size)
			assert.Positive(t, done)
			assert.Equal(t, total, done)
			got, err := os.ReadFile(device)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(raw, got[:len(raw)]), "zeros of the image replace what was there")
			assert.True(t, bytes.Equal(old[:4], got[len(raw):len(raw)+4]))
			assert.True(t, bytes.Equal(make([]byte, 4<<20), got[len(got)-4<<20:]), "an older table at the end is gone")
		})
	}
}

// A target that is smaller than the image is refused before anything is written.
func TestWriteBlocksTooSmall(t *testing.T) {
	raw := rawDisk()
	for format, image := range blockImages(t, raw) {
		device := filepath.Join(t.TempDir(), "device")
		old := bytes.Repeat([]byte("old "), 1<<20)
		require.NoError(t, os.WriteFile(device, old, 0o600))
		_, err := apply.WriteBlocks(t.Context(), image, format, device, apply.Options{})
		require.ErrorIs(t, err, apply.ErrTooSmall, format)
		require.ErrorContains(t, err, "nothing was written")
		got, err := os.ReadFile(device)
		require.NoError(t, err)
		require.True(t, bytes.Equal(old, got), format)
	}
}

func TestWriteBlocksDamaged(t *testing.T) {
	for format, image := range blockImages(t, rawDisk()) {
		if format == apply.FormatRaw {
			continue // no checksum; packages are hashed before
		}
		data, err := os.ReadFile(image)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(image, data[:len(data)/2], 0o600))
		device := filepath.Join(t.TempDir(), "device")
		require.NoError(t, os.WriteFile(device, make([]byte, 20<<20), 0o600))
		_, err = apply.WriteBlocks(t.Context(), image, format, device, apply.Options{})
		require.Error(t, err, format)
	}
}

func TestHoldsDisk(t *testing.T) {
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("needs mkfs.ext4")
	}
	name := filepath.Join(t.TempDir(), "fs")
	require.NoError(t, os.WriteFile(name, make([]byte, 8<<20), 0o600))
	out, err := exec.Command("mkfs.ext4", "-q", "-F", name).CombinedOutput()
	require.NoError(t, err, string(out))
	format, err := apply.DetectFormat(name)
	require.NoError(t, err)
	assert.Equal(t, apply.FormatRaw, format)
	whole, err := apply.HoldsDisk(name)
	require.NoError(t, err)
	assert.False(t, whole)
	for _, content := range [][]byte{nil, []byte("text"), zipped(t, []byte("text")), {0x1f, 0x8b}, []byte("\xfd7zXZ\x00")} {
		require.NoError(t, os.WriteFile(name, content, 0o600))
		_, err := apply.DetectFormat(name)
		require.Error(t, err, content)
	}
}

func FuzzDetectFormat(f *testing.F) {
	f.Add(rawDisk()[:4096])
	f.Add(zipped(f, rawDisk()[:4096]))
	f.Add([]byte("MSWIM\x00\x00\x00"))
	name := filepath.Join(f.TempDir(), "image")
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, os.WriteFile(name, b, 0o600))
		format, err := apply.DetectFormat(name)
		if err != nil {
			return
		}
		_, _ = apply.HoldsDisk(name)
		if format == apply.FormatRawZstd || format == apply.FormatQCOW2 {
			_, _ = apply.BlockSize(t.Context(), name, format, nil)
		}
		_, _, _, _ = apply.WIMPart(name)
	})
}

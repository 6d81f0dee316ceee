package disk_test

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
)

// The table is read from a file that plays the disk: nothing here is mounted.
func TestLocate(t *testing.T) {
	if _, err := exec.LookPath("sfdisk"); err != nil {
		t.Skip("needs sfdisk")
	}
	file := filepath.Join(t.TempDir(), "disk")
	table := func(script string) {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.NoError(t, os.Truncate(file, 64<<20))
		cmd := exec.Command("sh", "-ec", `printf '%b' "$2" | sfdisk -q "$1"`, "sh", file, script)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	table(`label: gpt\nlabel-id: 00112233-4455-6677-8899-AABBCCDDEEFF\n, 10M, U\ntype=L, uuid=01020304-0506-0708-090A-0B0C0D0E0F10\n`)
	p, err := disk.Locate(t.Context(), disk.Volume{DiskPath: file, Number: 2})
	require.NoError(t, err)
	assert.Equal(t, disk.GPT, p.Style)
	assert.Equal(t, "33221100554477668899aabbccddeeff", hex.EncodeToString(p.Disk[:]))
	assert.Equal(t, "0403020106050807090a0b0c0d0e0f10", hex.EncodeToString(p.ID[:]))

	table(`label: dos\nlabel-id: 0xb3eba8f1\n, 10M, 7, *\n, , 7\n`)
	first, err := disk.Locate(t.Context(), disk.Volume{DiskPath: file, Number: 1})
	require.NoError(t, err)
	assert.Equal(t, disk.MBR, first.Style)
	assert.True(t, first.Active)
	assert.Equal(t, int64(1<<20), first.Start)
	assert.Equal(t, "f1a8ebb3", hex.EncodeToString(first.Disk[:4]))
	second := disk.Volume{DiskPath: file, Number: 2}
	p, err = disk.Locate(t.Context(), second)
	require.NoError(t, err)
	assert.Equal(t, int64(11<<20), p.Start)
	assert.False(t, p.Active)

	require.NoError(t, disk.Activate(t.Context(), second))
	p, err = disk.Locate(t.Context(), second)
	require.NoError(t, err)
	assert.True(t, p.Active)
	first, err = disk.Locate(t.Context(), disk.Volume{DiskPath: file, Number: 1})
	require.NoError(t, err)
	assert.False(t, first.Active)

	boot, rest := make([]byte, 512), []byte("the rest")
	for i := range boot {
		boot[i] = 0xcc
	}
	require.NoError(t, disk.WriteMBRLoader(file, boot, rest, first.Start))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, byte(0xcc), data[439])
	assert.Equal(t, "f1a8ebb3", hex.EncodeToString(data[440:444]), "the disk's signature stays")
	assert.Equal(t, "the rest", string(data[512:520]))
	p, err = disk.Locate(t.Context(), second)
	require.NoError(t, err)
	assert.True(t, p.Active, "the table stays")
	require.Error(t, disk.WriteMBRLoader(file, boot, make([]byte, 1<<20), first.Start), "it would reach into the first partition")
	_, err = disk.Locate(t.Context(), disk.Volume{DiskPath: file, Number: 3})
	require.Error(t, err)
}

package disk_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
)

// A Staging can be released again, whatever of it was done before.
func TestStagingIsReleasedAgain(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("loop devices and mounts need root")
	}
	for _, tool := range []string{"losetup", "mkfs.ext4"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("this test needs " + tool)
		}
	}
	if err := exec.Command("losetup", "--find").Run(); err != nil {
		t.Skip("there is no loop device here: ", err)
	}
	file := filepath.Join(t.TempDir(), "volume")
	const size = 192 << 20
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Truncate(file, size))
	s, err := disk.Stage(t.Context(), disk.Volume{Device: file, Size: size, FileSystem: disk.NTFS}, filepath.Join(t.TempDir(), "staging"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Release(context.Background())) })
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, "f"), []byte("x"), 0o600))
	for range 2 {
		require.NoError(t, s.Release(t.Context()))
	}
	out, err := exec.Command("losetup", "--associated", file).Output()
	require.NoError(t, err)
	require.Empty(t, string(out))
}

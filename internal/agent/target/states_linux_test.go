package target

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
)

// loopVolume is a block device with an empty ext4.
func loopVolume(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	for _, tool := range []string{"losetup", "mkfs.ext4", "blkid"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	image := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 32<<20))
	out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.Command("losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device here: %s", out)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() { require.NoError(t, exec.Command("losetup", "-d", device).Run()) })
	return device
}

func TestLookFindsTheStateOfARun(t *testing.T) {
	device := loopVolume(t)
	require.Equal(t, "ext4", fileSystemOf(t.Context(), device))
	mounts := t.TempDir()
	writing := filepath.Join(mounts, "writing")
	require.NoError(t, disk.Mount(t.Context(), disk.Volume{Device: device, FileSystem: disk.EXT4}, writing))
	require.NoError(t, os.MkdirAll(filepath.Join(writing, dataFolder, "State"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(writing, dataFolder, "State", "id"), []byte("a run"), 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(writing, "var/lib/bootyard"), 0o700))
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(writing, "var/lib/bootyard/run")))
	require.NoError(t, disk.Unmount(t.Context(), writing))

	target := New(Options{Mounts: mounts, Say: func(string, ...any) {}})
	var seen []string
	require.NoError(t, target.look(t.Context(), device, "ext4", func(dir string) {
		data, err := os.ReadFile(filepath.Join(dir, "id"))
		require.NoError(t, err)
		require.Error(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600), "read only")
		seen = append(seen, string(data))
	}))
	require.Equal(t, []string{"a run"}, seen, "the link that leads out is not followed")
	mounted, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounted), mounts)
}

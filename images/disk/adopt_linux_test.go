package disk_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/disk"
)

// smallImage makes a disk of 100 MiB in the larger one: what a disk image brings along.
func smallImage(t *testing.T, node, label string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image")
	script := "set -e; truncate -s 100M " + file + "; printf 'label: " + label + "\\n" +
		", 16M, " + map[string]string{"gpt": "U", "dos": "ef"}[label] + "\\n, , L\\n' | sfdisk -q " + file +
		"; mkfs.ext4 -q -F -L root -E offset=17825792 " + file + " 60M; dd if=" + file + " of=" + node + " bs=1M conv=notrunc,fsync status=none"
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestSettle(t *testing.T) {
	for _, label := range []string{"gpt", "dos"} {
		t.Run(label, func(t *testing.T) {
			d := loopDisk(t, 400*mib)
			smallImage(t, d.Path, label)
			grown, err := disk.Settle(t.Context(), disk.System{}, d)
			require.NoError(t, err)
			assert.Equal(t, 2, grown)
			volumes, err := disk.Adopt(t.Context(), d)
			require.NoError(t, err)
			require.Len(t, volumes, 2)
			assert.Equal(t, disk.EFI, volumes[0].Type)
			root := volumes[1]
			assert.Equal(t, disk.EXT4, root.FileSystem)
			assert.Equal(t, "root", root.Label)
			assert.NotEmpty(t, root.UUID)
			assert.NotEmpty(t, root.PARTUUID)
			assert.Greater(t, root.Size, int64(370*mib))

			ok, err := disk.GrowFileSystem(t.Context(), root, "")
			require.NoError(t, err)
			assert.True(t, ok)
			dir := t.TempDir()
			require.NoError(t, disk.Mount(t.Context(), root, dir))
			t.Cleanup(func() { _ = disk.Unmount(t.Context(), dir) })
			var st unix.Statfs_t
			require.NoError(t, unix.Statfs(dir, &st))
			assert.Greater(t, int64(st.Blocks)*st.Bsize, int64(300*mib))
			require.NoError(t, disk.Unmount(t.Context(), dir))
			out, err := exec.Command("sfdisk", "--verify", d.Path).CombinedOutput()
			require.NoError(t, err, string(out))
			assert.NotContains(t, strings.ToLower(string(out)), "backup", "the second header is at the end")

			again, err := disk.Settle(t.Context(), disk.System{}, d)
			require.NoError(t, err)
			assert.Zero(t, again)
		})
	}
}

func TestGrowOtherFileSystems(t *testing.T) {
	for fs, tools := range map[disk.FileSystem][]string{disk.XFS: {"mkfs.xfs", "xfs_growfs"}, disk.BTRFS: {"mkfs.btrfs"}} {
		t.Run(string(fs), func(t *testing.T) {
			for _, tool := range tools {
				if _, err := exec.LookPath(tool); err != nil {
					t.Skipf("needs %s", tool)
				}
			}
			d := loopDisk(t, 800*mib)
			plan, err := disk.NewPlan(disk.Layout{Style: disk.GPT, Partitions: []disk.Partition{{Type: disk.Primary, FileSystem: fs, Size: mb(320)}}}, d.Size, d.SectorSize)
			require.NoError(t, err)
			_, err = disk.Writer{}.Apply(t.Context(), d, plan)
			require.NoError(t, err)
			grown, err := disk.Settle(t.Context(), disk.System{}, d)
			require.NoError(t, err)
			require.Equal(t, 1, grown)
			volumes, err := disk.Adopt(t.Context(), d)
			require.NoError(t, err)
			require.Equal(t, fs, volumes[0].FileSystem)
			dir := t.TempDir()
			if err := disk.Mount(t.Context(), volumes[0], dir); err != nil {
				t.Skipf("this kernel: %v", err)
			}
			t.Cleanup(func() { _ = disk.Unmount(t.Context(), dir) })
			ok, err := disk.GrowFileSystem(t.Context(), volumes[0], dir)
			require.NoError(t, err)
			assert.True(t, ok)
			var st unix.Statfs_t
			require.NoError(t, unix.Statfs(dir, &st))
			assert.Greater(t, int64(st.Blocks)*st.Bsize, int64(600*mib))
		})
	}
}

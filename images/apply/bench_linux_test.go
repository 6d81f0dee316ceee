package apply_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
)

// BenchmarkExtract measures against "zstd -dc | tar -x" and sync on a fresh file
// system of the same kind, in turns in the same run. The figure to keep is
// ratio, at least 0.9. It needs BOOTYARD_OS_IMAGE, the path of a tar.zst.
func BenchmarkExtract(b *testing.B) {
	image := os.Getenv("BOOTYARD_OS_IMAGE")
	if image == "" {
		b.Skip("set BOOTYARD_OS_IMAGE to an OS image (tar.zst)")
	}
	needRoot(b)
	file := filepath.Join(b.TempDir(), "disk")
	var ours, peer time.Duration
	turn := func(work func(root string)) time.Duration {
		root := freshVolume(b, file)
		defer func() { require.NoError(b, exec.Command("umount", root).Run()) }()
		start := time.Now()
		work(root)
		return time.Since(start)
	}
	for b.Loop() {
		ours += turn(func(root string) {
			_, err := apply.Extract(b.Context(), image, apply.FormatTarZstd, root, apply.Options{})
			require.NoError(b, err)
		})
		peer += turn(func(root string) {
			cmd := exec.Command("sh", "-c", `zstd -dcq "$1" | tar -x --numeric-owner --xattrs --xattrs-include='*' --acls -p -C "$2" && sync -f "$2"`, "sh", image, root)
			out, err := cmd.CombinedOutput()
			require.NoError(b, err, string(out))
		})
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "ours-s")
	b.ReportMetric(peer.Seconds()/float64(b.N), "peer-s")
	b.ReportMetric(peer.Seconds()/ours.Seconds(), "ratio")
}

func freshVolume(b *testing.B, file string) string {
	b.Helper()
	require.NoError(b, os.RemoveAll(file))
	require.NoError(b, os.WriteFile(file, nil, 0o600))
	require.NoError(b, os.Truncate(file, 3<<30))
	out, err := exec.Command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file).CombinedOutput()
	require.NoError(b, err, string(out))
	root, err := os.MkdirTemp(filepath.Dir(file), "root")
	require.NoError(b, err)
	out, err = exec.Command("mount", "-o", "loop", file, root).CombinedOutput()
	require.NoError(b, err, string(out))
	b.Cleanup(func() {
		if exec.Command("mountpoint", "-q", strings.TrimSpace(root)).Run() == nil {
			_ = exec.Command("umount", root).Run()
		}
	})
	return root
}

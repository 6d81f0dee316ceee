//go:build linux

package apply_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
)

// TestSetSystemRealDebian gives a real Debian its settings and asks its own programs what they see.
func TestSetSystemRealDebian(t *testing.T) {
	if os.Getenv("BOOTYARD_VM") != "all" {
		t.Skip("needs Debian's mirror and a minute: set BOOTYARD_VM=all")
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and mmdebstrap")
	}
	dir := os.Getenv("BOOTYARD_DEBIAN_ROOT") // one that is there already
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "root")
		out, err := exec.CommandContext(t.Context(), "mmdebstrap", "--variant=minbase", "--include=locales,tzdata,passwd", "bookworm", dir).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	target := apply.Target{Dir: dir, Root: disk.Volume{Device: "/dev/null", DiskPath: "/dev/null"}}
	notes, err := apply.SetSystem(t.Context(), target, apply.System{HostName: "pc1", Zone: "Australia/Sydney", Language: "de_DE.UTF-8", Root: apply.RootPassword, RootPassword: "correct horse"})
	require.NoError(t, err)
	t.Log(notes)
	ask := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "chroot", append([]string{dir}, args...)...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	require.Contains(t, ask("locale", "-a"), "de_DE.utf8")
	require.Contains(t, ask("sh", "-c", ". /etc/default/locale; export LANG; date -d 2026-01-04 +%A"), "Sonntag")
	require.Equal(t, "+1100\n", ask("date", "-d", "2026-01-04", "+%z"))
	require.Contains(t, ask("passwd", "-S", "root"), "root P ")
	_, err = apply.SetSystem(t.Context(), target, apply.System{Root: apply.RootLocked})
	require.NoError(t, err)
	require.Contains(t, ask("passwd", "-S", "root"), "root L ")
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), dir, "nothing stays mounted")
}

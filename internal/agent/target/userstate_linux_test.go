package target

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/internal/agent/userstate"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// An installed Linux that does not run, with its homes on a volume of their own: the state goes to another system.
func TestOfflineCapture(t *testing.T) {
	needTools(t, "blkid")
	target := newTarget(t, loopVolume(t), disk.EXT4)
	homes := disk.Volume{Partition: 2, Device: loopVolume(t), PARTUUID: "p2", UUID: "1111-22", Type: disk.Primary, FileSystem: disk.EXT4, Size: 32 << 20}
	all := append(target.table.Volumes(), homes)
	for i := range all {
		all[i].DiskPath = all[0].DiskPath
	}
	_, err := target.table.Set(0, all)
	require.NoError(t, err)
	v, err := target.find(machine.Volume{Partition: 1})
	require.NoError(t, err)
	root, err := target.mount(t.Context(), v)
	require.NoError(t, err)
	writing := filepath.Join(t.TempDir(), "homes")
	require.NoError(t, disk.Mount(t.Context(), homes, writing))
	shell(t, `mkdir -p "$1/alice"; echo dear > "$1/alice/letter"; chown -R 1000:1000 "$1/alice"`, writing)
	require.NoError(t, disk.Unmount(t.Context(), writing))
	shell(t, `cd "$1"; mkdir -p etc sbin home bin var/log; printf 'ID=debian\n' > etc/os-release; printf '#!/bin/sh\n' > sbin/init; chmod 755 sbin/init
		echo 'alice:x:1000:1000::/home/alice:/bin/sh' > etc/passwd; echo yes > etc/app.conf
		printf '# comment\nUUID=0 / ext4 defaults 0 1\nUUID=1111-22 /home ext4 defaults 0 2\nUUID=gone /var/log ext4 defaults 0 2\ntmpfs /home/alice/tmp tmpfs\n' > etc/fstab`, root)

	capability, options := target.Capabilities().UserState, machine.CaptureOptions{Include: []string{"/etc/app.conf"}, Target: &machine.Target{Disk: 0, Partition: 1}}
	var stream bytes.Buffer
	notes, err := capability.Capture(t.Context(), &stream, options, nothing)
	require.NoError(t, err)
	require.Contains(t, notes[0], "does not run")
	entries, err := os.ReadDir(filepath.Join(root, "home"))
	require.NoError(t, err)
	require.Empty(t, entries, "the volume with the homes is unmounted again")

	fresh := t.TempDir()
	shell(t, `mkdir "$1/etc"; echo 'alice:x:1500:1500::/users/alice:/bin/sh' > "$1/etc/passwd"`, fresh)
	_, err = userstate.Linux{Root: fresh}.Restore(t.Context(), &stream, machine.RestoreOptions{}, nothing)
	require.NoError(t, err)
	shell(t, `cd "$1"; [ "$(cat users/alice/letter)" = dear ]; [ "$(stat -c %u users/alice/letter)" = 1500 ]; [ "$(cat etc/app.conf)" = yes ]`, fresh)
	_, err = capability.Restore(t.Context(), &stream, machine.RestoreOptions{}, nothing)
	require.ErrorContains(t, err, "in the system that runs")

	// Homes that cannot be had, or lie behind a link that could lead anywhere, fail the capture.
	for _, c := range [][2]string{
		{"no disk here has it", `sed -i s/1111-22/3333-44/ "$1/etc/fstab"`},
		{"subvolumes", `echo 'UUID=1111-22 /home btrfs subvol=@home 0 0' > "$1/etc/fstab"`},
		{"is no folder", `echo 'UUID=1111-22 /home ext4' > "$1/etc/fstab"; rmdir "$1/home"; ln -s /tmp "$1/home"`},
		{"holds no Linux", `rm -r "$1/etc" "$1/sbin"`},
	} {
		shell(t, c[1], root)
		_, err := capability.Capture(t.Context(), &stream, options, nothing)
		require.ErrorContains(t, err, c[0])
	}
}

package target

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// Apply, change, capture, apply again: the same files, without the run's own folder.
func TestCaptureImage(t *testing.T) {
	needTools(t, "wimlib-imagex", "tar")
	for _, name := range []string{"ref.wim", "ref.tar.zst"} {
		t.Run(name, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "first.tar")
			shell(t, `tar -C "$1" -cf "$2" .`, linuxTree(t), image)
			first := newTarget(t, loopVolume(t), disk.EXT4)
			r := request(image)
			r.Data = true
			_, err := images{first}.Apply(t.Context(), r, nothing)
			require.NoError(t, err)
			v, err := first.find(machine.Volume{Partition: 1})
			require.NoError(t, err)
			root, err := first.mount(t.Context(), v)
			require.NoError(t, err)
			shell(t, `cd "$1"; echo changed > etc/new; rm owned; mkdir -p _SMSTaskSequence; echo x > _SMSTaskSequence/x`, root)

			file := filepath.Join(t.TempDir(), name)
			done, err := imaging{first}.CaptureImage(t.Context(), machine.CaptureRequest{File: file, Name: "ref", Target: &machine.Target{Disk: 0, Partition: 1}}, nothing)
			require.NoError(t, err)
			assert.Equal(t, 1, done.Images)
			assert.Positive(t, done.Bytes)

			second := newTarget(t, loopVolume(t), disk.EXT4)
			r = request(file)
			r.Data = true
			_, err = images{second}.Apply(t.Context(), r, nothing)
			require.NoError(t, err)
			v, err = second.find(machine.Volume{Partition: 1})
			require.NoError(t, err)
			again, err := second.mount(t.Context(), v)
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(filepath.Join(root, "_SMSTaskSequence")))
			require.NoError(t, os.Remove(filepath.Join(root, "dev/null"))) // what is in dev belongs to the kernel
			shell(t, `diff -r --no-dereference -x lost+found "$1" "$2"; [ "$(stat -c %a "$2/sbin/init")" = 4755 ]; [ "$(stat -c %h "$2/sbin/init")" = 2 ]`, root, again)
		})
	}
}

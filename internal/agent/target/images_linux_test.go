package target

import (
	"archive/tar"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// imagePackage is the folder of a package with an image of one file, and what its builder says of it.
func imagePackage(t *testing.T, metadata string) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "image.tar"))
	require.NoError(t, err)
	w := tar.NewWriter(f)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644, Size: 5, Format: tar.FormatPAX}))
	_, err = w.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "image.json"), []byte(metadata), 0o600))
	return dir
}

func TestImageThatDoesNotFitDeletesNothing(t *testing.T) {
	device := loopVolume(t)
	target := New(Options{Mounts: t.TempDir(), Say: func(string, ...any) {}})
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	_, err := target.table.Set(0, []disk.Volume{{Partition: 1, Device: device, PARTUUID: "p1", Type: "Primary", FileSystem: disk.EXT4, Size: 32 << 20}})
	require.NoError(t, err)
	root := filepath.Join(target.options.Mounts, filepath.Base(device))
	request := machine.ApplyRequest{Dir: imagePackage(t, `{"unpacked": 5000000000, "files": 10}`), PackageID: "BYD00002",
		Target: machine.Target{Disk: 0, Partition: 1}}
	progress := func(int64, int64, string) {}

	v, err := target.find(machine.Volume{Partition: 1})
	require.NoError(t, err)
	_, err = target.mount(t.Context(), v)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "precious"), nil, 0o600))
	_, err = images{target}.Apply(t.Context(), request, progress)
	require.ErrorIs(t, err, apply.ErrTooSmall)
	require.ErrorContains(t, err, "the image needs 4.7 GiB")
	require.FileExists(t, filepath.Join(root, "precious"))

	request.Dir = imagePackage(t, `{"unpacked": 5, "files": 1}`)
	_, err = images{target}.Apply(t.Context(), request, progress)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "hello"))
	require.NoFileExists(t, filepath.Join(root, "precious"))
}

func TestMetadataThatIsNotToBeBelieved(t *testing.T) {
	for _, text := range []string{"", "{", `{"unpacked": -1}`, `{"unpacked": 1e300}`, `{"files": 9000000000000000}`, "[]"} {
		require.Zero(t, metadata(filepath.Join(imagePackage(t, text), "image.tar")), text)
	}
	require.Zero(t, metadata(filepath.Join(t.TempDir(), "image.tar")))
}

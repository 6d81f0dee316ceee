package apply

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TS-118b: the EFI partition of a disk image starts on a machine that never heard of it.
func TestTS118bAdoptESP(t *testing.T) {
	const fallback = "EFI/BOOT/BOOTX64.EFI"
	for name, tc := range map[string]struct {
		files []string
		want  map[string]string // files after it, by what they are copies of
		note  string
	}{
		"has one":        {[]string{fallback, "EFI/debian/grubx64.efi"}, map[string]string{fallback: fallback}, ""},
		"GRUB":           {[]string{"EFI/alien/grubx64.efi", "EFI/debian/grubx64.efi"}, map[string]string{fallback: "EFI/debian/grubx64.efi"}, "EFI/debian"},
		"another's GRUB": {[]string{"EFI/Alien/grubx64.efi", "EFI/debian/readme"}, map[string]string{fallback: "EFI/Alien/grubx64.efi"}, "EFI/Alien"},
		"shim": {[]string{"EFI/debian/shimx64.efi", "EFI/debian/grubx64.efi", "EFI/debian/mmx64.efi"}, map[string]string{
			fallback: "EFI/debian/shimx64.efi", "EFI/BOOT/grubx64.efi": "EFI/debian/grubx64.efi", "EFI/BOOT/mmx64.efi": "EFI/debian/mmx64.efi"}, "EFI/debian"},
		"systemd-boot": {[]string{"EFI/systemd/systemd-bootx64.efi", "loader/random-seed"}, map[string]string{fallback: "EFI/systemd/systemd-bootx64.efi"}, "systemd-boot"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, root := espOf(t, tc.files...)
			note, err := adoptESP(root, "debian", efiFor(""))
			require.NoError(t, err)
			if tc.note == "" {
				assert.Empty(t, note)
			}
			assert.Contains(t, note, tc.note)
			for file, source := range tc.want {
				data, err := os.ReadFile(filepath.Join(dir, file))
				require.NoError(t, err)
				assert.Equal(t, source, string(data), file)
			}
			assert.FileExists(t, filepath.Join(dir, DeployedMark))
			assert.NoFileExists(t, filepath.Join(dir, MarkerOnESP), "of the run that made the source")
			assert.NoFileExists(t, filepath.Join(dir, "loader/random-seed"))
		})
	}
	_, root := espOf(t, "EFI/Microsoft/Boot/bootmgfw.efi", "EFI/BOOT/BOOTAA64.EFI")
	_, err := adoptESP(root, "debian", efiFor(""))
	require.ErrorIs(t, err, ErrNoLoader)
}

// espOf is a folder with files that hold their own names, and a mark of another run.
func espOf(t *testing.T, files ...string) (string, *os.Root) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range append(files, MarkerOnESP) {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, root.Close()) })
	return dir, root
}

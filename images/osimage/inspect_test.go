package osimage_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/osimage"
)

const status = `Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21

Package: gone
Status: deinstall ok config-files
Version: 2

Package: bash
Status: install ok installed
Version: 5.2
Description: a shell
 Status: not a field
`

func archive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755}))
	for name, data := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}))
		_, err := w.Write([]byte(data))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}

func TestInspect(t *testing.T) {
	data := archive(t, map[string]string{
		"./etc/os-release":                          "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n",
		"./boot/vmlinuz-6.1.0-9-amd64":              string(make([]byte, 5000)),
		"./var/lib/dpkg/status":                     status,
		"./usr/lib/grub/i386-pc/boot.img":           "x",
		"./usr/lib/grub/x86_64-efi/normal.mod":      "x",
		"./usr/bin/bootyard-agent":                  "x",
		"../../boot/../boot/vmlinuz-6.1.0-10-amd64": "x",
	})
	enc, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	for name, content := range map[string][]byte{"plain": data, "zstd": enc.EncodeAll(data, nil)} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "image")
			require.NoError(t, os.WriteFile(file, content, 0o600))
			m, err := osimage.Inspect(t.Context(), file)
			require.NoError(t, err)
			require.Equal(t, osimage.Metadata{
				OSID: "debian", OSVersion: "12", OSName: "Debian 12", Arch: "amd64",
				Kernels:  []string{"6.1.0-10-amd64", "6.1.0-9-amd64"},
				Unpacked: (1 + 2 + 6 - 1 + 1) * 4096, Files: 8, HasAgent: true, BIOS: true, UEFI: true,
				Packages: []osimage.Package{{Name: "bash", Version: "5.2"}, {Name: "dpkg", Version: "1.21"}},
			}, m)
		})
	}
}

func TestInspectRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty":       {},
		"not a tar":   bytes.Repeat([]byte("no archive "), 200),
		"no system":   archive(t, map[string]string{"a": "b"}),
		"cut off":     archive(t, map[string]string{"etc/os-release": "ID=x\n" + string(make([]byte, 9000))})[:3000],
		"broken zstd": []byte("\x28\xb5\x2f\xfdgarbage that is no frame"),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "image")
			require.NoError(t, os.WriteFile(file, data, 0o600))
			_, err := osimage.Inspect(t.Context(), file)
			require.Error(t, err)
		})
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(archive(f, map[string]string{"etc/os-release": "ID=x\n", "var/lib/dpkg/status": status}))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "image")
		require.NoError(t, os.WriteFile(file, data, 0o600))
		m, err := osimage.Inspect(t.Context(), file)
		if err == nil {
			require.True(t, m.OSID != "" || len(m.Kernels) > 0)
		}
	})
}

package loader_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe/loader"
)

func need(t *testing.T) {
	if _, err := exec.LookPath("grub-mkstandalone"); err != nil {
		t.Skip("grub-mkstandalone is not installed (Debian package grub-common)")
	}
	if _, err := os.Stat("/usr/lib/grub/x86_64-efi/http.mod"); err != nil {
		t.Skip("GRUB modules are not installed (Debian package grub-efi-amd64-bin)")
	}
}

func TestBuild(t *testing.T) {
	need(t)
	cfg := loader.Config{Cache: filepath.Join(t.TempDir(), "cache"), Servers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")}}
	c, err := loader.Build(t.Context(), cfg)
	require.NoError(t, err)
	img, ok := c.File("grub-x64-10.0.0.1-80.efi")
	require.True(t, ok)
	require.Equal(t, "MZ", string(img[:2]))
	for _, l := range c.List() {
		require.Len(t, l.SHA256, 64)
		require.NotEmpty(t, l.Package)
		require.NotEmpty(t, l.Version)
		require.Positive(t, l.Size)
	}
	_, ok = c.File("../catalog.go")
	require.False(t, ok)

	images, err := filepath.Glob(filepath.Join(cfg.Cache, "grub-*.efi"))
	require.NoError(t, err)
	require.Len(t, images, 1)
	before, err := os.Stat(images[0])
	require.NoError(t, err)
	_, err = loader.Build(t.Context(), cfg)
	require.NoError(t, err)
	after, err := os.Stat(images[0])
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "the second build comes from the cache")

	require.NoError(t, os.WriteFile(images[0], []byte("MZ damaged"), 0o644))
	c, err = loader.Build(t.Context(), cfg)
	require.NoError(t, err)
	again, _ := c.File("grub-x64-10.0.0.1-80.efi")
	require.Greater(t, len(again), 100_000, "a damaged image is built anew")
}

func TestMissingNamesPackage(t *testing.T) {
	_, err := loader.Build(t.Context(), loader.Config{Root: t.TempDir(), Cache: t.TempDir()})
	require.ErrorIs(t, err, loader.ErrMissing)
	require.ErrorContains(t, err, "apt-get install ipxe")
	require.ErrorContains(t, err, "apt-get install grub-efi-amd64-bin")
}

func TestOperatorsOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own")
	require.NoError(t, os.WriteFile(file, []byte("own iPXE"), 0o644))
	c, err := loader.Build(t.Context(), loader.Config{Root: t.TempDir(), Cache: t.TempDir(), Extra: map[string]string{"undionly.kpxe": file}})
	require.NoError(t, err)
	b, ok := c.File("undionly.kpxe")
	require.True(t, ok)
	require.Equal(t, "own iPXE", string(b))
	require.Equal(t, "operator", c.List()[0].Package)
	require.NotEmpty(t, c.Missing())
}

package osimage_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/osimage"
)

// TestBuildDebian makes the image from Debian's packages and finds in it what
// deployment needs (TS-118b); the second call costs nothing.
func TestBuildDebian(t *testing.T) {
	if os.Getenv("BOOTYARD_VM") != "1" {
		t.Skip("needs Debian's mirror and minutes: set BOOTYARD_VM=1")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	t.Cleanup(cancel)
	cache := t.TempDir()
	if dir := os.Getenv("BOOTYARD_CACHE"); dir != "" {
		cache = filepath.Join(dir, "osimage")
	}
	cfg := osimage.Config{
		OutDir: t.TempDir(), CacheDir: cache, Autologin: true, KernelArgs: "no_timer_check",
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	img, err := osimage.BuildDebian(ctx, cfg)
	require.NoError(t, err)
	require.Equal(t, "debian", img.OSID)
	require.Equal(t, "amd64", img.Arch)
	require.Len(t, img.Kernels, 1)
	require.True(t, img.BIOS)
	require.True(t, img.UEFI)
	require.False(t, img.HasAgent)
	require.Less(t, img.Size, int64(130_000_000))

	read, err := osimage.Inspect(ctx, img.Path)
	require.NoError(t, err)
	require.Equal(t, img.Metadata, read)

	again, err := osimage.BuildDebian(ctx, cfg)
	require.NoError(t, err)
	require.True(t, again.Cached)
	require.Equal(t, img.SHA256, again.SHA256)
}

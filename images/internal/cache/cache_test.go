package cache_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/internal/cache"
)

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, n := range all {
		out = append(out, n.Name())
	}
	return out
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "cache")
	held, err := cache.Lock(t.Context(), dir)
	require.NoError(t, err)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = cache.Lock(over, dir)
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "another build uses "+dir)

	second := make(chan error)
	go func() {
		again, err := cache.Lock(t.Context(), dir)
		if err == nil {
			err = again.Close()
		}
		second <- err
	}()
	require.NoError(t, held.Close())
	require.NoError(t, <-second, "the second gets it when the first is done")
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	require.NoError(t, cache.WriteFile(name, []byte("old")))
	broken := errors.New("broken")
	err := cache.Replace(name, func(f *os.File) error {
		_, _ = f.WriteString("half")
		return broken
	})
	require.ErrorIs(t, err, broken)
	assert.Equal(t, []string{"file"}, names(t, dir), "nothing half-made is left")
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "old", string(got))
	sum, size, err := cache.HashFile(name)
	require.NoError(t, err)
	assert.Equal(t, int64(3), size)
	assert.Equal(t, "cba06b5736faf67e54b07b561eae9439", sum[:32])
}

func TestLinkFile(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	require.NoError(t, os.WriteFile(src, []byte("new"), 0o600))
	require.NoError(t, os.WriteFile(dst, []byte("old"), 0o600))
	for range 2 { // the second time both are the same file
		require.NoError(t, cache.LinkFile(src, dst))
		got, err := os.ReadFile(dst)
		require.NoError(t, err)
		assert.Equal(t, "new", string(got))
		assert.Equal(t, []string{"dst", "src"}, names(t, dir))
	}
	require.Error(t, cache.LinkFile(filepath.Join(dir, "none"), dst))
	assert.Equal(t, []string{"dst", "src"}, names(t, dir))
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"build-1/deep", "lock-9", "packages"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, f := range []string{"build-1/deep/file", ".base.json.12", "lock", "base.json"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, f), nil, 0o600))
	}
	assert.Empty(t, cache.Sweep(dir, "build-", "lock-"))
	assert.Equal(t, []string{"base.json", "lock", "packages"}, names(t, dir))

	out := t.TempDir() // holds other people's files too
	for _, f := range []string{"image", ".image.17", ".image.18/new", ".profile", "image.2"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(out, f)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(out, f), nil, 0o600))
	}
	cache.SweepTemporary(out, "image", "other")
	assert.Equal(t, []string{".profile", "image", "image.2"}, names(t, out))
}

func TestRoom(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, cache.Room(dir, 1))
	err := cache.Room(dir, 1<<60)
	require.ErrorIs(t, err, cache.ErrFull)
	assert.ErrorContains(t, err, dir)
	require.Error(t, cache.Room(filepath.Join(dir, "none"), 1))
}

// A killed build may have left the machine's own folders mounted in its tree.
func TestSweepSparesMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	dir, machine := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(machine, "precious"), nil, 0o600))
	at := filepath.Join(dir, "build-1", "a b")
	require.NoError(t, os.MkdirAll(at, 0o755))
	require.NoError(t, unix.Mount(machine, at, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	assert.Equal(t, []string{filepath.Join(dir, "build-1")}, cache.Sweep(dir, "build-"))
	assert.FileExists(t, filepath.Join(machine, "precious"))
	require.NoError(t, unix.Unmount(at, 0))
	assert.Empty(t, cache.Sweep(dir, "build-"))
	assert.Empty(t, names(t, dir))
}

package client_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/client"
)

// TS-136: the cache of an installed system is bounded, and what was used longest ago goes first.
func TestTS136Trim(t *testing.T) {
	dir := t.TempDir()
	for i, id := range []string{"BYD00001", "BYD00002", "BYD00003"} {
		name := id + ".1-0123456789ab"
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name, "sub"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "sub", "f"), make([]byte, 100), 0o644))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, ".state"), 0o755))
		note := filepath.Join(dir, ".state", name+".json")
		require.NoError(t, os.WriteFile(note, []byte("{}"), 0o644))
		used := time.Now().Add(-time.Duration(3-i) * time.Hour)
		require.NoError(t, os.Chtimes(note, used, used))
	}
	ids := func() (out []string) {
		list, err := client.List(dir)
		require.NoError(t, err)
		for _, c := range list {
			require.EqualValues(t, 100, c.Bytes)
			out = append(out, c.PackageID)
		}
		return out
	}
	none := func(client.Cached) bool { return false }
	first := func(c client.Cached) bool { return c.PackageID == "BYD00001" }
	require.Equal(t, []string{"BYD00001", "BYD00002", "BYD00003"}, ids())
	removed, err := client.Trim(dir, 300, 0, none)
	require.NoError(t, err)
	require.Empty(t, removed)
	_, err = client.Trim(dir, 300, 250, first)
	var space *client.SpaceError
	require.ErrorAs(t, err, &space)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Len(t, ids(), 3, "nothing is thrown away for what does not fit anyway")
	removed, err = client.Trim(dir, 300, 50, first)
	require.NoError(t, err)
	require.Len(t, removed, 1)
	require.Equal(t, []string{"BYD00001", "BYD00003"}, ids())
	_, err = client.Trim(dir, 300, 150, none)
	require.NoError(t, err)
	require.Equal(t, []string{"BYD00003"}, ids(), "the oldest first")
	require.NoDirExists(t, filepath.Join(dir, ".staging", "BYD00002.1-0123456789ab.gone"))

	stale := filepath.Join(dir, ".staging", "BYD00009.1-0123456789ab", "parts")
	require.NoError(t, os.MkdirAll(stale, 0o755))
	_, err = client.Trim(dir, 300, 0, none)
	require.NoError(t, err)
	require.DirExists(t, stale, "somebody may go on with it")
	old := time.Now().Add(-8 * 24 * time.Hour)
	require.NoError(t, os.Chtimes(stale, old, old))
	_, err = client.Trim(dir, 300, 0, none)
	require.NoError(t, err)
	require.NoDirExists(t, stale)
	_, err = client.Trim(filepath.Join(dir, "none"), 300, 0, none)
	require.NoError(t, err)
}

func TestTS136UseIsNoted(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa"})
	require.False(t, client.Has(b.cache, b.m))
	_, _, err := client.Fetch(t.Context(), b.request(b.serve(nil)))
	require.NoError(t, err)
	require.True(t, client.Has(b.cache, b.m))
	note := filepath.Join(b.cache, ".state", client.FolderName(b.m)+".json")
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(note, old, old))
	_, stats, err := client.Fetch(t.Context(), b.request(b.serve(nil)))
	require.NoError(t, err)
	assert.Zero(t, stats.Bytes)
	list, err := client.List(b.cache)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), list[0].Used, time.Minute)
}

// A package that is moved between caches is complete there, and checked again where it had to be copied.
func TestTS136Move(t *testing.T) {
	for _, other := range []bool{false, true} {
		t.Run(fmt.Sprint("another file system ", other), func(t *testing.T) {
			b := newBench(t, map[string]string{"a": "aa", "sub/b": "bb"})
			source := b.serve(nil)
			_, _, err := client.Fetch(t.Context(), b.request(source))
			require.NoError(t, err)
			to := filepath.Join(t.TempDir(), "to")
			if other {
				if os.Getuid() != 0 {
					t.Skip("needs root to mount a tmpfs")
				}
				require.NoError(t, os.Mkdir(to, 0o755))
				if err := syscall.Mount("tmpfs", to, "tmpfs", 0, "size=20m"); err != nil {
					t.Skipf("cannot mount a tmpfs here: %v", err)
				}
				t.Cleanup(func() { _ = syscall.Unmount(to, syscall.MNT_DETACH) })
			}
			for range 2 { // again after a crash in between
				require.NoError(t, client.Move(t.Context(), b.cache, to, client.FolderName(b.m)))
			}
			request := b.request(source)
			request.Dir = to
			dir, stats, err := client.Fetch(t.Context(), request)
			require.NoError(t, err)
			b.checkDir(dir)
			assert.Zero(t, stats.Bytes)
			assert.Equal(t, other, stats.HashesChecked > 0)
		})
	}
}

package client_test

import (
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/client"
)

func TestFullDisk(t *testing.T) { // DOP-12
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	b := newBench(t, map[string]string{"image": bigData})
	if err := syscall.Mount("tmpfs", b.cache, "tmpfs", 0, "size=20m"); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(b.cache, syscall.MNT_DETACH) })
	var asked atomic.Int32
	source := b.serve(func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		asked.Add(1)
		h.ServeHTTP(w, r)
	})
	_, _, err := client.Fetch(t.Context(), b.request(source))
	var space *client.SpaceError
	require.ErrorAs(t, err, &space)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	assert.Greater(t, space.Needed, space.Available)
	assert.Zero(t, asked.Load(), "seen before the first byte")

	// Now the disk fills up while the download runs.
	require.NoError(t, syscall.Mount("tmpfs", b.cache, "tmpfs", syscall.MS_REMOUNT, "size=40m"))
	source = b.serve(func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		_ = os.WriteFile(filepath.Join(b.cache, "filler"), make([]byte, 39<<20), 0o644)
		h.ServeHTTP(w, r)
	})
	request := b.request(source, b.serve(nil))
	request.StallTimeout = time.Minute // the filler is written before the first byte is sent
	_, _, err = client.Fetch(t.Context(), request)
	require.ErrorAs(t, err, &space)
	assert.Contains(t, err.Error(), "make room")

	require.NoError(t, os.Remove(filepath.Join(b.cache, "filler")))
	dir, _, err := client.Fetch(t.Context(), b.request(b.serve(nil)))
	require.NoError(t, err)
	b.checkDir(dir)
}

package client_test

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/content/library"
)

// bench is a library with one package, a cache folder, and a clock that notes how long it was asked to sleep.
type bench struct {
	t     *testing.T
	files map[string]string
	lib   *library.Library
	root  string // of the library
	m     content.Manifest
	cache string

	mu     sync.Mutex
	sleeps []time.Duration
}

// bigData is three chunks and a bit, different in every byte position.
var bigData = func() string {
	data := make([]byte, 3*content.DefaultChunkSize+1234)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return string(data)
}()

func newBench(t *testing.T, files map[string]string) *bench {
	t.Helper()
	b := &bench{t: t, files: files, root: t.TempDir(), cache: t.TempDir()}
	lib, err := library.Open(b.root, library.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32))})
	require.NoError(t, err)
	t.Cleanup(func() { _ = lib.Close() })
	b.lib = lib
	source := t.TempDir()
	for name, data := range files {
		name = filepath.Join(source, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(data), 0o644))
	}
	result, err := lib.Add(t.Context(), "BYD00001", source, nil)
	require.NoError(t, err)
	b.m = result.Manifest
	return b
}

// serve starts a server; wrap may change what the library's handler answers.
func (b *bench) serve(wrap func(http.ResponseWriter, *http.Request, http.Handler)) client.Source {
	b.t.Helper()
	handler := b.lib.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wrap == nil {
			handler.ServeHTTP(w, r)
		} else {
			wrap(w, r, handler)
		}
	}))
	b.t.Cleanup(server.Close)
	return client.Source{BaseURL: server.URL, Kind: client.KindCurrent}
}

func (b *bench) request(sources ...client.Source) client.Request {
	return client.Request{
		Manifest: b.m, Sources: sources, Dir: b.cache, StallTimeout: 30 * time.Second,
		Jitter: func() float64 { return 0 },
		Sleep: func(_ context.Context, d time.Duration) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.sleeps = append(b.sleeps, d)
			return nil
		},
	}
}

// checkDir compares a package's folder with what was imported, to the last file.
func (b *bench) checkDir(dir string) {
	b.t.Helper()
	found := map[string]bool{}
	require.NoError(b.t, filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		data, err := os.ReadFile(name)
		found[rel] = b.files[rel] == string(data)
		return err
	}))
	assert.Len(b.t, found, len(b.files))
	for name, same := range found {
		assert.True(b.t, same, name)
	}
}

// nothingVisible checks that no folder of a package appeared.
func (b *bench) nothingVisible() {
	b.t.Helper()
	entries, err := os.ReadDir(b.cache)
	require.NoError(b.t, err)
	for _, entry := range entries {
		assert.True(b.t, strings.HasPrefix(entry.Name(), "."), entry.Name())
	}
}

func TestFetch(t *testing.T) {
	b := newBench(t, map[string]string{"image": bigData, "sub/a": "same", "b": "same", "empty": "", "deep/er/c": "c"})
	var last client.Progress
	request := b.request(b.serve(nil))
	request.Progress = func(p client.Progress) { last = p }
	dir, stats, err := client.Fetch(t.Context(), request)
	require.NoError(t, err)
	b.checkDir(dir)
	assert.Equal(t, 5, stats.Files)
	assert.EqualValues(t, len(bigData)+len("same")+1, stats.Bytes, "equal files travel once")
	assert.Equal(t, 3, stats.HashesChecked)
	assert.Equal(t, request.Sources[0].BaseURL, stats.Sources["image"])
	assert.Equal(t, last.TotalBytes, last.Bytes)
	assert.Equal(t, 5, last.Files)
	info, err := os.Stat(filepath.Join(dir, "image"))
	require.NoError(t, err)
	assert.EqualValues(t, 0o644, info.Mode().Perm())

	dir2, stats, err := client.Fetch(t.Context(), b.request())
	require.NoError(t, err, "needs no source when it is in the cache")
	assert.Equal(t, dir, dir2)
	assert.Zero(t, stats.Bytes)
	assert.Equal(t, 5, stats.Reused)
	assert.Zero(t, stats.HashesChecked)
}

func TestTS135OneFlippedByteIsRefused(t *testing.T) { // DOP-14, DOP-17, TS-135
	b := newBench(t, map[string]string{"image": bigData, "ok": "fine"})
	flip := b.serve(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		data := []byte(bigData)
		if strings.HasSuffix(r.URL.Path, content.HashOf([]byte("fine")).String()) {
			data = []byte("fine")
		} else {
			data[len(data)/2] ^= 1
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	})
	_, stats, err := client.Fetch(t.Context(), b.request(flip))
	var hashError *client.HashError
	require.ErrorAs(t, err, &hashError)
	assert.ErrorIs(t, err, client.ErrHashMismatch)
	assert.EqualValues(t, 0x80091007, hashError.Code())
	assert.Equal(t, "BYD00001", hashError.PackageID)
	assert.Equal(t, "image", hashError.File)
	assert.Equal(t, content.HashOf([]byte(bigData)), hashError.Expected)
	assert.NotEqual(t, hashError.Expected, hashError.Got)
	assert.Equal(t, []string{flip.BaseURL}, hashError.Sources)
	assert.GreaterOrEqual(t, stats.Bytes, int64(len(bigData)))
	assert.Empty(t, b.sleeps, "asking again for bytes that are wrong helps nobody")
	b.nothingVisible()
	require.NoError(t, filepath.WalkDir(b.cache, func(name string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			info, _ := entry.Info()
			assert.Less(t, info.Size(), int64(1000), "refused bytes are deleted: "+name)
		}
		return err
	}))

	good := b.serve(nil)
	dir, stats, err := client.Fetch(t.Context(), b.request(flip, good))
	require.NoError(t, err)
	b.checkDir(dir)
	assert.Equal(t, good.BaseURL, stats.Sources["image"])
	assert.Equal(t, good.BaseURL, stats.LastSource)
}

func TestCacheIsCheckedBeforeItIsUsedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		damage  func(dir string) error
		recheck client.Recheck
	}{
		"changed":        {func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), []byte("AA"), 0o644) }, client.RecheckStamp},
		"removed":        {func(dir string) error { return os.Remove(filepath.Join(dir, "a")) }, client.RecheckStamp},
		"foreign file":   {func(dir string) error { return os.WriteFile(filepath.Join(dir, "x.dll"), nil, 0o644) }, client.RecheckStamp},
		"link":           {func(dir string) error { return replaceByLink(filepath.Join(dir, "a")) }, client.RecheckStamp},
		"folder in way":  {func(dir string) error { return replaceByFolder(filepath.Join(dir, "a")) }, client.RecheckStamp},
		"silent bit rot": {func(dir string) error { return rot(filepath.Join(dir, "a")) }, client.RecheckHash},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, map[string]string{"a": "aa", "b": "bb"})
			source := b.serve(nil)
			dir, _, err := client.Fetch(t.Context(), b.request(source))
			require.NoError(t, err)
			require.NoError(t, test.damage(dir))
			request := b.request(source)
			request.Recheck = test.recheck
			dir, stats, err := client.Fetch(t.Context(), request)
			require.NoError(t, err)
			b.checkDir(dir)
			assert.LessOrEqual(t, stats.Bytes, int64(2), "only what is bad is downloaded")
			assert.GreaterOrEqual(t, stats.Reused, 1)
		})
	}
}

func replaceByLink(name string) error {
	if err := os.Remove(name); err != nil {
		return err
	}
	return os.Symlink("/etc/passwd", name)
}

func replaceByFolder(name string) error {
	if err := os.Remove(name); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(name, "sub"), 0o755)
}

// rot changes bytes and keeps size and time, as a bad disk does.
func rot(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, []byte("a\x00"), 0o644); err != nil {
		return err
	}
	return os.Chtimes(name, info.ModTime(), info.ModTime())
}

func TestHostileManifestIsRefusedBeforeAnything(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa"})
	for _, path := range []string{"../evil", "/evil", `a\..\evil`, "a\x00"} {
		request := b.request(b.serve(nil))
		request.Manifest.Files = []content.File{request.Manifest.Files[0]}
		request.Manifest.Files[0].Path = path
		_, _, err := client.Fetch(t.Context(), request)
		assert.Error(t, err)
	}
	entries, err := os.ReadDir(b.cache)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestLinkInStagingLeadsNowhere(t *testing.T) {
	b := newBench(t, map[string]string{"sub/a": "aa"})
	outside := t.TempDir()
	// Somebody prepares the staging folder before the first download.
	name := "BYD00001.1-" + b.m.Digest().String()[:12]
	staged := filepath.Join(b.cache, ".staging", name, "tree")
	require.NoError(t, os.MkdirAll(staged, 0o755))
	require.NoError(t, os.Symlink(outside, filepath.Join(staged, "sub")))
	dir, _, err := client.Fetch(t.Context(), b.request(b.serve(nil)))
	require.NoError(t, err)
	b.checkDir(dir)
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestTwoFetchesOfOnePackageShareTheWork(t *testing.T) {
	b := newBench(t, map[string]string{"image": bigData})
	source := b.serve(nil)
	var wg sync.WaitGroup
	var total atomic.Int64
	for range 3 {
		wg.Go(func() {
			request := b.request(source)
			request.Sleep = nil
			_, stats, err := client.Fetch(context.Background(), request)
			assert.NoError(t, err)
			total.Add(stats.Bytes)
		})
	}
	wg.Wait()
	assert.EqualValues(t, len(bigData), total.Load())
}

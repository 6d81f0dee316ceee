package library_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/library"
)

const pkg = "BYD00001"

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func open(t testing.TB, root string) *library.Library {
	t.Helper()
	l, err := library.Open(root, library.Options{Signer: testKey()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// tree writes files into a new folder.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		name = filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(data), 0o644))
	}
	return dir
}

// blobs lists the files stored below root by hash.
func blobs(t testing.TB, root string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "blobs"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		found[entry.Name()] = info.Size()
		return err
	}))
	return found
}

func blobName(root, data string) string {
	h := content.HashOf([]byte(data)).String()
	return filepath.Join(root, "blobs", h[:2], h)
}

// failure is for the tests that do not look at what was removed.
func failure(_ library.Removed, err error) error { return err }

func TestAddStoresEachFileOnce(t *testing.T) { // DOP-20
	root := t.TempDir()
	l := open(t, root)
	var last library.Progress
	result, err := l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "same", "sub/b": "same", "c": "other", "empty": ""}),
		func(p library.Progress) { last = p })
	require.NoError(t, err)
	assert.Equal(t, library.Progress{File: "sub/b", Files: 4, TotalFiles: 4, Bytes: 13, TotalBytes: 13}, last)
	assert.Equal(t, 3, result.Written)
	assert.Len(t, blobs(t, root), 3)

	signed, m, err := l.Manifest(pkg)
	require.NoError(t, err)
	verified, err := content.Verify(signed, testKey().Public().(ed25519.PublicKey))
	require.NoError(t, err)
	assert.Equal(t, m, verified)
	assert.Equal(t, []string{"a", "c", "empty", "sub/b"}, []string{m.Files[0].Path, m.Files[1].Path, m.Files[2].Path, m.Files[3].Path})

	f, err := l.OpenBlob(content.HashOf([]byte("other")))
	require.NoError(t, err)
	defer f.Close()
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	assert.Equal(t, "other", string(data))

	_, err = l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "1"}), nil)
	assert.ErrorIs(t, err, library.ErrExists)
	_, _, err = l.Manifest("BYD00002")
	assert.ErrorIs(t, err, library.ErrNotFound)
	packages, err := l.List()
	require.NoError(t, err)
	assert.Equal(t, []library.Package{{ID: pkg, Versions: []int{1}}}, packages)
}

func TestAddHashesChunks(t *testing.T) {
	data := make([]byte, 2*content.DefaultChunkSize+5)
	for i := range data {
		data[i] = byte(i >> 12)
	}
	l := open(t, t.TempDir())
	result, err := l.Add(t.Context(), pkg, tree(t, map[string]string{"image": string(data)}), nil)
	require.NoError(t, err)
	f := result.Manifest.Files[0]
	assert.Equal(t, content.HashOf(data), f.SHA256)
	assert.Equal(t, []content.Hash{
		content.HashOf(data[:content.DefaultChunkSize]),
		content.HashOf(data[content.DefaultChunkSize : 2*content.DefaultChunkSize]),
		content.HashOf(data[2*content.DefaultChunkSize:]),
	}, f.Chunks)
}

func TestAddTakesASingleFile(t *testing.T) {
	l := open(t, t.TempDir())
	result, err := l.Add(t.Context(), pkg, filepath.Join(tree(t, map[string]string{"image.wim": "x", "secret": "y"}), "image.wim"), nil)
	require.NoError(t, err)
	require.Len(t, result.Manifest.Files, 1)
	assert.Equal(t, "image.wim", result.Manifest.Files[0].Path)
}

func TestAddRefusesWhatIsNoPlainFile(t *testing.T) {
	for name, test := range map[string]struct {
		make func(dir string) error
		want string
	}{
		"symlink":       {func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "odd")) }, "symbolic link"},
		"inner symlink": {func(dir string) error { return os.Symlink("a", filepath.Join(dir, "odd")) }, "symbolic link"},
		"pipe":          {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "odd"), 0o600) }, "named pipe"},
		"backslash":     {func(dir string) error { return os.WriteFile(filepath.Join(dir, `odd\x`), nil, 0o600) }, "rename it"},
		"case":          {func(dir string) error { return os.WriteFile(filepath.Join(dir, `A`), nil, 0o600) }, "case"},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, t.TempDir())
			dir := tree(t, map[string]string{"a": "1"})
			require.NoError(t, test.make(dir))
			_, err := l.Add(t.Context(), pkg, dir, nil)
			assert.ErrorContains(t, err, test.want)
			packages, err := l.List()
			require.NoError(t, err)
			assert.Empty(t, packages)
		})
	}
	l := open(t, t.TempDir())
	_, err := l.Add(t.Context(), pkg, t.TempDir(), nil)
	assert.ErrorContains(t, err, "no files")
	_, err = l.Add(t.Context(), "../../etc", t.TempDir(), nil)
	assert.ErrorContains(t, err, "package id")
}

func TestUpdateWritesOnlyChangedFiles(t *testing.T) { // DOP-22
	root := t.TempDir()
	l := open(t, root)
	dir := tree(t, map[string]string{"a": "one", "b": "two", "c": "three"})
	_, err := l.Add(t.Context(), pkg, dir, nil)
	require.NoError(t, err)

	result, err := l.Update(t.Context(), pkg, dir, nil)
	require.NoError(t, err)
	assert.False(t, result.Changed)
	assert.Equal(t, 1, result.Manifest.Version)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "b"), []byte("TWO"), 0o644))
	result, err = l.Update(t.Context(), pkg, dir, nil)
	require.NoError(t, err)
	assert.True(t, result.Changed)
	assert.Equal(t, 2, result.Manifest.Version)
	assert.Equal(t, 1, result.Written)
	assert.Len(t, blobs(t, root), 4, "the old version stays for runs under way")

	require.NoError(t, failure(l.Prune(pkg, 1)), "there is none before the first")
	assert.Len(t, blobs(t, root), 4)
	pruned, err := l.Prune(pkg, 9)
	require.NoError(t, err)
	assert.Equal(t, library.Removed{Versions: []int{1}, Files: 1, Bytes: 3}, pruned)
	assert.Len(t, blobs(t, root), 3)
	versions, err := l.Versions(pkg)
	require.NoError(t, err)
	assert.Equal(t, []int{2}, versions)
}

func TestRemoveKeepsFilesOfOthers(t *testing.T) { // DOP-20
	root := t.TempDir()
	l := open(t, root)
	for id, files := range map[string]map[string]string{pkg: {"a": "shared", "b": "own"}, "BYD00002": {"x": "shared"}} {
		_, err := l.Add(t.Context(), id, tree(t, files), nil)
		require.NoError(t, err)
	}
	removed, err := l.Remove(pkg, nil)
	require.NoError(t, err)
	assert.Equal(t, library.Removed{Versions: []int{1}, Files: 1, Bytes: 3}, removed)
	assert.Equal(t, map[string]int64{content.HashOf([]byte("shared")).String(): 6}, blobs(t, root))
	assert.ErrorIs(t, failure(l.Remove(pkg, nil)), library.ErrNotFound)
	_, err = l.Update(t.Context(), pkg, t.TempDir(), nil)
	assert.ErrorIs(t, err, library.ErrNotFound)
	require.NoError(t, failure(l.Remove("BYD00002", nil)))
	assert.Empty(t, blobs(t, root))
}

func TestRemoveAsksWhenNobodyElseCanChangeThePackage(t *testing.T) {
	root := t.TempDir()
	l := open(t, root)
	_, err := l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "one"}), nil)
	require.NoError(t, err)
	no := errors.New("no")
	_, err = l.Remove(pkg, func() error {
		_, err := l.Update(t.Context(), pkg, tree(t, map[string]string{"a": "two"}), nil)
		assert.ErrorIs(t, err, library.ErrBusy)
		return no
	})
	require.ErrorIs(t, err, no)
	assert.Len(t, blobs(t, root), 1)
	_, err = l.Update(t.Context(), pkg, tree(t, map[string]string{"a": "two"}), func(library.Progress) {
		_, err := l.Remove(pkg, func() error { t.Error("asked while it is being changed"); return nil })
		assert.ErrorIs(t, err, library.ErrBusy)
	})
	require.NoError(t, err)

	// What is being sent goes on to its end.
	f, err := l.OpenBlob(content.HashOf([]byte("two")))
	require.NoError(t, err)
	defer f.Close()
	removed, err := l.Remove(pkg, nil)
	require.NoError(t, err)
	assert.Equal(t, library.Removed{Versions: []int{1, 2}, Files: 2, Bytes: 6}, removed)
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	assert.Equal(t, "two", string(data))
}

func TestVerifyFindsAFlippedByteAndRedistributeRepairs(t *testing.T) { // DOP-21
	root := t.TempDir()
	l := open(t, root)
	dir := tree(t, map[string]string{"a": "good", "b": "lost", "c": "fine"})
	_, err := l.Add(t.Context(), pkg, dir, nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(blobName(root, "good"), []byte("gOod"), 0o644))
	require.NoError(t, os.Remove(blobName(root, "lost")))

	report, err := l.Verify(t.Context(), pkg)
	require.NoError(t, err)
	assert.Equal(t, []library.BadFile{
		{Path: "a", Expected: content.HashOf([]byte("good")), Got: content.HashOf([]byte("gOod"))},
		{Path: "b", Expected: content.HashOf([]byte("lost")), Missing: true},
	}, report.Bad)

	n, err := l.Redistribute(t.Context(), pkg, dir)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	report, err = l.Verify(t.Context(), pkg)
	require.NoError(t, err)
	assert.Empty(t, report.Bad)

	require.NoError(t, os.WriteFile(blobName(root, "good"), []byte("gOod"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("newer"), 0o644))
	_, err = l.Redistribute(t.Context(), pkg, dir)
	assert.ErrorContains(t, err, "update the package instead")
}

func TestSecondProcessIsRefused(t *testing.T) {
	root := t.TempDir()
	l := open(t, root)
	_, err := library.Open(root, library.Options{Signer: testKey()})
	assert.ErrorIs(t, err, library.ErrLocked)
	require.NoError(t, l.Close())
	open(t, root)
}

func TestCancelledImportLeavesNoPackageAndNoTemporaryFile(t *testing.T) {
	root := t.TempDir()
	l := open(t, root)
	ctx, cancel := context.WithCancel(t.Context())
	dir := tree(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	_, err := l.Add(ctx, pkg, dir, func(p library.Progress) {
		if p.Files == 2 {
			cancel()
		}
	})
	assert.ErrorIs(t, err, context.Canceled)
	packages, err := l.List()
	require.NoError(t, err)
	assert.Empty(t, packages)
	entries, err := os.ReadDir(filepath.Join(root, "temp"))
	require.NoError(t, err)
	assert.Empty(t, entries)

	result, err := l.Add(t.Context(), pkg, dir, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, result.Written, "the two files that arrived are not written again")
}

func TestCollectRemovesOldLeftovers(t *testing.T) {
	root := t.TempDir()
	now := time.Now()
	l, err := library.Open(root, library.Options{Signer: testKey(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	defer l.Close()
	_, err = l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "used"}), nil)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(blobName(root, "orphan")), 0o755))
	require.NoError(t, os.WriteFile(blobName(root, "orphan"), []byte("orphan"), 0o644))

	files, _, err := l.Collect(time.Hour)
	require.NoError(t, err)
	assert.Zero(t, files)
	now = now.Add(2 * time.Hour)
	files, bytes, err := l.Collect(time.Hour)
	require.NoError(t, err)
	assert.Equal(t, 1, files)
	assert.EqualValues(t, 6, bytes)
	report, err := l.Verify(t.Context(), pkg)
	require.NoError(t, err)
	assert.Empty(t, report.Bad)
}

func TestDamagedManifestStopsRemovals(t *testing.T) {
	root := t.TempDir()
	l := open(t, root)
	for id, data := range map[string]string{pkg: "1", "BYD00002": "2"} {
		_, err := l.Add(t.Context(), id, tree(t, map[string]string{"a": data}), nil)
		require.NoError(t, err)
	}
	name := filepath.Join(root, "packages", pkg, "1.json")
	require.NoError(t, os.WriteFile(name, []byte("{}"), 0o644))
	_, _, err := l.Manifest(pkg)
	assert.ErrorIs(t, err, content.ErrSignature)
	assert.ErrorContains(t, failure(l.Remove("BYD00002", nil)), "no content is removed")
	assert.Len(t, blobs(t, root), 2)
	result, err := l.Update(t.Context(), pkg, tree(t, map[string]string{"a": "1"}), nil)
	require.NoError(t, err, "an update writes a new manifest")
	assert.Equal(t, 2, result.Manifest.Version)
	assert.Zero(t, result.Written)
	require.NoError(t, failure(l.Prune(pkg, 2)))
	require.NoError(t, os.WriteFile(filepath.Join(root, "packages", pkg, "2.json"), []byte("not JSON"), 0o644))
	require.NoError(t, failure(l.Remove(pkg, nil)), "a damaged package can be removed")
}

func TestFullDiskIsExplained(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=66m"); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(root, syscall.MNT_DETACH) })
	l := open(t, root)
	dir := tree(t, map[string]string{"big": string(make([]byte, 8<<20))})
	_, err := l.Add(t.Context(), pkg, dir, nil)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	assert.ErrorContains(t, err, "make room")
	assert.Empty(t, blobs(t, root))
	require.NoError(t, errors.Join(os.WriteFile(filepath.Join(dir, "big"), []byte("small"), 0o644)))
	_, err = l.Add(t.Context(), pkg, dir, nil)
	assert.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestImportingGoodFilesAgainRepairsADamagedBlob(t *testing.T) {
	root := t.TempDir()
	l := open(t, root)
	dir := tree(t, map[string]string{"a": "good"})
	_, err := l.Add(t.Context(), pkg, dir, nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(blobName(root, "good"), []byte("gOod"), 0o644))
	_, err = l.Update(t.Context(), pkg, dir, nil)
	require.NoError(t, err)
	report, err := l.Verify(t.Context(), pkg)
	require.NoError(t, err)
	assert.Empty(t, report.Bad)
}

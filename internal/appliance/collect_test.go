package appliance

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/internal/wire"
)

// pkg stores a package of one file through the site, or its next version.
func (b *bench) pkg(id, data string) wire.Package {
	b.t.Helper()
	dir := b.t.TempDir()
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "file"), []byte(data), 0o600))
	p, err := b.site.ImportPackage(b.t.Context(), wire.Package{ID: id, Name: "p"}, dir)
	require.NoError(b.t, err)
	return p
}

// stored counts the bytes in the library.
func (b *bench) stored() (bytes int64) {
	b.t.Helper()
	require.NoError(b.t, filepath.WalkDir(filepath.Join(b.dir("content"), "blobs"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, _ := d.Info()
			bytes += info.Size()
		}
		return err
	}))
	return bytes
}

// DOP-20: a file goes when no package has it any more.
func TestDeletingAPackageFreesItsBytes(t *testing.T) {
	b := newBench(t)
	one, two := b.pkg("", "shared"), b.pkg("", "shared")
	two = b.pkg(two.ID, "only in the second")
	require.Equal(t, int64(24), b.stored())

	gone, err := b.site.DeletePackage(t.Context(), two.ID)
	require.NoError(t, err)
	require.Equal(t, wire.PackageDeleted{ID: two.ID, Files: 1, Bytes: 18}, gone)
	require.Equal(t, int64(6), b.stored())
	gone, err = b.site.DeletePackage(t.Context(), one.ID)
	require.NoError(t, err)
	require.Equal(t, wire.PackageDeleted{ID: one.ID, Files: 1, Bytes: 6}, gone)
	require.Zero(t, b.stored())
	_, err = b.site.DeletePackage(t.Context(), one.ID)
	var p *wire.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, http.StatusNotFound, p.Status)
}

// A record that is there has its content, and content that is there has its
// record, however deletes and updates meet.
func TestDeleteAndUpdateAtOnce(t *testing.T) {
	b := newBench(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte(strconv.Itoa(i)), 0o600))
	}
	ctx := t.Context()
	for range 30 {
		p := b.pkg("", "first")
		var wg sync.WaitGroup
		for _, dir := range dirs {
			wg.Go(func() { _, _ = b.site.ImportPackage(ctx, wire.Package{ID: p.ID, Name: "p"}, dir) })
		}
		wg.Go(func() { _, _ = b.site.DeletePackage(ctx, p.ID) })
		wg.Wait()
		record, err := b.site.Package(ctx, p.ID)
		versions, listErr := b.library.Versions(p.ID)
		require.NoError(t, listErr)
		if err != nil {
			var problem *wire.Problem
			require.ErrorAs(t, err, &problem)
			require.Empty(t, versions, "bytes without a record")
			continue
		}
		require.Contains(t, versions, record.Version, "a record without bytes")
		_, err = b.site.DeletePackage(ctx, p.ID)
		require.NoError(t, err)
	}
}

// What a crash left between the record and the bytes, an import that was cut
// off, and replaced versions go after a day; what is younger or used stays.
func TestCollectorFreesWhatNothingNames(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	used := b.pkg("", "used")
	used = b.pkg(used.ID, "used, second")
	orphan, _ := b.content1() // in the library, with no record: as after a crash
	now := time.Now()
	c := b.collector()
	c.now = func() time.Time { return now }

	require.NoError(t, c.collect(ctx))
	require.Equal(t, int64(4+12+11), b.stored())

	now = now.Add(keepUnused + time.Minute)
	require.NoError(t, c.collect(ctx))
	require.Equal(t, int64(12), b.stored())
	versions, err := b.library.Versions(used.ID)
	require.NoError(t, err)
	require.Equal(t, []int{2}, versions)
	_, _, err = b.library.Manifest(orphan.PackageID)
	require.ErrorIs(t, err, library.ErrNotFound)

	// An import stores content first: the version that the record names stays.
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("third"), 0o600))
	_, err = b.content.Import(ctx, used.ID, 3, dir)
	require.NoError(t, err)
	require.NoError(t, c.collect(ctx))
	versions, err = b.library.Versions(used.ID)
	require.NoError(t, err)
	require.Equal(t, []int{2, 3}, versions)

	// When the records cannot be read nothing goes.
	c.packages = func(context.Context) ([]wire.Package, error) { return nil, errors.New("disk") }
	before := b.stored()
	require.Error(t, c.collect(ctx))
	require.Equal(t, before, b.stored())
}

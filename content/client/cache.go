package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// staleStaging is how long files of a download that nobody goes on with stay in a cache that is trimmed.
const staleStaging = 7 * 24 * time.Hour

// Cached is a complete package in a cache folder.
type Cached struct {
	// Name is the folder below the cache folder.
	Name      string
	PackageID string
	Bytes     int64
	// Used is when it was fetched, or found there by a Fetch, the last time.
	Used time.Time
}

// List returns the complete packages of a cache folder, the one that was used longest ago first. A folder that does not
// exist holds none.
func List(dir string) ([]Cached, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the content in %s: %w", dir, err)
	}
	var out []Cached
	for _, entry := range entries {
		id, _, ok := strings.Cut(entry.Name(), ".")
		if !ok || id == "" || !entry.IsDir() {
			continue
		}
		c := Cached{Name: entry.Name(), PackageID: id}
		if info, err := os.Stat(filepath.Join(dir, stateDir, c.Name+".json")); err == nil {
			c.Used = info.ModTime()
		}
		err := filepath.WalkDir(filepath.Join(dir, c.Name), func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if err == nil {
				c.Bytes += info.Size()
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list the content in %s: %w", dir, err)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Cached) int { return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.Name, b.Name)) })
	return out, nil
}

// FolderName is the name below a cache folder that a package has once it is complete.
func FolderName(m content.Manifest) string {
	return m.PackageID + "." + strconv.Itoa(m.Version) + "-" + m.Digest().String()[:12]
}

// Has reports whether a cache folder holds a package. What is in it is checked by Fetch.
func Has(dir string, m content.Manifest) bool {
	info, err := os.Lstat(filepath.Join(dir, FolderName(m)))
	return err == nil && info.IsDir()
}

// Remove takes a package out of a cache folder, at once for everybody who looks there. One that a Fetch works on stays, with
// false as the answer.
func Remove(dir, name string) (bool, error) {
	lock, err := safefile.TryLock(filepath.Join(dir, stateDir, name+".lock"))
	if err != nil || lock == nil {
		return false, err
	}
	defer lock.Close()
	gone := filepath.Join(dir, stagingDir, name+".gone")
	err = os.RemoveAll(gone)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(gone), 0o755)
	}
	if err == nil {
		err = os.Rename(filepath.Join(dir, name), gone)
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(gone), os.RemoveAll(filepath.Join(dir, stagingDir, name)), os.RemoveAll(filepath.Join(dir, stateDir, name+".json")))
	}
	if err != nil {
		return false, fmt.Errorf("remove content %s: %w", name, err)
	}
	return true, nil
}

// Trim makes a cache folder hold at most limit bytes after room bytes more come into it: packages go, the one that was used
// longest ago first, but none for which keep says so. What was removed is returned, also with an error, which is a
// *SpaceError when those to keep leave no room. Downloads that nobody went on with for a week go too.
func Trim(dir string, limit, room int64, keep func(Cached) bool) (removed []Cached, err error) {
	if err := dropStale(dir); err != nil {
		return nil, err
	}
	list, err := List(dir)
	if err != nil {
		return nil, err
	}
	total, kept := room, room
	for _, c := range list {
		total += c.Bytes
		if keep(c) {
			kept += c.Bytes
		}
	}
	if kept > limit {
		return nil, &SpaceError{Dir: dir, Needed: room, Available: max(limit-(kept-room), 0)}
	}
	for _, c := range list {
		if total <= limit {
			return removed, nil
		}
		if keep(c) {
			continue
		}
		ok, err := Remove(dir, c.Name)
		if err != nil {
			return removed, err
		}
		if ok {
			removed = append(removed, c)
			total -= c.Bytes
		}
	}
	if total > limit { // somebody works on what could go
		return removed, &SpaceError{Dir: dir, Needed: room, Available: max(limit-(total-room), 0)}
	}
	return removed, nil
}

// dropStale removes what downloads left that nobody goes on with.
func dropStale(dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, stagingDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("trim the content in %s: %w", dir, err)
	}
	for _, entry := range entries {
		info, err := os.Stat(filepath.Join(dir, stagingDir, entry.Name(), "parts"))
		if err != nil || time.Since(info.ModTime()) < staleStaging {
			continue
		}
		lock, err := safefile.TryLock(filepath.Join(dir, stateDir, entry.Name()+".lock"))
		if err != nil || lock == nil {
			continue // somebody works on it after all
		}
		err = errors.Join(os.RemoveAll(filepath.Join(dir, stagingDir, entry.Name())), lock.Close())
		if err != nil {
			return fmt.Errorf("trim the content in %s: %w", dir, err)
		}
	}
	return nil
}

// Move takes a complete package from one cache folder to another, by a rename or by a copy. Whoever fetches it there checks
// it anew where it was copied. One that is there already stays as it is.
func Move(ctx context.Context, from, to, name string) error {
	target := filepath.Join(to, name)
	if _, err := os.Lstat(target); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(to, stateDir), 0o755); err != nil {
		return fmt.Errorf("move content %s: %w", name, err)
	}
	err := os.Rename(filepath.Join(from, name), target)
	if err != nil { // another file system: copied aside, so that it appears whole
		aside := filepath.Join(to, stagingDir, name+".moving")
		err = errors.Join(os.RemoveAll(aside), os.MkdirAll(filepath.Dir(aside), 0o755))
		if err == nil {
			err = os.CopyFS(aside, ctxFS{ctx, os.DirFS(filepath.Join(from, name))})
		}
		if err == nil {
			err = safefile.SyncTree(aside)
		}
		if err == nil {
			err = os.Rename(aside, target)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("move content %s: %w", name, err), os.RemoveAll(aside))
		}
	}
	// The note of times makes a later check cheap; without it everything is hashed once more.
	if note, err := os.ReadFile(filepath.Join(from, stateDir, name+".json")); err == nil {
		return safefile.WriteFile(filepath.Join(to, stateDir, name+".json"), note)
	}
	return nil
}

// ctxFS ends a long copy when its context does.
type ctxFS struct {
	ctx context.Context
	fs.FS
}

// Open implements fs.FS.
func (f ctxFS) Open(name string) (fs.File, error) {
	if f.ctx.Err() != nil {
		return nil, context.Cause(f.ctx)
	}
	return f.FS.Open(name)
}

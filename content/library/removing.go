package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// Removed says what a removal freed.
type Removed struct {
	// Versions are those removed, rising.
	Versions []int
	// Files and Bytes count what nothing else needed.
	Files int
	Bytes int64
}

// Remove deletes a package and those of its files that no other package and no running import uses; a file that is just
// being sent goes on to its end. Whether the package may go is the caller's question: agreed is asked when nobody else can
// change the package any more, and its error stops the removal; nil agrees. Removing what is not there is an error that wraps
// ErrNotFound, after agreed was asked. An error after manifests were removed comes with what Removed says so far, and leaves
// files to Collect.
func (l *Library) Remove(packageID string, agreed func() error) (Removed, error) {
	release, err := l.claim(packageID)
	if err != nil {
		return Removed{}, err
	}
	defer release()
	if agreed != nil {
		if err := agreed(); err != nil {
			return Removed{}, err
		}
	}
	versions, err := l.Versions(packageID)
	if err != nil {
		return Removed{}, err
	}
	if len(versions) == 0 {
		return Removed{}, fmt.Errorf("remove package %s: %w", packageID, ErrNotFound)
	}
	return l.removeVersions(packageID, versions)
}

// Prune removes the versions of a package before that one; the newest stays in any case.
func (l *Library) Prune(packageID string, before int) (Removed, error) {
	release, err := l.claim(packageID)
	if err != nil {
		return Removed{}, err
	}
	defer release()
	versions, err := l.Versions(packageID)
	if err != nil {
		return Removed{}, err
	}
	old := 0
	for old < len(versions)-1 && versions[old] < before {
		old++
	}
	if old == 0 {
		return Removed{}, nil
	}
	return l.removeVersions(packageID, versions[:old])
}

// removeVersions deletes manifests, oldest first so that a crash leaves the newest, and then files.
func (l *Library) removeVersions(packageID string, versions []int) (gone Removed, err error) {
	candidates := map[content.Hash]bool{}
	for _, version := range versions {
		_, m, err := l.ManifestVersion(packageID, version)
		if err != nil {
			// A damaged manifest must not make a package immortal; what only it named is left to Collect.
			l.log.Warn("removing a package whose manifest cannot be read", "package", packageID, "version", version, "err", err)
		}
		for _, file := range m.Files {
			candidates[file.SHA256] = true
		}
		if err := os.Remove(l.manifestName(packageID, version)); err != nil {
			return gone, fmt.Errorf("remove package %s: %w", packageID, err)
		}
		l.held.forget(packageID, version)
		gone.Versions = append(gone.Versions, version)
	}
	if err := safefile.SyncDir(l.packageDir(packageID)); err != nil {
		return gone, err
	}
	// Fails while versions are left, which is right.
	_ = os.Remove(l.packageDir(packageID))
	gone.Files, gone.Bytes, err = l.sweep(func(h content.Hash, _ fs.FileInfo) bool { return candidates[h] })
	l.log.Info("package removed", "package", packageID, "versions", gone.Versions, "files", gone.Files, "bytes", gone.Bytes)
	return gone, err
}

// Collect removes files that no package names, no running import needs and that are older than age: leftovers of imports
// that were cut off. A day leaves time to repeat such an import.
func (l *Library) Collect(age time.Duration) (files int, bytes int64, err error) {
	limit := l.now().Add(-age)
	return l.sweep(func(_ content.Hash, info fs.FileInfo) bool { return info.ModTime().Before(limit) })
}

// sweep removes the unused blobs that want accepts.
func (l *Library) sweep(want func(content.Hash, fs.FileInfo) bool) (files int, bytes int64, err error) {
	// The lock is held from reading the manifests to the last removal. An import pins a hash before it looks whether the
	// blob exists and unpins after its manifest is stored, so whatever is used is either pinned or named by a manifest here.
	l.mu.Lock()
	defer l.mu.Unlock()
	used, err := l.used()
	if err != nil {
		return 0, 0, err
	}
	err = filepath.WalkDir(filepath.Join(l.root, "blobs"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		h, parseErr := content.ParseHash(entry.Name())
		if parseErr != nil || used[h] || l.pins[h] > 0 {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if !want(h, info) {
			return nil
		}
		files++
		bytes += info.Size()
		return os.Remove(name)
	})
	if err != nil {
		return files, bytes, fmt.Errorf("remove unused content: %w", err)
	}
	return files, bytes, nil
}

// used collects the hashes that any manifest names. A manifest that cannot be read stops every removal: not knowing what it
// names, any file might be its.
func (l *Library) used() (map[content.Hash]bool, error) {
	packages, err := l.List()
	if err != nil {
		return nil, err
	}
	used := map[content.Hash]bool{}
	for _, p := range packages {
		for _, version := range p.Versions {
			_, m, err := l.ManifestVersion(p.ID, version)
			if errors.Is(err, ErrNotFound) {
				continue // removed by another goroutine since List
			}
			if err != nil {
				return nil, fmt.Errorf("no content is removed while a manifest cannot be read: %w", err)
			}
			for _, file := range m.Files {
				used[file.SHA256] = true
			}
		}
	}
	return used, nil
}

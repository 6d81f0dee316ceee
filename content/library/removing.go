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

// Remove deletes a package and those of its files that no other package and no running import uses. Whether the package may
// go (DOP-22: not while another one needs it) is the caller's question. Removing what is not there is an error that wraps
// ErrNotFound.
func (l *Library) Remove(packageID string) error {
	release, err := l.claim(packageID)
	if err != nil {
		return err
	}
	defer release()
	versions, err := l.Versions(packageID)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return fmt.Errorf("remove package %s: %w", packageID, ErrNotFound)
	}
	return l.removeVersions(packageID, versions)
}

// Prune removes all but the newest keep versions of a package (at least one stays).
func (l *Library) Prune(packageID string, keep int) error {
	release, err := l.claim(packageID)
	if err != nil {
		return err
	}
	defer release()
	versions, err := l.Versions(packageID)
	if err != nil {
		return err
	}
	if keep = max(keep, 1); len(versions) <= keep {
		return nil
	}
	return l.removeVersions(packageID, versions[:len(versions)-keep])
}

// removeVersions deletes manifests, oldest first so that a crash leaves the newest, and then files.
func (l *Library) removeVersions(packageID string, versions []int) error {
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
			return fmt.Errorf("remove package %s: %w", packageID, err)
		}
		l.held.forget(packageID, version)
	}
	if err := safefile.SyncDir(l.packageDir(packageID)); err != nil {
		return err
	}
	// Fails while versions are left, which is right.
	_ = os.Remove(l.packageDir(packageID))
	files, bytes, err := l.sweep(func(h content.Hash, _ fs.FileInfo) bool { return candidates[h] })
	l.log.Info("package removed", "package", packageID, "versions", versions, "files", files, "bytes", bytes)
	return err
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

package library

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// Progress is the state of an import.
type Progress struct {
	// File is the path of the file just finished.
	File string
	// Files and TotalFiles count files done and all files.
	Files, TotalFiles int
	// Bytes and TotalBytes count bytes read and bytes in the source.
	Bytes, TotalBytes int64
}

// Result says what an import did.
type Result struct {
	// Manifest is the manifest that is current now.
	Manifest content.Manifest
	// Changed is false when an update found the content it has already; the version then stays.
	Changed bool
	// Written and BytesWritten count the files that were new to the library.
	Written      int
	BytesWritten int64
}

// claimed takes a package for itself until release, and lists its versions.
func (l *Library) claimed(packageID string) (versions []int, release func(), err error) {
	if release, err = l.claim(packageID); err != nil {
		return nil, nil, err
	}
	if versions, err = l.Versions(packageID); err != nil {
		release()
		return nil, nil, err
	}
	return versions, release, nil
}

// Add imports a folder (or a single file) as version 1 of a new package. It may be repeated after it was cut off: files
// that arrived are not written again. progress may be nil and is called in the caller's goroutine after each file.
func (l *Library) Add(ctx context.Context, packageID, dir string, progress func(Progress)) (Result, error) {
	versions, release, err := l.claimed(packageID)
	if err != nil {
		return Result{}, err
	}
	defer release()
	if len(versions) > 0 {
		return Result{}, fmt.Errorf("%w: %s has version %d: use 'bootyard package update'", ErrExists, packageID, versions[len(versions)-1])
	}
	return l.importVersion(ctx, importJob{packageID: packageID, version: 1, dir: dir, progress: progress})
}

// Update imports a folder as the next version of a package (DOP-22). Only changed files are written; when nothing changed
// the version stays. Older versions are kept for runs that are under way until [Library.Prune].
func (l *Library) Update(ctx context.Context, packageID, dir string, progress func(Progress)) (Result, error) {
	versions, release, err := l.claimed(packageID)
	if err != nil {
		return Result{}, err
	}
	defer release()
	if len(versions) == 0 {
		return Result{}, fmt.Errorf("update package %s: %w: create it with 'bootyard package create'", packageID, ErrNotFound)
	}
	job := importJob{packageID: packageID, version: versions[len(versions)-1] + 1, dir: dir, progress: progress}
	_, previous, err := l.ManifestVersion(packageID, job.version-1)
	if err != nil {
		// Damaged, or signed with a key that is gone: a new version is the way out.
		l.log.Warn("importing the whole package, the last version's manifest cannot be used", "package", packageID, "err", err)
	} else {
		job.previous = &previous
	}
	return l.importVersion(ctx, job)
}

type importJob struct {
	packageID string
	version   int
	dir       string
	progress  func(Progress)
	previous  *content.Manifest
}

func (l *Library) importVersion(ctx context.Context, job importJob) (Result, error) {
	src, err := openSource(ctx, job.dir)
	if err != nil {
		return Result{}, err
	}
	defer src.close()
	var pinned []content.Hash
	defer func() { l.unpin(pinned) }()

	result := Result{Changed: true, Manifest: content.Manifest{
		Format: content.ManifestFormat, PackageID: job.packageID, Version: job.version,
		ChunkSize: content.DefaultChunkSize, CreatedAt: l.now().UTC(),
	}}
	m := &result.Manifest
	for i, item := range src.files {
		file, written, err := l.importFile(ctx, src, job, item, &pinned)
		if err != nil {
			return Result{}, fmt.Errorf("import package %s: %w", job.packageID, err)
		}
		m.Files = append(m.Files, file)
		m.TotalSize += file.Size
		if written {
			result.Written++
			result.BytesWritten += file.Size
		}
		if job.progress != nil {
			job.progress(Progress{File: file.Path, Files: i + 1, TotalFiles: len(src.files), Bytes: m.TotalSize, TotalBytes: src.total})
		}
	}
	if job.previous != nil && slices.EqualFunc(m.Files, job.previous.Files, sameFile) {
		return Result{Manifest: *job.previous, Written: result.Written, BytesWritten: result.BytesWritten}, nil
	}
	// A blob that another import has just put there may not have reached the disk yet.
	if err := safefile.SyncTree(l.root); err != nil {
		return Result{}, l.explain(err)
	}
	if err := l.publish(*m); err != nil {
		return Result{}, l.explain(err)
	}
	l.log.Info("package imported", "package", m.PackageID, "version", m.Version, "files", len(m.Files), "bytes", m.TotalSize,
		"new_files", result.Written, "new_bytes", result.BytesWritten)
	return result, nil
}

func sameFile(a, b content.File) bool { return a.Path == b.Path && a.SHA256 == b.SHA256 }

// importFile brings one file in. A file that is probably there already, or that would leave the disk without room, is hashed
// before anything is written; any other is hashed while it is copied.
func (l *Library) importFile(ctx context.Context, src *source, job importJob, item sourceFile, pinned *[]content.Hash) (content.File, bool, error) {
	f, err := src.open(item.path)
	if err != nil {
		return content.File{}, false, err
	}
	defer f.Close()
	free, err := safefile.Free(l.root)
	if err != nil {
		return content.File{}, false, err
	}
	tight := item.size > free-reserve
	if tight || job.likelyUnchanged(item) {
		file, err := hashFile(ctx, f, item.path)
		if err != nil {
			return content.File{}, false, err
		}
		l.pin(file.SHA256)
		*pinned = append(*pinned, file.SHA256)
		if bad, err := l.check(ctx, file); err != nil || bad == nil {
			return file, false, err
		}
		if tight {
			return content.File{}, false, l.explain(fmt.Errorf("%q needs %d bytes: %w", item.path, item.size, syscall.ENOSPC))
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return content.File{}, false, fmt.Errorf("read %s again: %w", item.path, err)
		}
	}
	return l.store(ctx, f, item.path, pinned)
}

// reserve in bytes is left free for the database and the logs, which usually live on the same disk.
const reserve = 64 << 20

func (j importJob) likelyUnchanged(item sourceFile) bool {
	if j.previous == nil {
		return false
	}
	i, found := slices.BinarySearchFunc(j.previous.Files, item.path, func(f content.File, name string) int {
		return strings.Compare(f.Path, name)
	})
	return found && j.previous.Files[i].Size == item.size
}

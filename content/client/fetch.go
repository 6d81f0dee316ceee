package client

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

const (
	stateDir   = ".state"
	stagingDir = ".staging"
	// lockPoll is how often a Fetch looks whether another one of the same package is done.
	lockPoll = 250 * time.Millisecond
)

// Fetch makes sure that the package is in the cache, complete and verified, and returns its folder. It may be called again
// after any error or crash and goes on where it was; several calls for one package, also in several processes, wait for
// each other. The package's folder appears by one rename, after every file's SHA-256 was found right.
//
// Errors: *HashError, *UnavailableError, *SpaceError, the context's cause, or a local file error. Stats are valid with an
// error too.
func Fetch(ctx context.Context, request Request) (dir string, stats Stats, err error) {
	request, err = request.withDefaults()
	if err != nil {
		return "", stats, fmt.Errorf("fetch content: %w", err)
	}
	for _, file := range request.Manifest.Files {
		// On Windows this also refuses drives, streams and device names.
		if !filepath.IsLocal(filepath.FromSlash(file.Path)) {
			return "", stats, fmt.Errorf("fetch content: package %s: this operating system cannot hold a file named %q", request.Manifest.PackageID, file.Path)
		}
	}
	f, err := newFetch(request)
	if err != nil {
		return "", stats, fmt.Errorf("fetch content: %w", err)
	}
	defer f.root.Close()
	lock, err := f.lock(ctx)
	if err != nil {
		return "", stats, fmt.Errorf("fetch content: %w", err)
	}
	defer lock.Close()
	if err := f.run(ctx); err != nil {
		return "", f.stats, err
	}
	return filepath.Join(request.Dir, f.name), f.stats, nil
}

// fetch is the state of one call of Fetch.
type fetch struct {
	Request
	root     *os.Root
	name     string // of the package's folder
	stats    Stats
	progress Progress
	reported time.Time
	// failed counts, by source, the transfers that broke off or gave wrong bytes; such a source is asked last for the rest of
	// this Fetch.
	failed []int
}

func newFetch(request Request) (*fetch, error) {
	m := request.Manifest
	name := FolderName(m)
	for _, dir := range []string{stateDir, filepath.Join(stagingDir, name, "parts"), filepath.Join(stagingDir, name, "tree")} {
		if err := os.MkdirAll(filepath.Join(request.Dir, dir), 0o755); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(request.Dir)
	if err != nil {
		return nil, err
	}
	f := &fetch{Request: request, root: root, name: name, failed: make([]int, len(request.Sources))}
	f.stats.Sources = map[string]string{}
	f.progress = Progress{TotalFiles: len(m.Files), TotalBytes: m.TotalSize}
	f.Logger = f.Logger.With("package", m.PackageID, "version", m.Version)
	return f, nil
}

func (f *fetch) lock(ctx context.Context) (*safefile.Lock, error) {
	name := filepath.Join(f.Dir, stateDir, f.name+".lock")
	for {
		lock, err := safefile.TryLock(name)
		if err != nil || lock != nil {
			return lock, err
		}
		if err := f.Sleep(ctx, lockPoll); err != nil {
			return nil, fmt.Errorf("wait for another download of package %s: %w", f.Manifest.PackageID, err)
		}
	}
}

func (f *fetch) run(ctx context.Context) error {
	good, err := f.recheck(ctx)
	if err != nil {
		return err
	}
	if good {
		f.used()
		return f.root.RemoveAll(f.staging(""))
	}
	missing, err := f.takeStock(ctx)
	if err != nil {
		return err
	}
	if err := f.checkSpace(missing); err != nil {
		return err
	}
	if len(missing) > 0 && f.Provider != nil {
		if missing, err = f.provided(ctx, len(missing)); err != nil {
			return err
		}
	}
	f.logSources(missing)
	for len(missing) > 0 {
		same := sameContent(missing)
		if err := f.bring(ctx, missing[:same]); err != nil {
			return err
		}
		missing = missing[same:]
	}
	return f.publish()
}

func (f *fetch) staging(name string) string {
	return path.Join(stagingDir, f.name, name)
}

func (f *fetch) logSources(missing []content.File) {
	if len(missing) == 0 {
		return
	}
	order := make([]string, len(f.Sources))
	for i, source := range f.Sources {
		order[i] = string(source.Kind) + " " + source.shown()
	}
	f.Logger.Info("content sources in order", "sources", order, "missing_files", len(missing)) // BGR-15
}

// publish makes the staged tree the package's folder. The note of sizes and times comes first: without the folder it means
// nothing, but a folder without it would be hashed again.
func (f *fetch) publish() error {
	if err := safefile.SyncTree(filepath.Join(f.Dir, stagingDir, f.name)); err != nil {
		return f.local(err)
	}
	if err := f.writeStamp(); err != nil {
		return f.local(err)
	}
	if err := f.root.Rename(f.staging("tree"), f.name); err != nil {
		return f.local(err)
	}
	if err := safefile.SyncDir(f.Dir); err != nil {
		return f.local(err)
	}
	f.Logger.Info("content ready", "files", f.stats.Files, "reused", f.stats.Reused, "bytes", f.stats.Bytes, "hashes", f.stats.HashesChecked)
	return f.root.RemoveAll(f.staging(""))
}

// used notes that the package was wanted now (Cached.Used). Without the note it is only removed earlier than others.
func (f *fetch) used() {
	now := time.Now()
	_ = os.Chtimes(filepath.Join(f.Dir, stateDir, f.name+".json"), now, now)
}

// local explains an error of this machine's disk.
func (f *fetch) local(err error) error {
	if safefile.IsFull(err) {
		return f.full(0)
	}
	return fmt.Errorf("fetch package %s: %w", f.Manifest.PackageID, err)
}

// report calls Progress, at most five times a second unless now is set by the end of a file.
func (f *fetch) report(end bool) {
	if now := time.Now(); end || now.Sub(f.reported) >= 200*time.Millisecond {
		f.reported = now
		f.Progress(f.progress)
	}
}

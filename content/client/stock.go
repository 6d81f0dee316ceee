package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// stamp is what a file looked like right after its hash was found right.
type stamp struct {
	Size    int64 `json:"size"`
	ModTime int64 `json:"mtime"` // nanoseconds since 1970
}

// writeStamp notes size and time of all files of the staged tree.
func (f *fetch) writeStamp() error {
	stamps := make(map[string]stamp, len(f.Manifest.Files))
	for _, file := range f.Manifest.Files {
		info, err := f.root.Lstat(f.staging(path.Join("tree", file.Path)))
		if err != nil {
			return err
		}
		stamps[file.Path] = stamp{Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	}
	data, err := json.Marshal(stamps)
	if err != nil {
		return err
	}
	return safefile.WriteFile(filepath.Join(f.Dir, stateDir, f.name+".json"), data)
}

// recheck says whether the package's folder is there and good. One that is not is moved back to staging, where the good
// files in it are found again.
func (f *fetch) recheck(ctx context.Context) (bool, error) {
	info, err := f.root.Lstat(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, f.local(err)
	}
	if !info.IsDir() {
		return false, f.local(fmt.Errorf("%s in the cache is not a folder: remove it", f.name))
	}
	reason := f.differs()
	if reason == "" && f.Recheck == RecheckHash {
		bad, err := f.keepGood(ctx, f.name)
		if err != nil {
			return false, err
		}
		if len(bad) > 0 {
			reason = fmt.Sprintf("%q has another hash", bad[0].Path)
		}
	} else if reason == "" {
		f.stats.Reused = len(f.Manifest.Files)
		f.progress.Bytes, f.progress.Files = f.Manifest.TotalSize, len(f.Manifest.Files)
	}
	if reason == "" {
		f.Logger.Info("content is in the cache already", "hashed", f.Recheck == RecheckHash)
		f.report(true)
		return true, nil
	}
	f.Logger.Warn("cached content was altered, repairing it", "reason", reason)
	f.resetCounts()
	if err := f.root.RemoveAll(f.staging("tree")); err != nil {
		return false, f.local(err)
	}
	if err := f.root.Rename(f.name, f.staging("tree")); err != nil {
		return false, f.local(err)
	}
	return false, nil
}

func (f *fetch) resetCounts() {
	f.stats.Reused, f.progress.Files, f.progress.Bytes = 0, 0, 0
}

// differs compares the package's folder with the note of its files, and names the first difference.
func (f *fetch) differs() string {
	data, err := os.ReadFile(filepath.Join(f.Dir, stateDir, f.name+".json"))
	if err != nil {
		return "no note of its files"
	}
	var stamps map[string]stamp
	if err := json.Unmarshal(data, &stamps); err != nil {
		return "the note of its files is damaged"
	}
	found, err := f.walk(f.name)
	if err != nil {
		return err.Error()
	}
	for _, file := range f.Manifest.Files {
		info, ok := found[file.Path]
		if !ok || !info.Mode().IsRegular() {
			return fmt.Sprintf("%q is missing", file.Path)
		}
		noted, ok := stamps[file.Path]
		if !ok || info.Size() != file.Size || noted.Size != file.Size || noted.ModTime != info.ModTime().UnixNano() {
			return fmt.Sprintf("%q was changed", file.Path)
		}
		delete(found, file.Path)
	}
	for name := range found {
		return fmt.Sprintf("%q does not belong to it", name)
	}
	return ""
}

// walk lists everything but folders below dir.
func (f *fetch) walk(dir string) (map[string]fs.FileInfo, error) {
	found := map[string]fs.FileInfo{}
	sub, err := fs.Sub(f.root.FS(), dir)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(sub, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found[name], err = entry.Info()
		return err
	})
	return found, err
}

// takeStock keeps the good files of the staged tree and returns those that are missing.
func (f *fetch) takeStock(ctx context.Context) ([]content.File, error) {
	tree := f.staging("tree")
	if err := f.root.MkdirAll(tree, 0o755); err != nil {
		return nil, f.local(err)
	}
	found, err := f.walk(tree)
	if err != nil {
		return nil, f.local(err)
	}
	for _, file := range f.Manifest.Files {
		if info, ok := found[file.Path]; ok && info.Mode().IsRegular() {
			delete(found, file.Path)
		}
	}
	for name := range found { // nothing foreign gets into the package's folder
		if err := f.root.RemoveAll(path.Join(tree, name)); err != nil {
			return nil, f.local(err)
		}
	}
	missing, err := f.keepGood(ctx, tree)
	if err != nil {
		return nil, err
	}
	return groupEqual(missing), nil
}

// groupEqual keeps the order of the manifest but puts files with the same hash behind the first of them.
func groupEqual(files []content.File) []content.File {
	first := make(map[content.Hash]int, len(files))
	for i, file := range files {
		if _, ok := first[file.SHA256]; !ok {
			first[file.SHA256] = i
		}
	}
	slices.SortStableFunc(files, func(a, b content.File) int { return cmp.Compare(first[a.SHA256], first[b.SHA256]) })
	return files
}

// keepGood hashes the files below dir and returns those that are missing or wrong; wrong ones are removed.
func (f *fetch) keepGood(ctx context.Context, dir string) (missing []content.File, err error) {
	for _, file := range f.Manifest.Files {
		name := path.Join(dir, file.Path)
		good, err := f.hashMatches(ctx, name, file)
		if err != nil {
			return nil, f.local(err)
		}
		if !good {
			if err := f.root.RemoveAll(name); err != nil {
				return nil, f.local(err)
			}
			missing = append(missing, file)
			continue
		}
		f.stats.Reused++
		f.progress.File, f.progress.Files, f.progress.Bytes = file.Path, f.progress.Files+1, f.progress.Bytes+file.Size
		f.report(false)
	}
	return missing, nil
}

func (f *fetch) hashMatches(ctx context.Context, name string, file content.File) (bool, error) {
	info, err := f.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != file.Size {
		return false, nil // missing, or in the way: removed and fetched
	}
	r, err := f.root.Open(name)
	if err != nil {
		return false, err
	}
	defer r.Close()
	h := newHash()
	if _, err := io.CopyBuffer(h, ctxReader{ctx, r}, make([]byte, 1<<20)); err != nil {
		return false, err
	}
	f.stats.HashesChecked++
	return content.Hash(h.Sum(nil)) == file.SHA256, nil
}

// ctxReader makes a long read end when the context does.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

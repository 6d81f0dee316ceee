package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// sameContent returns how many files at the start of the list have the same hash.
func sameContent(files []content.File) int {
	n := slices.IndexFunc(files, func(file content.File) bool { return file.SHA256 != files[0].SHA256 })
	if n < 0 {
		return len(files)
	}
	return n
}

func (f *fetch) partName(file content.File) string {
	return filepath.Join(f.Dir, stagingDir, f.name, "parts", file.SHA256.String())
}

// bring gets the bytes of equal files once and puts them in place.
func (f *fetch) bring(ctx context.Context, files []content.File) error {
	file := files[0]
	f.progress.File = file.Path
	source := ""
	if file.Size == 0 {
		if err := os.WriteFile(f.partName(file), nil, 0o644); err != nil {
			return f.local(err)
		}
	} else {
		var err error
		if source, err = f.download(ctx, file); err != nil {
			return err
		}
	}
	for i, target := range files {
		if err := f.place(ctx, target, i == len(files)-1); err != nil {
			return f.local(err)
		}
		f.stats.Files++
		f.stats.Sources[target.Path] = source
		f.progress.File, f.progress.Files = target.Path, f.progress.Files+1
		if i > 0 {
			f.progress.Bytes += target.Size
		}
		f.report(true)
	}
	return nil
}

// place moves a verified part into the tree, or copies it when other files need the same bytes. A hard link would do no
// copying, but a step that changes one file would change the other.
func (f *fetch) place(ctx context.Context, file content.File, last bool) error {
	target := f.staging(path.Join("tree", file.Path))
	if err := f.root.MkdirAll(path.Dir(target), 0o755); err != nil {
		return err
	}
	part := f.staging(path.Join("parts", file.SHA256.String()))
	if last {
		if err := f.root.Chmod(part, 0o644); err != nil {
			return err
		}
		return f.root.Rename(part, target)
	}
	from, err := f.root.Open(part)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := f.root.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, ctxReader{ctx, from})
	return errors.Join(err, to.Close())
}

// verdicts are what the sources did for one file.
type verdicts struct {
	got  map[int]content.Hash // gave wrong bytes: never asked again for this file
	gone map[int]bool         // said that they do not have it
	last map[int]error        // last failure
}

// download fills the part of a file with verified bytes and returns the source that completed it.
//
// Sources are asked in order, each once a round; a pause comes only when all failed. So a source that is down costs one
// timeout, not its timeout times the number of retries.
func (f *fetch) download(ctx context.Context, file content.File) (string, error) {
	v := verdicts{got: map[int]content.Hash{}, gone: map[int]bool{}, last: map[int]error{}}
	start := f.progress.Bytes
	rounds := max(f.Retry.Count, 0) + 1
	for round := range rounds {
		if round > 0 {
			if err := f.pause(ctx, round, file); err != nil {
				return "", err
			}
		}
		for _, i := range f.order() {
			if _, bad := v.got[i]; bad || v.gone[i] {
				continue
			}
			f.progress.Bytes = start
			done, err := f.attempt(ctx, file, i, &v)
			if err != nil {
				return "", err
			}
			if done {
				f.progress.Bytes = start + file.Size
				return f.Sources[i].shown(), nil
			}
		}
		if len(v.got)+len(v.gone) == len(f.Sources) {
			rounds = round + 1
			break
		}
	}
	return "", f.failure(file, rounds, v)
}

// order lists the sources as given, but those that broke off in this Fetch last.
func (f *fetch) order() []int {
	order := make([]int, len(f.Sources))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(min(f.failed[a], 1), min(f.failed[b], 1)) })
	return order
}

// pause waits before a further round (DOP-19).
func (f *fetch) pause(ctx context.Context, round int, file content.File) error {
	delay := f.Retry.Delay
	for range round - 1 {
		delay = min(2*delay, maxRetryDelay)
	}
	delay += time.Duration(f.Jitter() * float64(delay) / 5)
	f.Logger.Warn("no source gave the file, waiting", "file", file.Path, "round", round, "wait", delay)
	return f.Sleep(ctx, delay)
}

// attempt asks one source. It returns an error only when asking another one cannot help.
func (f *fetch) attempt(ctx context.Context, file content.File, i int, v *verdicts) (done bool, err error) {
	source := f.Sources[i]
	f.stats.LastSource = source.shown()
	f.progress.Source = f.stats.LastSource
	sum, err := f.transfer(ctx, file, source)
	if errors.Is(err, errRangeIgnored) {
		// This server cannot resume: give up the part and take the whole file.
		if err := os.Remove(f.partName(file)); err != nil {
			return false, f.local(err)
		}
		sum, err = f.transfer(ctx, file, source)
	}
	log := f.Logger.With("file", file.Path, "source", f.stats.LastSource)
	if err == nil {
		f.stats.HashesChecked++
		if sum == file.SHA256 {
			return true, nil
		}
		// DOP-17: what is wrong is gone before anything else happens.
		if err := os.Remove(f.partName(file)); err != nil {
			return false, f.local(err)
		}
		v.got[i] = sum
		f.failed[i]++
		log.Error("content refused: hash mismatch", "expected", file.SHA256, "got", sum)
		return false, nil
	}
	if ctx.Err() != nil {
		return false, fmt.Errorf("fetch package %s: %w", f.Manifest.PackageID, context.Cause(ctx))
	}
	var pathError *fs.PathError
	if safefile.IsFull(err) {
		_ = os.Remove(f.partName(file)) // leave room for the log that tells about it
		return false, f.full(0)
	}
	if errors.As(err, &pathError) {
		return false, f.local(err)
	}
	v.last[i] = err
	var status *statusError
	if errors.As(err, &status) && status.permanent() {
		v.gone[i] = true
	} else {
		f.failed[i]++
	}
	log.Warn("download failed", "err", err)
	return false, nil
}

// transfer downloads what is missing of a part and returns the hash of the whole.
func (f *fetch) transfer(ctx context.Context, file content.File, source Source) (content.Hash, error) {
	h := newHash()
	offset, err := f.goodPrefix(ctx, file, h)
	if err != nil {
		return content.Hash{}, err
	}
	if offset == file.Size {
		return content.Hash(h.Sum(nil)), nil
	}
	start := f.progress.Bytes
	f.progress.Bytes = start + offset
	t := &transfer{
		client: f.HTTPClient, source: source, file: file, part: f.partName(file), offset: offset, hash: h, stall: f.StallTimeout,
		seen: func(n int) {
			f.progress.Bytes += int64(n)
			f.report(false)
		},
	}
	sum, received, err := t.run(ctx)
	f.stats.Bytes += received
	f.progress.Bytes = start
	return sum, err
}

// goodPrefix checks a part left by an earlier attempt chunk by chunk, cuts it off before the first chunk that is wrong or
// incomplete, feeds the rest to h and returns its length. So a resumed download never builds on bad bytes, and a wrong hash
// at the end is the fault of the source that was asked last.
func (f *fetch) goodPrefix(ctx context.Context, file content.File, h io.Writer) (int64, error) {
	name := f.partName(file)
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() || info.Size() > file.Size {
		return 0, os.RemoveAll(name)
	}
	part, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer part.Close()
	var good int64
	buffer := make([]byte, min(f.Manifest.ChunkSize, file.Size))
	for _, want := range file.Chunks {
		chunk := buffer[:min(f.Manifest.ChunkSize, file.Size-good)]
		if _, err := io.ReadFull(ctxReader{ctx, part}, chunk); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return 0, err
		}
		if content.HashOf(chunk) != want {
			break
		}
		if _, err := h.Write(chunk); err != nil {
			return 0, err
		}
		good += int64(len(chunk))
	}
	if good == 0 {
		return 0, errors.Join(part.Close(), os.Remove(name)) // Windows removes no open file
	}
	return good, part.Truncate(good)
}

// failure says why a file could not be had.
func (f *fetch) failure(file content.File, rounds int, v verdicts) error {
	var others []error
	var bad []string
	var got content.Hash
	for i, source := range f.Sources {
		if sum, ok := v.got[i]; ok {
			bad, got = append(bad, source.shown()), sum
		} else if err := v.last[i]; err != nil {
			others = append(others, err)
		}
	}
	if len(bad) > 0 {
		return &HashError{PackageID: f.Manifest.PackageID, File: file.Path, Expected: file.SHA256, Got: got, Sources: bad, Others: errors.Join(others...)}
	}
	return &UnavailableError{PackageID: f.Manifest.PackageID, File: file.Path, Rounds: rounds, Last: errors.Join(others...)}
}

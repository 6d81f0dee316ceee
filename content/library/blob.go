package library

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// hasher computes the hash of a file and of its chunks in one pass.
type hasher struct {
	whole, chunk hash.Hash
	left         int64
	size         int64
	chunks       []content.Hash
}

func newHasher() *hasher {
	return &hasher{whole: sha256.New(), chunk: sha256.New(), left: content.DefaultChunkSize}
}

func (h *hasher) Write(p []byte) (int, error) {
	n := len(p)
	h.whole.Write(p)
	h.size += int64(n)
	for len(p) > 0 {
		part := p[:min(int64(len(p)), h.left)]
		h.chunk.Write(part)
		h.left -= int64(len(part))
		p = p[len(part):]
		if h.left == 0 {
			h.endChunk()
		}
	}
	return n, nil
}

func (h *hasher) endChunk() {
	h.chunks = append(h.chunks, content.Hash(h.chunk.Sum(nil)))
	h.chunk.Reset()
	h.left = content.DefaultChunkSize
}

// file returns the entry for a manifest; nothing may be written afterwards.
func (h *hasher) file(name string) content.File {
	if h.left < content.DefaultChunkSize {
		h.endChunk()
	}
	return content.File{Path: name, Size: h.size, SHA256: content.Hash(h.whole.Sum(nil)), Chunks: h.chunks}
}

const copyBuffer = 1 << 20

// hashFile reads a file to its end.
func hashFile(ctx context.Context, f fs.File, name string) (content.File, error) {
	h := newHasher()
	if _, err := io.CopyBuffer(h, ctxReader{ctx, f}, make([]byte, copyBuffer)); err != nil {
		return content.File{}, fmt.Errorf("read %s: %w", name, err)
	}
	return h.file(name), nil
}

// store copies a source file into the library and returns its entry. The blob is pinned as soon as its hash is known, which
// is before it can be missed; pinned tells the caller what to unpin.
func (l *Library) store(ctx context.Context, src *os.File, name string, pinned *[]content.Hash) (_ content.File, written bool, err error) {
	temp, err := os.CreateTemp(l.tempDir(), "blob-*")
	if err != nil {
		return content.File{}, false, fmt.Errorf("content library: %w", err)
	}
	defer os.Remove(temp.Name())
	h := newHasher()
	if _, err := io.CopyBuffer(io.MultiWriter(temp, h), ctxReader{ctx, src}, make([]byte, copyBuffer)); err != nil {
		temp.Close()
		return content.File{}, false, l.explain(fmt.Errorf("copy %s into the content library: %w", name, err))
	}
	file := h.file(name)
	l.pin(file.SHA256)
	*pinned = append(*pinned, file.SHA256)
	// A stored blob is taken only when its bytes are still right, so that importing good files again repairs it.
	if bad, err := l.check(ctx, file); err != nil || bad == nil {
		return file, false, errors.Join(err, temp.Close())
	}
	if err := safefile.Finish(temp); err != nil {
		return content.File{}, false, l.explain(fmt.Errorf("write %s into the content library: %w", name, err))
	}
	return file, true, l.place(temp.Name(), file.SHA256)
}

// place renames a complete file to its name and makes that last.
func (l *Library) place(temp string, h content.Hash) error {
	name := l.blobName(h)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("content library: %w", err)
	}
	if err := os.Rename(temp, name); err != nil {
		return fmt.Errorf("content library: %w", err)
	}
	if err := safefile.SyncDir(filepath.Dir(name)); err != nil {
		return err
	}
	return safefile.SyncDir(filepath.Join(l.root, "blobs"))
}

// explain adds to "disk full" what the administrator can do.
func (l *Library) explain(err error) error {
	if !safefile.IsFull(err) {
		return err
	}
	free, freeErr := safefile.Free(l.root)
	if freeErr != nil {
		return errors.Join(err, freeErr)
	}
	return fmt.Errorf("%w: disk of %s is full (%d bytes free): make room or remove packages; what was copied is kept and the import can be repeated", err, l.root, free)
}

// copyHashed copies src to dst and returns the hash of what was copied.
func copyHashed(ctx context.Context, dst io.Writer, src fs.File) (content.Hash, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(dst, h), ctxReader{ctx, src}, make([]byte, copyBuffer)); err != nil {
		return content.Hash{}, err
	}
	return content.Hash(h.Sum(nil)), nil
}

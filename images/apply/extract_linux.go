package apply

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// Options say how an image is extracted. The zero value is a plain extraction.
type Options struct {
	// Volume names the target in messages, such as "C: (/dev/vda3)".
	Volume string
	// Index is the image in a WIM, from 1; 0 is the first. Other formats hold one.
	Index int
	// Keep leaves what is on the volume and writes over it (OSDWipeDestinationPartition false).
	Keep bool
	// Room is how many bytes of the volume can be used, 0 for all (ApplyNTFS).
	Room int64
	// Image is what the catalogue knows of the image; it is checked against the
	// volume before anything is deleted.
	Image Metadata
	// Preserve are folders, relative to the root, that are neither deleted nor
	// written: the user state and the state of the running sequence (TS-117).
	Preserve []string
	// Progress, when set, is called from time to time with the bytes of the image
	// file that have been read, and its size. It must not block.
	Progress func(done, total int64)
}

// Result says what was extracted.
type Result struct {
	Entries  int64
	Bytes    int64    // of file content
	Warnings []string // at most a few: what the file system could not keep
}

// Extract deletes what is on the volume that is mounted at root, but the
// preserved folders, extracts the image at path into it and syncs. After an
// error the volume's content is not usable; repeating is safe.
func Extract(ctx context.Context, path string, format Format, root string, opts Options) (Result, error) {
	if opts.Volume == "" {
		opts.Volume = root
	}
	if format == FormatAuto {
		var err error
		if format, err = DetectFormat(path); err != nil {
			return Result{}, fmt.Errorf("apply image: %w", err)
		}
	}
	src, err := os.Open(path)
	if err != nil {
		return Result{}, fmt.Errorf("apply image: %w", err)
	}
	defer func() { _ = src.Close() }() // only read from
	info, err := src.Stat()
	if err != nil {
		return Result{}, fmt.Errorf("apply image: %w", err)
	}
	total, err := volumeSize(root)
	if err != nil {
		return Result{}, fmt.Errorf("apply image to %s: %w", opts.Volume, err)
	}
	image := opts.Image
	if format == FormatWIM {
		if image, err = wimSize(path, opts.Index); err != nil {
			return Result{}, fmt.Errorf("apply image %s: %w", path, err)
		}
		opts.Image = image
	}
	image.Bytes = max(image.Bytes, atLeast(src, format, info.Size()))
	if err := Check(image, opts.Volume, total); err != nil {
		return Result{}, fmt.Errorf("apply image %s: %w", path, err)
	}
	switch format {
	case FormatSquashFS:
		return extractSquashFS(ctx, path, root, opts)
	case FormatWIM:
		return extractWIM(ctx, path, root, opts)
	}
	r := &countingReader{ctx: ctx, r: src, total: info.Size(), progress: opts.Progress}
	res, err := ExtractStream(ctx, r, format, root, opts)
	if err == nil && opts.Progress != nil {
		opts.Progress(info.Size(), info.Size())
	}
	return res, err
}

// ExtractStream does what Extract does with a tar image that comes from a
// reader. It reads until the end of the archive and of the compressed stream,
// so that a damaged end is seen.
func ExtractStream(ctx context.Context, src io.Reader, format Format, root string, opts Options) (Result, error) {
	if opts.Volume == "" {
		opts.Volume = root
	}
	fail := func(err error) error { return fmt.Errorf("apply image to %s: %w", opts.Volume, err) }
	r, closeReader, err := decompress(ctx, src, format)
	if err != nil {
		return Result{}, fail(err)
	}
	defer closeReader()
	dir, keep, err := openVolume(ctx, root, opts)
	if err != nil {
		return Result{}, fail(err)
	}
	defer func() { _ = dir.Close() }() // a folder, nothing is written through it
	x := newUnpacker(dir, keep)
	defer x.close()
	err = x.unpack(ctx, r)
	if err == nil {
		err = syncVolume(root)
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		total, _ := volumeSize(root)
		err = &NoSpaceError{Volume: opts.Volume, Needed: opts.Image.need(), Available: total, Entry: x.entry, Err: err}
	}
	if err != nil {
		return x.res, fail(err)
	}
	return x.res, nil
}

// atLeast is how large the content of an image file is for certain, when nobody
// told: a zstd frame may say its size in the header (RFC 8878, 3.1.1.1.4); else a
// compressed file is no larger than its content.
func atLeast(f io.ReaderAt, format Format, size int64) int64 {
	if format == FormatWIM {
		return 0 // other images may be in it; it was asked itself
	}
	var head zstd.Header
	buf := make([]byte, zstd.HeaderMaxSize)
	n, _ := f.ReadAt(buf, 0) // a short file has a short header
	if format == FormatTarZstd && head.Decode(buf[:n]) == nil && head.HasFCS && head.FrameContentSize < 1<<60 {
		return max(size, int64(head.FrameContentSize))
	}
	return size
}

// decompress opens the packing of a tar image.
func decompress(ctx context.Context, src io.Reader, format Format) (io.Reader, func(), error) {
	packing, ok := strings.CutPrefix(string(format), string(FormatTar))
	if !ok {
		return nil, nil, fmt.Errorf("%w: %q", ErrFormat, format)
	}
	return unpackStream(ctx, bufio.NewReaderSize(src, 1<<20), packing)
}

func volumeSize(root string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		return 0, fmt.Errorf("ask for the size of %s: %w", root, err)
	}
	return int64(st.Blocks) * st.Bsize, nil
}

func syncVolume(root string) error {
	f, err := os.Open(root)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only used for the sync
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// countingReader reports progress every few megabytes and ends a read when the
// context has ended.
type countingReader struct {
	ctx         context.Context
	r           io.Reader
	done, total int64
	reported    int64
	progress    func(done, total int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.progress != nil && c.done-c.reported >= 4<<20 {
		c.reported = c.done
		c.progress(c.done, c.total)
	}
	return n, err
}

// openVolume opens the root of a volume that an image is written to and deletes what does not stay there.
func openVolume(ctx context.Context, root string, opts Options) (*os.Root, keep, error) {
	stays, err := newKeep(opts.Preserve)
	if err != nil {
		return nil, stays, err
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, stays, err
	}
	if opts.Keep {
		return dir, stays, nil
	}
	if err := clear(ctx, dir, stays); err != nil {
		_ = dir.Close()
		return nil, stays, fmt.Errorf("delete the old content: %w", err)
	}
	return dir, stays, nil
}

package apply

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/internal/qcow2"
)

const (
	blockChunk = 1 << 20 // what is written, or left out as zeros, in one go
	wipeEnd    = 4 << 20 // what an older table or file system may have at the end of a device
)

// BlockSize is how large the disk in a block-level image is, in bytes. Where the
// packing does not say it, the image is unpacked once to find out; that also
// finds damage before anything is written. Progress is of that.
func BlockSize(ctx context.Context, path string, format Format, progress func(done, total int64)) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read image: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("read image: %w", err)
	}
	switch format {
	case FormatRaw:
		return info.Size(), nil
	case FormatQCOW2:
		i, err := qcow2.Open(f, info.Size())
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		defer i.Close()
		return i.Size(), nil
	case FormatRawZstd:
		if size, ok := zstdSize(f, info.Size()); ok {
			return size, nil
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read image: %w", err)
	}
	r, closeReader, err := openRaw(ctx, f, info.Size(), format, progress)
	if err != nil {
		return 0, err
	}
	defer closeReader()
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		return 0, fmt.Errorf("%s cannot be unpacked: %w", path, err)
	}
	return n, nil
}

func openRaw(ctx context.Context, f io.Reader, size int64, format Format, progress func(done, total int64)) (io.Reader, func(), error) {
	packing, ok := strings.CutPrefix(string(format), string(FormatRaw))
	if !ok {
		return nil, nil, fmt.Errorf("%w: %q", ErrFormat, format)
	}
	counted := &countingReader{ctx: ctx, r: f, total: size, progress: progress}
	return unpackStream(ctx, bufio.NewReaderSize(counted, 1<<20), packing)
}

// WriteBlocks writes a block-level image to a device that nobody uses and syncs
// it. A device that is smaller is refused before anything is written
// (ErrTooSmall). What an older table left at the end of a larger one is wiped.
// After another error the device's content is not usable; repeating is safe.
func WriteBlocks(ctx context.Context, path string, format Format, device string, opts Options) (size int64, err error) {
	if opts.Volume == "" {
		opts.Volume = device
	}
	fail := func(err error) error { return fmt.Errorf("write image to %s: %w", opts.Volume, err) }
	if size, err = BlockSize(ctx, path, format, opts.Progress); err != nil {
		return 0, fail(err)
	}
	room, err := deviceSize(device)
	if err != nil {
		return 0, fail(err)
	}
	if size == 0 {
		return 0, fail(errors.New("the image is empty"))
	}
	if err := Check(Metadata{Bytes: size}, opts.Volume, room); err != nil {
		return 0, fail(err)
	}
	flags := os.O_RDWR
	if info, err := os.Stat(device); err == nil && info.Mode()&os.ModeDevice != 0 {
		flags |= unix.O_EXCL // the kernel's own word that nobody uses it
	}
	dst, err := os.OpenFile(device, flags, 0)
	if errors.Is(err, unix.EBUSY) {
		return 0, fail(errors.New("somebody uses it; nothing was written; unmount it first"))
	}
	if err != nil {
		return 0, fail(err)
	}
	w := &blockWriter{f: dst, limit: size}
	if end := min(room-size, wipeEnd); end > 0 {
		err = w.zero(room-end, end)
	}
	if err == nil {
		err = copyBlocks(ctx, path, format, w, opts)
	}
	if err == nil && w.end != size {
		err = fmt.Errorf("the image ends at %d instead of %d", w.end, size)
	}
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return 0, fail(err)
	}
	return size, nil
}

func copyBlocks(ctx context.Context, path string, format Format, w *blockWriter, opts Options) error {
	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // only read from
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if format == FormatQCOW2 {
		return copyQCOW2(ctx, src, info.Size(), w, opts)
	}
	r, closeReader, err := openRaw(ctx, src, info.Size(), format, opts.Progress)
	if err != nil {
		return err
	}
	defer closeReader()
	buf := make([]byte, blockChunk)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if err := w.put(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			if opts.Progress != nil {
				opts.Progress(info.Size(), info.Size())
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("read image: %w", err)
		}
	}
}

func copyQCOW2(ctx context.Context, src io.ReaderAt, size int64, w *blockWriter, opts Options) error {
	i, err := qcow2.Open(src, size)
	if err != nil {
		return err
	}
	defer i.Close()
	buf := make([]byte, i.ClusterSize())
	reported := int64(0)
	for n := int64(0); n*i.ClusterSize() < i.Size(); n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		length := min(i.ClusterSize(), i.Size()-n*i.ClusterSize())
		zero, err := i.Cluster(n, buf)
		switch {
		case err != nil:
			return err
		case zero:
			err = w.skip(length)
		default:
			err = w.put(buf[:length])
		}
		if err != nil {
			return err
		}
		if opts.Progress != nil && (w.end-reported >= 16<<20 || w.end == i.Size()) {
			reported = w.end
			opts.Progress(w.end, i.Size())
		}
	}
	return w.flush()
}

// blockWriter writes one after the other. Runs of zeros are given to the device as
// such: a disk that can, makes them without being sent them.
type blockWriter struct {
	f     *os.File
	end   int64 // of what was put
	limit int64
	zeros int64 // at the end, not yet written
	slow  bool  // the device knows no order for zeros
}

func (w *blockWriter) put(b []byte) error {
	if w.end+int64(len(b)) > w.limit {
		return fmt.Errorf("the image is larger than the %d bytes that it said", w.limit)
	}
	if allZero(b) {
		return w.skip(int64(len(b)))
	}
	if err := w.flush(); err != nil {
		return err
	}
	_, err := w.f.WriteAt(b, w.end)
	w.end += int64(len(b))
	return err
}

func (w *blockWriter) skip(n int64) error {
	w.zeros += n
	w.end += n
	if w.end > w.limit {
		return fmt.Errorf("the image is larger than the %d bytes that it said", w.limit)
	}
	if w.zeros < 1<<30 && w.end < w.limit {
		return nil
	}
	return w.flush()
}

func (w *blockWriter) flush() error {
	n := w.zeros
	w.zeros = 0
	if n == 0 {
		return nil
	}
	return w.zero(w.end-n, n)
}

func (w *blockWriter) zero(at, n int64) error {
	if !w.slow {
		err := unix.Fallocate(int(w.f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, n)
		if err == nil {
			return nil
		}
		w.slow = true
	}
	buf := make([]byte, min(n, blockChunk))
	for n > 0 {
		k, err := w.f.WriteAt(buf[:min(n, blockChunk)], at)
		if err != nil {
			return err
		}
		at, n = at+int64(k), n-int64(k)
	}
	return nil
}

// deviceSize is that of a block device or of a file.
func deviceSize(device string) (int64, error) {
	f, err := os.Open(device)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only asked
	n, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("ask for the size of %s: %w", device, err)
	}
	return n, nil
}

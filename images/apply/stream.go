package apply

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/bootyard/bootyard/images/internal/command"
)

// unpackStream opens the packing of a stream: "", .zst, .gz or .xz. The function
// must be called when the reader is done with. Window sizes above 128 MiB are
// refused: a machine with little memory must not be killed by a header.
func unpackStream(ctx context.Context, src io.Reader, packing string) (io.Reader, func(), error) {
	switch packing {
	case "":
		return src, func() {}, nil
	case ".gz":
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, nil, fmt.Errorf("read image: %w", err)
		}
		return z, func() { _ = z.Close() }, nil // Close reports nothing that Read did not
	case ".zst":
		z, err := zstd.NewReader(src, zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderConcurrency(max(2, runtime.NumCPU())))
		if err != nil {
			return nil, nil, fmt.Errorf("read image: %w", err)
		}
		return z, z.Close, nil
	case ".xz":
		return unpackXz(ctx, src)
	}
	return nil, nil, fmt.Errorf("%w: %q", ErrFormat, packing)
}

// unpackXz runs xz, which busybox has too. Its exit is checked at the end of the
// stream, so that a damaged end is seen.
func unpackXz(ctx context.Context, src io.Reader) (io.Reader, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "xz", "-dc")
	cmd.Stdin = src
	cmd.WaitDelay = 5 * time.Second
	said := &command.Head{Limit: 4 << 10}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("start xz for the image: %w", err)
	}
	r := &toolReader{r: bufio.NewReaderSize(out, 1<<20), wait: func() error {
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("xz: %w: %s", err, strings.TrimSpace(said.String()))
		}
		return nil
	}}
	return r, func() {
		cancel()
		r.end()
	}, nil
}

// toolReader reads what a program prints; the end is only good when the program's was.
type toolReader struct {
	r     io.Reader
	wait  func() error
	ended bool
	err   error
}

func (t *toolReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if errors.Is(err, io.EOF) {
		if t.end(); t.err != nil {
			err = t.err
		}
	}
	return n, err
}

func (t *toolReader) end() {
	if !t.ended {
		t.ended, t.err = true, t.wait()
	}
}

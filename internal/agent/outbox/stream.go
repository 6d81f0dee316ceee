package outbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	streamPrefix = "log."
	// maxStream bounds what is kept of a log; the appliance takes 64 MiB of a run.
	maxStream = 60 << 20
)

// stream is the log of a run as one sequence of bytes, over rotations and restarts of the machine. The file's name holds
// the offset of its first byte.
type stream struct {
	file       *os.File
	base, end  int64 // offsets of the first byte here and behind the last
	opened     int64 // end when it was opened
	sent       int64
	overflowed bool
}

func openStream(dir string, base int64) (*stream, error) {
	name := filepath.Join(dir, streamPrefix+strconv.FormatInt(base, 10))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for an unsent log: %w", err)
	}
	for _, entry := range entries {
		digits, ok := strings.CutPrefix(entry.Name(), streamPrefix)
		if n, err := strconv.ParseInt(digits, 10, 64); ok && err == nil && n >= 0 {
			name, base = filepath.Join(dir, entry.Name()), n
			break
		}
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep the log: %w", err), f.Close())
	}
	return &stream{file: f, base: base, end: base + info.Size(), opened: base + info.Size(), sent: base}, nil
}

func (s *stream) append(p []byte) error {
	if s.end+int64(len(p)) > maxStream {
		if s.overflowed {
			return nil
		}
		s.overflowed = true
		p = []byte("\r\n(the log became too large to upload; the rest is on the machine)\r\n")
	}
	n, err := s.file.Write(p)
	s.end += int64(n)
	return err
}

// chunk reads the next bytes to send, at most limit.
func (s *stream) chunk(limit int) (offset int64, data []byte, err error) {
	if s.sent < s.base {
		// The appliance has less than this machine can still give; the gap is lost.
		s.sent = s.base
	}
	data = make([]byte, min(int64(limit), s.end-s.sent))
	if len(data) == 0 {
		return s.sent, nil, nil
	}
	n, err := s.file.ReadAt(data, s.sent-s.base)
	if err != nil && !errors.Is(err, io.EOF) {
		return s.sent, nil, fmt.Errorf("read the log for upload: %w", err)
	}
	return s.sent, data[:n], nil
}

// continueAt takes note of how much the appliance has. When that is more than was here at the start, an earlier agent had
// sent more than it left behind; what was written since then moves behind it.
func (s *stream) continueAt(has int64) {
	if shift := has - s.opened; shift > 0 {
		s.base, s.end, s.opened = s.base+shift, s.end+shift, has
	}
	s.sent = has
}

func (s *stream) size() int64   { return s.end }
func (s *stream) unsent() int64 { return s.end - max(s.sent, s.base) }
func (s *stream) close() error  { return s.file.Close() }

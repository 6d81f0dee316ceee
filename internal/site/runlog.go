package site

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	maxLogChunk = 1 << 20
	maxLog      = 64 << 20
)

// logPath maps an id to its file. Only UUIDs are ids, so nothing from the
// network becomes part of a path.
func (s *Service) logPath(kind, id string) (string, error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return "", missing("run", "there is no such log", "")
	}
	return filepath.Join(s.LogDir, kind+"-"+u.String()+".log"), nil
}

func (s *Service) logSize(run string) int64 {
	path, err := s.logPath("run", run)
	if err != nil {
		return 0
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// AppendLog stores a piece of the run's log at its offset. A piece that is
// there already is ignored; one that leaves a gap is refused with the size.
func (s *Service) AppendLog(ctx context.Context, who Session, id string, c wire.LogChunk) (int64, error) {
	if len(c.Data) > maxLogChunk || c.Offset < 0 {
		return 0, invalid("", "data", "a log chunk has at most 1 MiB and an offset from 0", "")
	}
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		_, err := ownRun(tx, who, id)
		return err
	})
	if err != nil {
		return 0, err
	}
	path, err := s.logPath("run", id)
	if err != nil {
		return 0, err
	}
	s.logs.Lock()
	defer s.logs.Unlock()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open run log: %w", err)
	}
	size, err := appendAt(file, c)
	if cerr := file.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("write run log: %w", cerr)
	}
	s.feed.bump()
	return size, err
}

func appendAt(file *os.File, c wire.LogChunk) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, fmt.Errorf("read run log: %w", err)
	}
	size := info.Size()
	if c.Offset > size {
		return size, refusal(409, "", "offset", fmt.Sprintf("the log has %d bytes here, the chunk begins at %d", size, c.Offset), fmt.Sprintf("send from offset %d", size))
	}
	end := c.Offset + int64(len(c.Data))
	if end > maxLog {
		return size, refusal(413, "", "data", "the log of a run has at most 64 MiB", "")
	}
	if end <= size {
		return size, nil
	}
	if _, err := file.WriteAt(c.Data[size-c.Offset:], size); err != nil {
		return size, fmt.Errorf("write run log: %w", err)
	}
	return end, nil
}

func (s *Service) writeDeviceLog(device string, log []byte) error {
	path, err := s.logPath("device", device)
	if err != nil {
		return err
	}
	s.logs.Lock()
	defer s.logs.Unlock()
	tmp, err := os.CreateTemp(s.LogDir, ".device-*")
	if err != nil {
		return fmt.Errorf("write device log: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(log[:min(len(log), maxLogChunk)])
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write device log: %w", err)
	}
	return os.Rename(tmp.Name(), path)
}

// RunLog opens a run's log for reading; the caller closes it. A run that has
// sent none gives an empty reader.
func (s *Service) RunLog(ctx context.Context, id string) (io.ReadSeekCloser, error) {
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Run(id)
		return orMissing(err, "run", "no run has that id", "see `bootyard status`")
	})
	if err != nil {
		return nil, err
	}
	path, err := s.logPath("run", id)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Open(os.DevNull)
	}
	return file, err
}

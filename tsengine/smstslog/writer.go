package smstslog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"
)

// Name is the file name of the log.
const Name = "smsts.log"

// Options of a Writer. The zero value is the documented one: 5 MB, 3 old files, local time (TS-153).
type Options struct {
	MaxSize  int64            // bytes before the file is put aside; 0 is 5 MB
	OldFiles int              // how many old files are kept; 0 is 3
	Now      func() time.Time // nil is time.Now; its location is the one records show
	Mirror   io.Writer        // gets every record as well, such as the upload to the appliance; its errors are ignored
}

// Writer appends records to smsts.log in a folder. It is safe for concurrent use.
type Writer struct {
	mu   sync.Mutex
	opts Options
	dir  string
	file *os.File
	size int64
}

// Open starts or continues the log in dir, which is made if missing.
func Open(dir string, opts Options) (*Writer, error) {
	if opts.MaxSize <= 0 {
		opts.MaxSize = 5 << 20
	}
	if opts.OldFiles <= 0 {
		opts.OldFiles = 3
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w := &Writer{opts: opts, dir: dir}
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Writer) open() error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return fmt.Errorf("make log folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(w.dir, Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	s, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open log: %w", err)
	}
	w.file, w.size = f, s.Size()
	return nil
}

// Dir is the folder the log is in now, the value of _SMSTSLogPath (TS-154).
func (w *Writer) Dir() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dir
}

// Write appends a record. A record without time gets the present one. The log must not stop a deployment: an error is
// returned for the caller to count, and the next record is tried again.
func (w *Writer) Write(r Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Time.IsZero() {
		r.Time = w.opts.Now()
	}
	line := Format(r)
	if w.opts.Mirror != nil {
		_, _ = io.WriteString(w.opts.Mirror, line)
	}
	if w.file == nil {
		return os.ErrClosed
	}
	if w.size > 0 && w.size+int64(len(line)) > w.opts.MaxSize {
		if err := w.rotate(r.Time); err != nil {
			return err
		}
	}
	n, err := w.file.WriteString(line)
	w.size += int64(n)
	return err
}

func (w *Writer) rotate(now time.Time) error {
	old := filepath.Join(w.dir, "smsts-"+now.Format("20060102-150405")+".log")
	for i := 1; exists(old); i++ { // two in one second: neither may be lost
		old = filepath.Join(w.dir, fmt.Sprintf("smsts-%s-%d.log", now.Format("20060102-150405"), i))
	}
	if err := errors.Join(w.file.Close(), os.Rename(filepath.Join(w.dir, Name), old)); err != nil {
		return errors.Join(fmt.Errorf("put log aside: %w", err), w.open())
	}
	if list, err := filepath.Glob(filepath.Join(w.dir, "smsts-*.log")); err == nil && len(list) > w.opts.OldFiles {
		sort.Slice(list, func(i, j int) bool { return older(list[i], list[j]) })
		for _, f := range list[:len(list)-w.opts.OldFiles] {
			_ = os.Remove(f) // an old file too many is no reason to stop logging
		}
	}
	return w.open()
}

func older(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX != nil || errY != nil || x.ModTime().Equal(y.ModTime()) {
		return a < b
	}
	return x.ModTime().Before(y.ModTime())
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Move goes on in another folder and takes what was written so far along (TS-154: from RAM to the disk, once there is
// one). The old folder keeps its copy. When the new folder cannot be used the log stays where it is.
func (w *Writer) Move(dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if filepath.Clean(dir) == filepath.Clean(w.dir) {
		return nil
	}
	next := &Writer{opts: w.opts, dir: dir}
	if err := next.open(); err != nil {
		return err
	}
	src, err := os.Open(filepath.Join(w.dir, Name))
	if err != nil {
		next.file.Close()
		return fmt.Errorf("copy log: %w", err)
	}
	defer src.Close()
	n, err := io.Copy(next.file, src)
	if err != nil {
		next.file.Close()
		return fmt.Errorf("copy log: %w", err)
	}
	_ = w.file.Close()
	w.dir, w.file, w.size = dir, next.file, next.size+n
	return nil
}

// Sync makes what was written durable.
func (w *Writer) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	return w.file.Sync()
}

// Close ends the log. It may be called twice.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file = nil
	return err
}

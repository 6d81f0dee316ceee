package lease

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// compactAfter is how many more lines than leases the log may have before it is written anew: large enough that a
// lab of a thousand machines does not rewrite its file all day, small enough that reading it takes milliseconds.
const compactAfter = 4096

// log is an append-only file of JSON lines, the last line for an address wins. Several savers share one fsync.
type log struct {
	mu      sync.Mutex
	cond    *sync.Cond
	name    string
	file    *os.File
	pending []byte
	lines   int
	queued  uint64 // number of the last line queued
	synced  uint64 // number of the last line on disk
	busy    bool
	err     error
}

// Open reads the lease log of that name, or starts a new one, and keeps it open until Close. A torn last line, which
// a killed process may leave, is dropped. now is the clock, nil means time.Now.
func Open(name string, now func() time.Time) (*Table, error) {
	t := NewTable(now)
	lines, err := t.read(name)
	if err != nil {
		return nil, fmt.Errorf("read lease file %s: %w", name, err)
	}
	if lines > 0 {
		if err := t.rewrite(name); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lease file: %w", err)
	}
	t.log = &log{name: name, file: f, lines: len(t.byAddr)}
	t.log.cond = sync.NewCond(&t.log.mu)
	return t, nil
}

func (t *Table) read(name string) (int, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n := 0
	sc := bufio.NewScanner(bytes.NewReader(data))
	for sc.Scan() {
		n++
		var l Lease
		if json.Unmarshal(sc.Bytes(), &l) != nil || !l.Addr.Is4() {
			continue
		}
		mac, err := net.ParseMAC(l.MAC)
		if err != nil {
			continue
		}
		t.bind(mac.String(), l.Addr).Expires = l.Expires
	}
	return n, nil // a line too long for the scanner ends the reading: what was read before it counts
}

// rewrite replaces the file by one line per binding.
func (t *Table) rewrite(name string) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	for _, e := range t.byAddr {
		if e.MAC == "" || e.Expires.IsZero() {
			continue
		}
		if err := enc.Encode(e.Lease); err != nil {
			return fmt.Errorf("encode lease: %w", err)
		}
	}
	return replaceFile(name, buf.Bytes())
}

func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write lease file: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails after the rename, which is what we want
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("write lease file %s: %w", name, err)
	}
	return nil
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// save returns when l is on disk.
func (t *Table) save(l Lease) error {
	g := t.log
	if g == nil {
		return nil
	}
	line, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode lease: %w", err)
	}
	compact, err := g.append(append(line, '\n'))
	if err != nil {
		return err
	}
	if compact {
		return t.compact()
	}
	return nil
}

// append queues one line; whoever finds nobody writing writes for all.
func (g *log) append(line []byte) (compact bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.file == nil {
		return false, fmt.Errorf("lease file %s: %w", g.name, fs.ErrClosed)
	}
	g.pending = append(g.pending, line...)
	g.queued++
	g.lines++
	mine := g.queued
	for g.synced < mine {
		if g.busy {
			g.cond.Wait()
			continue
		}
		g.busy = true
		batch, last, f := g.pending, g.queued, g.file
		g.pending = nil
		g.mu.Unlock()
		_, err := f.Write(batch)
		if err == nil {
			err = f.Sync()
		}
		g.mu.Lock()
		g.busy, g.synced, g.err = false, last, err
		g.cond.Broadcast()
	}
	if g.err != nil {
		return false, fmt.Errorf("write lease file %s: %w", g.name, g.err)
	}
	return g.lines > compactAfter, nil
}

// compact writes the table anew when the log has grown far beyond it.
func (t *Table) compact() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.log
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.busy {
		g.cond.Wait()
	}
	if g.file == nil || g.lines <= compactAfter+len(t.byAddr) {
		return nil
	}
	if err := t.rewrite(g.name); err != nil {
		return err
	}
	f, err := os.OpenFile(g.name, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open lease file: %w", err)
	}
	_ = g.file.Close()
	g.file, g.lines = f, len(t.byAddr)
	return nil
}

// Close closes the file. The table answers questions afterwards but saves nothing more.
func (t *Table) Close() error {
	g := t.log
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.busy {
		g.cond.Wait()
	}
	if g.file == nil {
		return nil
	}
	err := g.file.Close()
	g.file = nil
	return err
}

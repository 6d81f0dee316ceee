package lease

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// compactAfter is how many more lines than leases the log may have before it is written anew: large enough that a
// lab of a thousand machines does not rewrite its file all day, small enough that reading it takes milliseconds.
const compactAfter = 4096

// appendFile is the part of *os.File that the log writes with.
type appendFile interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
}

// log is an append-only file of JSON lines, the last line for an address wins. Several savers share one fsync.
type log struct {
	name string

	// disk is held while the file is written, replaced or closed. It is taken before mu.
	disk sync.Mutex
	file appendFile // nil after Close
	torn bool       // the file may end in the middle of a line: a write or a sync has failed

	mu    sync.Mutex
	next  *batch // takes lines until its leader begins to write it; nil when nobody waits
	lines int    // about how many lines the file has
}

// batch is what one write and one fsync carry. The saver that began it is its leader and writes it; each saver gets the
// outcome of its own batch, whatever becomes of the ones after it.
type batch struct {
	lines []byte
	done  chan struct{}
	err   error // set before done is closed
}

// Open reads the lease log of that name, or starts a new one, and keeps it open until Close. What cannot be read, such as
// a torn line that a killed process or a power cut left, is dropped, and nothing else with it. now is the clock, nil means
// time.Now.
func Open(name string, now func() time.Time) (*Table, error) {
	t := NewTable(now)
	if err := sweep(name); err != nil {
		return nil, fmt.Errorf("remove what a killed process left beside lease file %s: %w", name, err)
	}
	if err := t.read(name); err != nil {
		return nil, fmt.Errorf("read lease file %s: %w", name, err)
	}
	// Written anew, the file is compact and ends in a whole line.
	f, err := t.rewrite(name)
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, err
	}
	t.log = &log{name: name, file: f, lines: len(t.byAddr)}
	return t, nil
}

func (t *Table) read(name string) error {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range bytes.Lines(data) {
		var l Lease
		if json.Unmarshal(line, &l) != nil || !l.Addr.Is4() {
			continue
		}
		mac, err := net.ParseMAC(l.MAC)
		if err != nil {
			continue
		}
		t.bind(mac.String(), l.Addr).Expires = l.Expires
	}
	return nil
}

// rewrite replaces the file by one line per binding and returns it, open at its end. With an error a file is returned
// when it has taken the name already: the old one is no longer there to be written to.
func (t *Table) rewrite(name string) (*os.File, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	for _, e := range t.byAddr {
		if e.MAC == "" || e.Expires.IsZero() {
			continue
		}
		if err := enc.Encode(e.Lease); err != nil {
			return nil, fmt.Errorf("encode lease: %w", err)
		}
	}
	f, err := replaceFile(name, buf.Bytes())
	if err != nil {
		return f, fmt.Errorf("write lease file %s: %w", name, err)
	}
	return f, nil
}

// beside begins the names of files that are written to take the place of the log of that name.
func beside(name string) string { return "." + filepath.Base(name) + ".new-" }

// sweep removes what a process that was killed in replaceFile left. Nobody else writes such files while the log is opened.
func sweep(name string) error {
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), beside(name)) {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(name), e.Name())))
		}
	}
	return err
}

func replaceFile(name string, data []byte) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(name), beside(name)+"*")
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, syncDir(filepath.Dir(name))
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
	long, err := g.append(append(line, '\n'))
	if err != nil {
		return fmt.Errorf("write lease file %s: %w", g.name, err)
	}
	if long {
		t.compact()
	}
	return nil
}

// append returns when line is on disk. long tells that the log has grown so far that compacting may be worth it.
func (g *log) append(line []byte) (long bool, err error) {
	g.mu.Lock()
	b := g.next
	leader := b == nil
	if leader {
		b = &batch{done: make(chan struct{})}
		g.next = b
	}
	b.lines = append(b.lines, line...)
	g.lines++
	long = g.lines > compactAfter
	g.mu.Unlock()
	if leader {
		g.write(b)
	}
	<-b.done // the leader always comes to an end: it waits for nothing but the disk
	return long, b.err
}

// write waits for the disk, during which others join the batch, and writes it.
func (g *log) write(b *batch) {
	defer close(b.done)
	g.disk.Lock()
	defer g.disk.Unlock()
	g.mu.Lock()
	g.next = nil
	g.mu.Unlock()
	if g.file == nil {
		b.err = fs.ErrClosed
		return
	}
	data := b.lines
	if g.torn {
		data = append([]byte{'\n'}, data...) // else the torn line would swallow our first one
	}
	if _, b.err = g.file.Write(data); b.err == nil {
		b.err = g.file.Sync()
	}
	g.torn = b.err != nil
}

// compact writes the table anew when the log has grown far beyond it. Failing is no reason to refuse a lease, which is on
// disk already: the log stays as it is and the next attempt comes after as many lines again.
func (t *Table) compact() {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.log
	g.disk.Lock()
	defer g.disk.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.file == nil || g.lines <= compactAfter+len(t.byAddr) {
		return
	}
	g.lines = len(t.byAddr)
	f, err := t.rewrite(g.name)
	if f == nil {
		return
	}
	_ = g.file.Close()
	g.file, g.torn = f, err != nil
}

// Close closes the file. The table answers questions afterwards but saves nothing more.
func (t *Table) Close() error {
	g := t.log
	if g == nil {
		return nil
	}
	g.disk.Lock()
	defer g.disk.Unlock()
	if g.file == nil {
		return nil
	}
	err := g.file.Close()
	g.file = nil
	return err
}

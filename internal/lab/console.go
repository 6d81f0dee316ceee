package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Match is a console mark that was found.
type Match struct {
	// Text is what the pattern matched, Groups its parenthesised parts.
	Text   string
	Groups []string
	// End is the offset in the console log just after the match: pass it to
	// ConsoleFrom to look on from there.
	End int64
	// At is when it was seen.
	At time.Time
}

// Console reads a machine's serial console from some offset on. Each Wait
// continues after the match of the one before. It is not for concurrent use;
// take one per goroutine.
type Console struct {
	machine *Machine
	offset  int64
}

// ConsoleSize returns how many bytes the console log has now, all power-ons
// together. Take it before Reset to tell the next boot's marks from this one's.
func (m *Machine) ConsoleSize() (int64, error) { return consoleSize(m.files.console) }

// ConsoleStart returns the offset at which this power-on's output begins.
func (m *Machine) ConsoleStart() int64 { return m.offset }

// ConsoleFrom returns a reader of the console that begins at a byte offset.
func (m *Machine) ConsoleFrom(offset int64) *Console {
	return &Console{machine: m, offset: offset}
}

// WaitConsole waits until the output since this power-on matches a regular
// expression (RE2 syntax; "(?m)" for ^ and $ at lines). Terminal control
// sequences and carriage returns are taken out before matching. It looks from
// the beginning each time, so a mark that was there already matches at once.
// The error of a mark that does not come shows the console's last lines; it is
// ErrExited when the machine went off instead.
func (m *Machine) WaitConsole(ctx context.Context, pattern string) (Match, error) {
	return m.ConsoleFrom(m.offset).Wait(ctx, pattern)
}

// ConsoleText returns the output since this power-on, without control sequences.
func (m *Machine) ConsoleText() (string, error) {
	raw, err := readFrom(m.files.console, m.offset)
	if err != nil {
		return "", err
	}
	var t terminalText
	t.feed(raw)
	return string(t.text), nil
}

// Wait is WaitConsole from this reader's offset, which moves past the match.
func (c *Console) Wait(ctx context.Context, pattern string) (Match, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return Match{}, fmt.Errorf("console pattern: %w", err)
	}
	m := c.machine
	file, err := os.OpenFile(m.files.console, os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		return Match{}, fmt.Errorf("machine %q: console: %w", m.spec.Name, err)
	}
	defer func() { _ = file.Close() }()
	changed, err := watchFile(m.files.console)
	if err != nil {
		return Match{}, fmt.Errorf("machine %q: console: %w", m.spec.Name, err)
	}
	defer func() { _ = changed.Close() }()
	// Both ends wake the reader: the caller's patience and the machine's life.
	wake := func() { _ = changed.SetReadDeadline(time.Unix(1, 0)) }
	defer context.AfterFunc(ctx, wake)()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-m.done:
			wake()
		case <-finished:
		}
	}()

	text := terminalText{origin: c.offset}
	for {
		// The order matters: what was written before the end is still read.
		ended := m.ended(ctx)
		raw, err := io.ReadAll(io.NewSectionReader(file, text.origin+text.raw, 64<<20))
		if err != nil {
			return Match{}, fmt.Errorf("machine %q: console: %w", m.spec.Name, err)
		}
		text.feed(raw)
		if loc := re.FindSubmatchIndex(text.text); loc != nil {
			match := text.match(loc)
			c.offset = match.End
			return match, nil
		}
		if ended != nil {
			return Match{}, fmt.Errorf("machine %q: no console line matched %q: %w; the last lines (%s):\n%s",
				m.spec.Name, pattern, ended, m.files.console, indent(lastLines(string(text.text), 15)))
		}
		var buf [4096]byte
		if _, err := changed.Read(buf[:]); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return Match{}, fmt.Errorf("machine %q: watch console: %w", m.spec.Name, err)
		}
	}
}

// ended says why there will be no more output, nil if there may be.
func (m *Machine) ended(ctx context.Context) error {
	select {
	case <-m.done:
		return ErrExited
	default:
	}
	return context.Cause(ctx)
}

// watchFile returns a file that becomes readable when path is written to.
func watchFile(path string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("inotify %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}

func consoleSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func readFrom(path string, offset int64) ([]byte, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.NewSectionReader(f, offset, 64<<20))
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

package process

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	maxTail = 16 << 10 // bytes of output that are kept: the last 1000 characters are wanted (TS-102)
	maxLine = 4 << 10  // bytes of one line handed on
)

// tail keeps the end of a program's output and hands lines on as they come.
type tail struct {
	mu   sync.Mutex
	keep []byte
	line []byte
	emit func(string)
}

func newTail(emit func(string)) *tail { return &tail{emit: emit} }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep = append(t.keep, p[max(0, len(p)-maxTail):]...)
	if len(t.keep) > maxTail {
		t.keep = append(t.keep[:0], t.keep[len(t.keep)-maxTail:]...)
	}
	if t.emit == nil {
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			t.line = append(t.line, rest[:min(len(rest), maxLine-min(maxLine, len(t.line)))]...)
			break
		}
		t.line = append(t.line, rest[:min(i, maxLine-min(maxLine, len(t.line)))]...)
		t.send()
		rest = rest[i+1:]
	}
	return len(p), nil
}

func (t *tail) send() {
	line := strings.ToValidUTF8(strings.TrimRight(string(t.line), "\r"), "\uFFFD")
	t.line = t.line[:0]
	if line != "" {
		t.emit(line)
	}
}

func (t *tail) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.emit != nil && len(t.line) > 0 {
		t.send()
	}
}

// String returns the end of the output as valid text.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.keep
	for len(b) > 0 && !utf8.RuneStart(b[0]) { // the cut may have gone through a character
		b = b[1:]
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

package command

import (
	"bufio"
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// keys reads lines from every console, because nobody knows in front of which one a person sits.
type keys struct {
	lines  chan string
	files  []*os.File
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// maxKeys bounds a typed line.
const maxKeys = 4096

// dropFor is how long typed lines are collected to be forgotten.
const dropFor = 50 * time.Millisecond

// openKeys opens the consoles of list, or reads in when there are none. The goroutines end with Close, but for one that
// reads in, which ends with the program.
func openKeys(ctx context.Context, in io.Reader, list string) *keys {
	ctx, cancel := context.WithCancel(ctx)
	k := &keys{lines: make(chan string), cancel: cancel}
	for _, name := range consoleNames(list) {
		f, err := os.OpenFile(name, os.O_RDONLY|nonblock, 0)
		if err != nil {
			continue // a console without a device, such as a network console
		}
		k.files = append(k.files, f)
		k.wait.Add(1)
		go func() {
			defer k.wait.Done()
			k.read(ctx, f)
		}()
	}
	if len(k.files) == 0 && in != nil {
		go k.read(ctx, in)
	}
	return k
}

func (k *keys) read(ctx context.Context, r io.Reader) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 256), maxKeys)
	for scanner.Scan() {
		select {
		case k.lines <- scanner.Text():
		case <-ctx.Done():
			return
		}
	}
}

// Line implements agent.Keys.
func (k *keys) Line(ctx context.Context) (string, error) {
	select {
	case line := <-k.lines:
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Secret implements agent.Keys. Nobody knows at which console somebody types, so none shows anything meanwhile.
func (k *keys) Secret(ctx context.Context) (string, error) {
	for _, f := range k.files {
		if shown, err := hideTyping(f); err == nil {
			defer shown()
		}
	}
	return k.Line(ctx)
}

// Drop implements agent.Keys. A reader holds at most one line, and what lies behind it comes at once.
func (k *keys) Drop() {
	quiet := time.NewTimer(dropFor)
	defer quiet.Stop()
	for {
		select {
		case <-k.lines:
		case <-quiet.C:
			return
		}
	}
}

// Close stops reading.
func (k *keys) Close() {
	k.cancel()
	for _, f := range k.files {
		f.Close()
	}
	k.wait.Wait()
}

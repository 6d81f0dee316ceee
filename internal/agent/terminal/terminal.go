package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// killDelay is how long a shell that was told to end may take before what it left open is closed.
const killDelay = 2 * time.Second

// Options say what to run.
type Options struct {
	Shell   string   // program; empty: the system's
	Command string   // a command line to run instead of an interactive shell; no terminal then
	Rows    int      // of the terminal; 0 is 24
	Columns int      // 0 is 80
	Dir     string   // working folder; empty: the root
	Env     []string // nil: that of this process
}

// Session is a running shell. Read and Write may be used at the same time; the rest is safe for concurrent use.
type Session struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	size  func(rows, columns int) error // nil: no terminal
	once  sync.Once
	ended chan struct{}
	code  int
}

// Open starts a shell, which ends with ctx. Close it.
func Open(ctx context.Context, o Options) (*Session, error) {
	if o.Shell == "" {
		o.Shell = systemShell
	}
	args := []string{}
	if o.Command != "" {
		args = []string{commandFlag, o.Command}
	}
	cmd := exec.CommandContext(ctx, o.Shell, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = o.Dir, o.Env, killDelay
	if o.Dir == "" {
		cmd.Dir = string(os.PathSeparator)
	}
	if o.Env == nil {
		cmd.Env = os.Environ()
	}
	s := &Session{cmd: cmd, ended: make(chan struct{})}
	cmd.Cancel = func() error { return killTree(cmd.Process) }
	var err error
	if o.Command == "" {
		err = s.onTerminal(o)
	}
	if o.Command != "" || errors.Is(err, errors.ErrUnsupported) {
		err = s.onPipes()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Shell, err)
	}
	go func() { // ends with the process, which ends with ctx or Close
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			s.code = exit.ExitCode()
		} else if err != nil {
			s.code = -1
		}
		close(s.ended)
	}()
	return s, nil
}

// onPipes starts the shell without a terminal: what it prints to both outputs comes as one stream.
func (s *Session) onPipes() error {
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	s.cmd.Stdout, s.cmd.Stderr = w, w
	separate(s.cmd)
	err = s.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return err
	}
	s.in, s.out = in, r
	return nil
}

// Read reads what the shell prints; io.EOF when it has ended and all was read.
func (s *Session) Read(p []byte) (int, error) {
	n, err := s.out.Read(p)
	if n == 0 && err != nil {
		return 0, io.EOF // a terminal says EIO when nobody has it open any more
	}
	return n, nil
}

// Write types into the shell.
func (s *Session) Write(p []byte) (int, error) { return s.in.Write(p) }

// Resize tells the terminal its size; without a terminal it does nothing.
func (s *Session) Resize(rows, columns int) error {
	if s.size == nil || rows <= 0 || columns <= 0 {
		return nil
	}
	return s.size(rows, columns)
}

// Close ends the shell and what it started, and gives its exit code.
func (s *Session) Close() int {
	s.once.Do(func() {
		select {
		case <-s.ended:
		default:
			_ = killTree(s.cmd.Process) // it may have ended just now
		}
		_ = s.in.Close()
		_ = s.out.Close()
	})
	<-s.ended
	return s.code
}

// Wait waits for the end of the shell, at most for d, and gives its exit code.
func (s *Session) Wait(ctx context.Context, d time.Duration) int {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	return s.Close()
}

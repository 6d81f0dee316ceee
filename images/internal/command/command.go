package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	outputLimit = 64 << 10 // what is kept of a tool's output; mkfs prints a line per group at worst
	shownLimit  = 2000     // what an error shows of it
)

// Tool is how a program is run.
type Tool struct {
	Limit   time.Duration        // the tool is killed after it; required
	Env     []string             // the whole environment
	Dir     string               // empty: the current folder
	Stdin   string               // empty: nothing to read
	Attr    *syscall.SysProcAttr // may be nil
	Missing string               // what to say when there is no such program, after its name
}

// Run executes a program and returns the beginning of what it printed, standard
// output and error together, without blanks at the ends. The error carries it
// too, and wraps exec.ErrNotFound, context.DeadlineExceeded or *exec.ExitError.
func (t Tool) Run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = t.Env, t.Dir, t.Attr
	cmd.WaitDelay = 5 * time.Second // a child of the tool may hold the pipe open
	out := &Head{Limit: outputLimit}
	cmd.Stdout, cmd.Stderr = out, out
	if t.Stdin != "" {
		cmd.Stdin = strings.NewReader(t.Stdin)
	}
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s %s: %w", name, t.Missing, err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return text, fmt.Errorf("%s did not end within %s: %w%s", filepath.Base(name), t.Limit, ctx.Err(), indent(text))
	}
	return text, fmt.Errorf("%s %s: %w%s", filepath.Base(name), strings.Join(args, " "), err, indent(text))
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	if len(text) > shownLimit {
		text = text[:shownLimit] + " ..."
	}
	return ":\n  " + strings.ReplaceAll(text, "\n", "\n  ")
}

// Head keeps the first Limit bytes that are written to it and swallows the rest,
// so that a talkative tool neither fills memory nor blocks. Not for concurrent use.
type Head struct {
	Limit int
	buf   bytes.Buffer
}

// Write never fails.
func (h *Head) Write(p []byte) (int, error) {
	h.buf.Write(p[:min(len(p), max(0, h.Limit-h.buf.Len()))])
	return len(p), nil
}

// String is what was kept.
func (h *Head) String() string { return h.buf.String() }

// Tail is the end of what was kept, at most n bytes.
func (h *Head) Tail(n int) string {
	s := h.buf.String()
	return s[max(0, len(s)-n):]
}

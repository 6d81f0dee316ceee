package apply

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
	toolTimeout = 30 * time.Minute // unpacking, or a loader on a machine in software emulation
	outputLimit = 64 << 10         // what is kept of a tool's output
)

// run executes a tool with a deadline and keeps the beginning of its output,
// which goes into the error.
func run(ctx context.Context, limit time.Duration, attr *syscall.SysProcAttr, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"}
	cmd.SysProcAttr = attr
	cmd.Dir = "/"
	cmd.WaitDelay = 5 * time.Second // a child of the tool may hold the pipe open
	out := &headBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	text := strings.TrimSpace(out.buf.String())
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not there: %w", name, err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return text, fmt.Errorf("%s did not end within %s: %w%s", filepath.Base(name), limit, ctx.Err(), indent(text))
	}
	return text, fmt.Errorf("%s %s: %w%s", filepath.Base(name), strings.Join(args, " "), err, indent(text))
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	const shown = 2000
	if len(text) > shown {
		text = text[:shown] + " ..."
	}
	return ":\n  " + strings.ReplaceAll(text, "\n", "\n  ")
}

// headBuffer keeps the first outputLimit bytes and swallows the rest.
type headBuffer struct {
	buf bytes.Buffer
}

func (h *headBuffer) Write(p []byte) (int, error) {
	h.buf.Write(p[:min(len(p), outputLimit-h.buf.Len())])
	return len(p), nil
}

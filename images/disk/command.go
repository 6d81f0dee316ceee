package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const outputLimit = 64 << 10 // what is kept of a tool's output; mkfs prints a line per group at worst

// run executes a tool with a deadline and keeps the beginning of its output,
// which goes into the error. A tool that is missing is named with the package
// to look for, because on a boot image that is the usual cause.
func run(ctx context.Context, limit time.Duration, stdin string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.WaitDelay = 5 * time.Second // a child of the tool may hold the pipe open
	out := &headBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	err := cmd.Run()
	text := strings.TrimSpace(out.buf.String())
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not in this boot environment; build the boot image with it: %w", name, err)
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

// headBuffer keeps the first outputLimit bytes and swallows the rest, so that a
// talkative tool neither fills memory nor blocks.
type headBuffer struct {
	buf bytes.Buffer
}

func (t *headBuffer) Write(p []byte) (int, error) {
	t.buf.Write(p[:min(len(p), outputLimit-t.buf.Len())])
	return len(p), nil
}

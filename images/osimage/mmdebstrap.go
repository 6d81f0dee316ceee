package osimage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bootyard/bootyard/images/internal/cache"
)

// keepLines is how many of mmdebstrap's last lines an error shows.
const keepLines = 15

// run lets mmdebstrap make the system in tmp and writes it, compressed, to
// ImageFile in tmp's folder out. The archive is read while it passes, so that it
// need not be unpacked again. mmdebstrap inherits the lock.
func (c Config) run(ctx context.Context, r recipe, tmp string, lock *os.File) (m Metadata, err error) {
	for _, tool := range []string{"mmdebstrap", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			return m, fmt.Errorf("%s is not installed: apt-get install %s", tool, tool)
		}
	}
	caller := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sources, own, hook := filepath.Join(tmp, "sources.list"), filepath.Join(tmp, "own.tar"), filepath.Join(tmp, "customize")
	err = errors.Join(r.sourcesFile(sources), os.WriteFile(own, r.overlay, 0o600), os.WriteFile(hook, []byte("#!/bin/sh\n"+customize), 0o700))
	if err != nil {
		return m, fmt.Errorf("prepare: %w", err)
	}
	args := []string{
		"--mode=root", "--variant=minbase", "--format=tar", "--architectures=amd64", "--include=" + strings.Join(r.packages, ","),
		"--aptopt=Acquire::Retries 3", "--essential-hook=tar-in " + own + " /", "--customize-hook=" + hook,
	}
	for _, e := range r.excludes {
		args = append(args, "--dpkgopt="+e)
	}
	args = append(args, r.release, "-", sources)

	out, err := os.Create(filepath.Join(tmp, outDir, ImageFile))
	if err != nil {
		return m, fmt.Errorf("write image: %w", err)
	}
	defer out.Close()
	talk := &talker{tell: c.Progress}
	system := exec.CommandContext(ctx, "mmdebstrap", args...)
	system.Env = append(os.Environ(), "TMPDIR="+tmp, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	system.Stderr = talk
	system.ExtraFiles = []*os.File{lock}
	gentle(system)
	pack := exec.CommandContext(ctx, "zstd", "-q", "-c", "-T0", "-"+strconv.Itoa(r.level))
	pack.Stdout, pack.Stderr = out, talk
	pack.WaitDelay = 10 * time.Second

	files, err := system.StdoutPipe()
	if err != nil {
		return m, fmt.Errorf("mmdebstrap: %w", err)
	}
	packIn, err := pack.StdinPipe()
	if err != nil {
		return m, fmt.Errorf("zstd: %w", err)
	}
	if err := pack.Start(); err != nil {
		return m, fmt.Errorf("zstd: %w", err)
	}
	// Pdeathsig is about the thread that starts a program, not the whole process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := system.Start(); err != nil {
		cancel()
		return m, errors.Join(fmt.Errorf("mmdebstrap: %w", err), pack.Wait())
	}
	m, readErr := inspectTar(ctx, io.TeeReader(bufio.NewReaderSize(files, 1<<20), packIn))
	if readErr != nil {
		cancel() // nobody reads the pipe any more
	}
	makeErr := system.Wait()
	closeErr := packIn.Close()
	packErr := pack.Wait()
	switch {
	case caller.Err() != nil:
		return m, fmt.Errorf("stopped: %w", caller.Err())
	case makeErr != nil && talk.full():
		return m, fmt.Errorf("%w in %s: another program filled the disk while building; make room or name a cache folder on another disk: mmdebstrap: %w",
			cache.ErrFull, c.CacheDir, makeErr)
	case makeErr != nil && talk.tail() != "":
		return m, fmt.Errorf("mmdebstrap: %w; it said:\n%s", makeErr, talk.tail())
	case readErr != nil:
		return m, readErr
	}
	if err := errors.Join(makeErr, closeErr, packErr, out.Sync()); err != nil {
		return m, fmt.Errorf("write image: %w", err)
	}
	return m, nil
}

// gentle makes an interrupted mmdebstrap clean up: it unmounts what it mounted
// when it is told to stop, and is killed only when that takes too long. It gets
// a process group of its own, so that its children hear of it too. When this
// program is killed the kernel tells it; the caller must keep its thread. Its
// mounts, which it leaves behind when it is interrupted in a hook or in dpkg, are
// in a namespace of its own and end with it.
func gentle(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM, Unshareflags: syscall.CLONE_NEWNS}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
}

// talker passes on what a program says, line by line, and remembers the end.
type talker struct {
	mu     sync.Mutex
	part   string
	lines  []string
	noRoom bool
	tell   func(string)
}

func (t *talker) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.part += string(p)
	for {
		i := strings.IndexAny(t.part, "\r\n")
		if i < 0 {
			break
		}
		line := strings.TrimSpace(t.part[:i])
		t.part = t.part[i+1:]
		// mmdebstrap draws bars of dots and percentages; only its sentences count
		if line == "" || strings.HasPrefix(line, "0%") || strings.Contains(line, "...") && strings.HasSuffix(line, "%") {
			continue
		}
		t.noRoom = t.noRoom || strings.Contains(line, "No space left on device")
		t.lines = append(t.lines, line)
		t.lines = t.lines[max(0, len(t.lines)-keepLines):]
		if t.tell != nil {
			t.tell(line)
		}
	}
	t.part = t.part[max(0, len(t.part)-4096):]
	return len(p), nil
}

// full says whether a program met a full disk. What is free after its end says
// nothing: it has cleaned up.
func (t *talker) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.noRoom
}

func (t *talker) tail() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

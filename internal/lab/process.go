package lab

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// process identifies a process for longer than its pid does: numbers are used
// again, start times are not.
type process struct {
	PID int
	// Start is the start time in clock ticks since boot (proc(5), field 22).
	Start uint64
}

func self() process {
	p, _ := identify(os.Getpid())
	return p
}

// identify reads the start time of a running process.
func identify(pid int) (process, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, err
	}
	// The command name is in parentheses and may hold anything, even ") 1 2".
	end := bytes.LastIndexByte(raw, ')')
	fields := bytes.Fields(raw[end+1:])
	if end < 0 || len(fields) < 20 {
		return process{}, fmt.Errorf("/proc/%d/stat: unexpected content", pid)
	}
	start, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return process{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	if fields[0][0] == 'Z' {
		return process{}, os.ErrProcessDone
	}
	return process{PID: pid, Start: start}, nil
}

// alive says whether this very process still runs; a zombie does not.
func (p process) alive() bool {
	if p.PID <= 0 {
		return false
	}
	now, err := identify(p.PID)
	return err == nil && now == p
}

// handle opens a pidfd and then checks that it is this very process, so that a
// signal can never hit a successor with the same number. A process that is gone
// gives os.ErrProcessDone.
func (p process) handle() (*os.File, error) {
	if p.PID <= 0 {
		return nil, os.ErrProcessDone
	}
	fd, err := unix.PidfdOpen(p.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, os.ErrProcessDone
	}
	if err != nil {
		return nil, fmt.Errorf("pidfd of %d: %w", p.PID, err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	if !p.alive() {
		_ = f.Close()
		return nil, os.ErrProcessDone
	}
	return f, nil
}

// awaitExit returns when the process is gone (nil) or the context has ended. It
// works for processes that are not our children.
func (p process) awaitExit(ctx context.Context) error {
	f, err := p.handle()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return awaitPidfd(ctx, f)
}

func awaitPidfd(ctx context.Context, f *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	// A pidfd becomes readable when its process ends.
	err = raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, _ := unix.Poll(fds, 0)
		return n > 0
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.Cause(ctx)
	}
	return err
}

// endProcess asks, then forces. It returns when the process is gone.
func endProcess(ctx context.Context, p process) error {
	f, err := p.handle()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return endPidfd(ctx, f)
}

func endPidfd(ctx context.Context, f *os.File) error {
	// Long enough for an orderly stop, short enough for Ctrl-C.
	const grace, final = 5 * time.Second, 10 * time.Second
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGKILL, final}} {
		err := signalPidfd(f, step.signal)
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("signal %s: %w", step.signal, err)
		}
		wait, cancel := context.WithTimeout(ctx, step.wait)
		err = awaitPidfd(wait, f)
		cancel()
		if err == nil {
			return nil
		}
		// A cancelled caller still gets the force, only not the patience.
		ctx = context.WithoutCancel(ctx)
	}
	return errors.New("process survived SIGKILL")
}

func signalPidfd(f *os.File, signal unix.Signal) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), signal, nil, 0) }); err != nil {
		return err
	}
	return sent
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}

// started is a child of this process that runs in the background.
type started struct {
	process process
	done    chan struct{}
	err     error // set before done is closed
}

// start runs cmd in a session of its own. Unless the lab persists, the kernel
// kills it when this process ends: that is tied to the thread which forks, so
// the goroutine keeps its thread until the child is gone.
func (l *Lab) start(ctx context.Context, cmd *exec.Cmd) (*started, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if !l.cfg.Persist {
		cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	}
	s := &started{done: make(chan struct{})}
	running := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			running <- err
			return
		}
		var err error
		if s.process, err = identify(cmd.Process.Pid); err != nil {
			// It ended already; Wait tells how.
			s.process = process{}
		}
		running <- nil
		s.err = cmd.Wait()
		close(s.done)
	}()
	return s, <-running
}

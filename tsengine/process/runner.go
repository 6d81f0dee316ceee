package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// marker is the environment variable by which the processes of one command are recognised, also those that have left
// its process group or lost their parent.
const marker = "BOOTYARD_STEP_PROCESS"

// drain is how long output is still read from children that outlive their program.
const drain = 2 * time.Second

// Runner is a machine.Commands for the system it runs on. The zero value is ready for use, and safe for concurrent use.
type Runner struct {
	// Environ is the environment programs get; nil is the agent's own.
	Environ func() []string
}

// Run implements machine.Commands.
func (r Runner) Run(ctx context.Context, c machine.Command) (machine.Exit, error) {
	if strings.TrimSpace(c.Line) == "" {
		return machine.Exit{}, errors.New("the command line is empty")
	}
	if strings.IndexByte(c.Line, 0) >= 0 {
		return machine.Exit{}, errors.New("the command line holds a zero byte")
	}
	var cmd *exec.Cmd
	exit, err := r.execute(ctx, c.Timeout, c.Environment, c.Output, func(ctx context.Context) (_ *exec.Cmd, err error) {
		cmd, err = build(ctx, c)
		return cmd, err
	})
	if err == nil {
		exit.Code = wholeCode(cmd.ProcessState, exit.Code, c.Codes)
	}
	return exit, err
}

// execute runs what prepare builds, with everything it starts ended when the time is up.
func (r Runner) execute(ctx context.Context, timeout time.Duration, environment []string, lines func(string), prepare func(context.Context) (*exec.Cmd, error)) (machine.Exit, error) {
	inner := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeoutCause(ctx, timeout, machine.ErrTimeout)
		defer cancel()
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails on supported systems
	mark := marker + "=" + hex.EncodeToString(id)
	cmd, err := prepare(inner)
	if err != nil {
		return machine.Exit{}, err
	}
	cmd.Env = append(append(r.environ(), cmd.Env...), environment...)
	cmd.Env = append(cmd.Env, mark)
	output := newTail(lines)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = drain
	tree, err := newTree(cmd, mark)
	if err != nil {
		return machine.Exit{}, err
	}
	defer tree.release()
	cmd.Cancel = tree.kill
	// The parent-death signal is sent when the thread that started the program ends, so that thread has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return machine.Exit{}, fmt.Errorf("start the program: %w", startCause(err))
	}
	adoptErr := tree.adopt()
	if adoptErr != nil {
		_ = tree.kill()
	}
	waitErr := cmd.Wait()
	output.flush()
	exit := machine.Exit{Code: exitCode(cmd.ProcessState), Output: output.String()}
	if inner.Err() != nil {
		// The tree may have grown between the kill and the end of its root.
		_ = tree.kill()
		return exit, context.Cause(inner)
	}
	if adoptErr != nil {
		return exit, fmt.Errorf("start the program: %w", adoptErr)
	}
	var failed *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &failed) && !errors.Is(waitErr, exec.ErrWaitDelay) {
		return exit, fmt.Errorf("wait for the program: %w", waitErr)
	}
	return exit, nil
}

func (r Runner) environ() []string {
	if r.Environ != nil {
		return append([]string(nil), r.Environ()...)
	}
	return os.Environ()
}

// startCause drops the operation and path from an error of exec: the command line may hold a secret.
func startCause(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// exitCode is unsigned 32 bit (TS-33); a program ended by a signal gives 128 and the signal's number, as shells do.
func exitCode(s *os.ProcessState) uint32 {
	if s == nil {
		return ^uint32(0)
	}
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + uint32(w.Signal())
	}
	return uint32(s.ExitCode())
}

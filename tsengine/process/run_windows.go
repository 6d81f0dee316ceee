package process

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
)

func build(ctx context.Context, c machine.Command) (*exec.Cmd, error) {
	if c.User != "" {
		return nil, errors.New("running as another user is not supported on Windows yet")
	}
	args := Split(c.Line)
	if len(args) == 0 || args[0] == "" {
		return nil, errors.New("the command line names no program")
	}
	cmd := exec.CommandContext(ctx, args[0])
	cmd.Dir = c.Dir
	// Windows programs parse their own command line: it is passed as written.
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: c.Line, HideWindow: true}
	return cmd, nil
}

// detachedProcess is DETACHED_PROCESS, which package syscall does not name.
const detachedProcess = 0x00000008

// detached gives the program no console and a group of its own.
func detached(a *syscall.SysProcAttr) {
	a.CreationFlags |= detachedProcess | syscall.CREATE_NEW_PROCESS_GROUP
}

func killTree(root int, _ string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "taskkill", "/T", "/F", "/PID", strconv.Itoa(root)).Run()
}

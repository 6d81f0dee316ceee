package process

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// programTime is the limit of a program for which none was given.
const programTime = time.Hour

// Windows implements machine.Programs.
func (Runner) Windows() bool { return runtime.GOOS == "windows" }

// Find implements machine.Programs.
func (Runner) Find(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// Start implements machine.Programs.
func (r Runner) Start(ctx context.Context, p machine.Program) (machine.Exit, error) {
	if p.Name == "" {
		return machine.Exit{}, errors.New("no program is named")
	}
	if p.Timeout <= 0 {
		p.Timeout = programTime
	}
	return r.execute(ctx, p.Timeout, nil, p.Output, func(ctx context.Context) (*exec.Cmd, error) {
		cmd := exec.CommandContext(ctx, p.Name, p.Args...)
		cmd.Dir = p.Dir
		if p.Input != "" {
			cmd.Stdin = strings.NewReader(p.Input)
		}
		alone(cmd)
		return cmd, nil
	})
}

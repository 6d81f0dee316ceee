package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

const (
	// positionVariable remembers over a restart where a list goes on.
	positionVariable = "_BootyardListPosition"
	// maxList bounds a list; base variables with three digits end here.
	maxList = 999
	// installTime is how long an installation may take when nothing else is said.
	installTime = 120 * time.Minute
)

// restartInitiated is an installer's "success, and I am restarting the machine".
const restartInitiated uint32 = 1641

// Forget removes what a step that asks for a restart of its own keeps for the time after it.
func Forget(v *variable.Environment) error {
	for _, name := range []string{positionVariable, restartedVariable, updatedVariable, upgradeStarted} {
		if _, set := v.LookupGlobal(name); !set {
			continue
		}
		if err := v.Set(name, ""); err != nil {
			return err
		}
	}
	return nil
}

// numbered reads the list of a base variable: BASE01, BASE02, ... or with three digits, up to the first gap (TS-90).
func numbered(c *Context, base string, digits int) []string {
	var out []string
	for i := 1; i <= maxList; i++ {
		v := strings.TrimSpace(c.Input(fmt.Sprintf("%s%0*d", base, digits, i)))
		if v == "" {
			break
		}
		out = append(out, v)
	}
	return out
}

// takePosition is where the list goes on after a restart that an entry asked for, from 0. The variable is gone then.
func takePosition(c *Context) (int, error) {
	text := c.Variables.Value(positionVariable)
	if text == "" {
		return 0, nil
	}
	i, err := strconv.Atoi(text)
	if err != nil || i < 0 || i > maxList {
		return 0, fmt.Errorf("%s is %q", positionVariable, text)
	}
	c.Log(smstslog.Info, fmt.Sprintf("Going on after the restart at entry %d of the list", i+1))
	return i, c.Variables.Set(positionVariable, "")
}

// restartAt asks for a restart after which the same step goes on at entry i of its list.
func restartAt(c *Context, i int) Outcome {
	if err := c.Variables.Set(positionVariable, strconv.Itoa(i)); err != nil {
		return Failure(CodeFailed, err)
	}
	return Outcome{Restart: &Restart{Again: true}}
}

// installer is a command line to run for an installation. Shown is what the log gets instead of it; empty logs it with
// secrets masked.
type installer struct {
	line, dir, workingDir, shown string
	minutes                      int
	codes                        []uint32 // of success, beside 0 and those that restart
}

// runInstaller runs it and waits for its end. The error says why it could not run or did not end.
func runInstaller(ctx context.Context, c *Context, i installer) (machine.Exit, error) {
	if c.Machine.Commands == nil {
		return machine.Exit{Code: CodeEnvironment}, errors.New("this environment cannot run commands")
	}
	timeout := time.Duration(i.minutes) * time.Minute
	if timeout <= 0 {
		timeout = installTime
	}
	if c.Node.Timeout > 0 {
		timeout = min(timeout, c.Node.Timeout)
	}
	dir := i.dir
	if i.workingDir != "" {
		if dir = c.Variables.Expand(i.workingDir); !filepath.IsAbs(dir) {
			dir = filepath.Join(i.dir, filepath.FromSlash(strings.ReplaceAll(dir, `\`, "/")))
		}
	}
	x, err := newExchange()
	if err != nil {
		return machine.Exit{Code: CodeFailed}, err
	}
	defer x.remove()
	if i.shown == "" {
		logCommand(c, i.line)
	} else {
		c.Log(smstslog.Info, "Executing "+i.shown)
	}
	exit, err := c.Machine.Commands.Run(ctx, machine.Command{Line: c.Variables.Expand(i.line), Dir: dir, Timeout: timeout,
		Environment: x.environment(), Codes: append([]uint32{CodeRestart, restartInitiated}, i.codes...), Output: logOutput(c)})
	switch {
	case errors.Is(err, machine.ErrTimeout):
		exit.Code = CodeTimeout
		return exit, fmt.Errorf("the installation did not end within %s and was killed with all it started", timeout)
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		exit.Code = CodeNotFound
		return exit, fmt.Errorf("the program was not found: %w", err)
	case err != nil:
		exit.Code = CodeFailed
		return exit, err
	}
	c.Log(smstslog.Info, fmt.Sprintf("Process completed with exit code %d", exit.Code))
	if err := x.apply(c); err != nil {
		exit.Code = CodeInvalid
		return exit, fmt.Errorf("variables set by the installation: %w", err)
	}
	return exit, nil
}

// wantsRestart says whether an installer ended with success and a restart.
func wantsRestart(code uint32) bool { return code == CodeRestart || code == restartInitiated }

// succeededWith says whether a code is success.
func succeededWith(code uint32, more []uint32) bool {
	return code == 0 || wantsRestart(code) || slices.Contains(more, code)
}

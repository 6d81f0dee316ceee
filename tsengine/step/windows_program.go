package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// windowsOnly is the failure of a step for Windows anywhere else; nil where it can run. It never passes in silence.
func windowsOnly(c *Context, what string) *Outcome {
	if windows(c) {
		return nil
	}
	out := Failure(CodeEnvironment, fmt.Errorf("%s is done by a program of Windows, and this is not Windows (TS-21); give the step a condition, or run it in WinPE or Windows", what))
	return &out
}

func windows(c *Context) bool { return c.Machine.Programs != nil && c.Machine.Programs.Windows() }

// codes names exit codes of a program.
type codes map[uint32]string

// startProgram runs a program, logs its output, and turns its end into an outcome: exit code 0 is success, 3010 is
// success with a restart (TS-30), any other is a failure that says what the code means. shown is what the log gets instead
// of the arguments when these hold a secret.
func startProgram(ctx context.Context, c *Context, p machine.Program, known codes, shown string) Outcome {
	if shown == "" {
		shown = strings.Join(append([]string{p.Name}, p.Args...), " ")
	}
	c.Log(smstslog.Info, "Starting "+shown)
	if p.Timeout == 0 {
		p.Timeout = c.Node.Timeout
	}
	if p.Output == nil {
		p.Output = logOutput(c)
	}
	exit, err := c.Machine.Programs.Start(ctx, p)
	out := Outcome{Code: exit.Code, Output: lastCharacters(exit.Output)}
	switch {
	case errors.Is(err, machine.ErrTimeout):
		out.Code, out.Err = CodeTimeout, fmt.Errorf("%s did not end in time and was killed (TS-28)", p.Name)
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		out.Code, out.Err = CodeNotFound, fmt.Errorf("%s is not on this machine: %w", p.Name, err)
	case err != nil:
		out.Code, out.Err = CodeFailed, err
	case exit.Code == CodeRestart:
		c.Log(smstslog.Info, p.Name+" wants a restart")
		out.Code, out.Restart = 0, &Restart{}
	case exit.Code != 0:
		out.Err = fmt.Errorf("%s ended with exit code %d (0x%08X)", p.Name, exit.Code, exit.Code)
		if text := known[exit.Code]; text != "" {
			out.Err = fmt.Errorf("%w: %s", out.Err, text)
		}
	default:
		c.Log(smstslog.Info, "Process completed with exit code 0")
	}
	return out
}

// powerShell is a script for Windows PowerShell that stops at the first error. Secrets go to its standard input, where
// the script reads them line by line with [Console]::In.ReadLine().
func powerShell(script string, input ...string) machine.Program {
	p := machine.Program{Name: "powershell.exe", Args: []string{"-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-Command",
		"$ErrorActionPreference = 'Stop'; " + script}}
	if len(input) > 0 {
		p.Input = strings.Join(input, "\n") + "\n"
	}
	return p
}

// quoted is a text as a literal of PowerShell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// argument is a value of the step, hidden or not; in old exports it is only in the action, behind a switch such as /mode:.
func argument(c *Context, name, inAction string) string {
	if v := strings.TrimSpace(c.Argument(name)); v != "" {
		return v
	}
	if inAction == "" {
		return ""
	}
	for field := range strings.FieldsSeq(c.Node.Action) {
		if v, ok := cutFold(field, inAction); ok {
			return strings.TrimSpace(c.Variables.Expand(v))
		}
	}
	return ""
}

// flag is argument as a boolean.
func flag(c *Context, name, inAction string, other bool) (bool, error) {
	switch v := strings.ToLower(argument(c, name, inAction)); v {
	case "":
		return other, nil
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no":
		return false, nil
	default:
		return false, fmt.Errorf("%s is %q; true or false is expected", name, v)
	}
}

// driveOf is a drive as C:; empty stays empty.
func driveOf(text string) (string, error) {
	d := strings.ToUpper(strings.TrimRight(strings.TrimSpace(text), `:\`))
	if d == "" {
		return "", nil
	}
	if len(d) != 1 || d < "A" || d > "Z" {
		return "", fmt.Errorf("%q is not a drive such as C:", text)
	}
	return d + ":", nil
}

// day is the limit of programs that work on a whole disk.
const day = 24 * time.Hour

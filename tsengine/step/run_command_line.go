package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// maxLogged bounds how many lines of a program's output go into the log.
const maxLogged = 2000

// RunCommandLine is Run Command Line, and every step without type. What the program does is unknown, so it is not
// repeated after an interruption.
type RunCommandLine struct{}

// Contract implements Step.
func (RunCommandLine) Contract() Contract {
	return Contract{Type: "RunCommandLineAction", Effect: true, Component: smstslog.CommandRun}
}

// Run implements Step.
func (RunCommandLine) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Commands == nil {
		return Failure(CodeEnvironment, errors.New("this environment cannot run commands"))
	}
	line, packageID := commandOf(c.Node)
	command := machine.Command{Timeout: c.Node.Timeout, Codes: c.Node.SuccessCodes, Redirect: !strings.EqualFold(c.Input("SMSTSDisableWow64Redirection"), "true")}
	if err := setUser(c, &command, "CommandLine"); err != nil {
		return Failure(CodeEnvironment, err)
	}
	dir, err := workingFolder(ctx, c, c.Variables.Expand(packageID))
	if err != nil {
		return Failure(CodeContent, err)
	}
	command.Dir, command.Line = dir, c.Variables.Expand(line) // now that _SMSTS<PackageID> is set (TS-131)
	if strings.TrimSpace(command.Line) == "" {
		return Failure(CodeInvalid, fmt.Errorf("step %q has no command line", c.Node.Name))
	}
	exchange, err := newExchange()
	if err != nil {
		return Failure(CodeFailed, err)
	}
	defer exchange.remove()
	command.Environment, command.Own = exchange.environment(), []string{exchange.path}
	logCommand(c, line)
	command.Output = logOutput(c)
	exit, err := c.Machine.Commands.Run(ctx, command)
	return finishCommand(c, exchange, "SMSTSRunCommandLineOutputVariableName", exit, err)
}

// finishCommand turns the end of a program into an outcome; output names the input that names the output variable.
func finishCommand(c *Context, x *exchange, output string, exit machine.Exit, err error) Outcome {
	// Masked before it is cut: half a secret would not be known as one (TS-93).
	shown := c.Variables.Mask(exit.Output)
	out := Outcome{Code: exit.Code, Output: lastCharacters(shown)}
	switch {
	case errors.Is(err, machine.ErrTimeout):
		out.Code, out.Err = CodeTimeout, fmt.Errorf("the command did not end within %s and was killed with all it started (TS-28)", c.Node.Timeout)
		return out
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		out.Code, out.Err = CodeNotFound, fmt.Errorf("the program was not found: %w", err)
		return out
	case err != nil:
		out.Code, out.Err = CodeFailed, err
		return out
	}
	c.Log(smstslog.Info, fmt.Sprintf("Process completed with exit code %d", exit.Code))
	if err := x.apply(c); err != nil {
		out.Code, out.Err = CodeInvalid, fmt.Errorf("variables set by the command: %w", err)
		return out
	}
	name := c.Input(output)
	if name == "" {
		return out
	}
	value := variable.Assignment{Name: name, Value: lastCharacters(exit.Output), Secret: shown != exit.Output}
	if err := c.Variables.Assign(value); err != nil {
		out.Code, out.Err = CodeInvalid, fmt.Errorf("output variable: %w", err)
	}
	return out
}

// lastCharacters is the value of an output variable: the last 1000 characters without the line end (TS-102).
func lastCharacters(s string) string {
	r := []rune(strings.TrimRight(s, "\r\n"))
	return string(r[max(0, len(r)-1000):])
}

// commandOf finds command and package: the hidden variables are the clean form, the action serves steps without them.
func commandOf(n *sequence.Node) (line, packageID string) {
	line, ok := n.Input("CommandLine")
	packageID, _ = n.Input("PackageID")
	if ok && strings.TrimSpace(line) != "" {
		return line, strings.TrimSpace(packageID)
	}
	rest, isRun := cutFold(strings.TrimSpace(n.Action), "smsswd.exe /run:")
	if !isRun {
		return n.Action, strings.TrimSpace(packageID)
	}
	// Everything after the first blank behind /run: is the command; two blanks occur.
	id, line, _ := strings.Cut(rest, " ")
	if packageID == "" {
		packageID = id
	}
	return strings.TrimLeft(line, " "), strings.TrimSpace(packageID)
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// setUser fills in the account (TS-104), which is not possible in the boot environment (TS-11). Kind is the middle of
// the variables' names, CommandLine or PowerShell.
func setUser(c *Context, command *machine.Command, kind string) error {
	prefix := "SMSTSRun" + kind
	as := c.Variables.True("_" + prefix + "AsUser")
	if global, ok := c.Variables.LookupGlobal(prefix + "AsUser"); ok {
		as = strings.EqualFold(global, "true")
	}
	if !as {
		return nil
	}
	if c.Environment == machine.WinPE {
		return errors.New("another account can run a command only in the installed operating system (TS-11)")
	}
	command.User = c.Input(prefix + "UserName")
	command.Password = c.Input(prefix + "UserPassword")
	c.Variables.AddSecret(command.Password)
	if command.User == "" {
		return fmt.Errorf("run as user is on and %sUserName is empty", prefix)
	}
	return nil
}

// workingFolder is the package's folder, or WorkingDirectory, which may be relative to it (TS-101). MDT has startIn.
func workingFolder(ctx context.Context, c *Context, packageID string) (string, error) {
	base := ""
	if packageID != "" {
		dir, err := c.Package(ctx, packageID)
		if err != nil {
			return "", err
		}
		base = dir
	}
	dir := c.Input("WorkingDirectory")
	if dir == "" {
		dir = c.Variables.Expand(c.Node.StartIn)
	}
	switch {
	case dir == "":
		return base, nil
	case filepath.IsAbs(dir) || base == "":
		return dir, nil
	}
	return filepath.Join(base, dir), nil
}

// logCommand writes the command line with secrets masked, or not at all (TS-94).
func logCommand(c *Context, line string) {
	if c.Variables.True("OSDDoNotLogCommand") {
		c.Log(smstslog.Info, "Executing command line (not shown: OSDDoNotLogCommand is set)")
		return
	}
	c.Log(smstslog.Info, "Executing command line: "+c.Variables.ExpandMasked(line))
}

func logOutput(c *Context) func(string) {
	lines := 0
	return func(line string) {
		switch lines++; {
		case lines <= maxLogged:
			c.Log(smstslog.Verbose, line)
		case lines == maxLogged+1:
			c.Log(smstslog.Warning, fmt.Sprintf("more than %d lines of output; the rest is not logged", maxLogged))
		}
	}
}

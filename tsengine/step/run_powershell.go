package step

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf16"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// RunPowerShell is Run PowerShell Script (TS-103): a script of a package, or one written into the step. It needs
// PowerShell on the machine and fails when that is not there. Like a command it is not repeated.
type RunPowerShell struct{}

// Contract implements Step.
func (RunPowerShell) Contract() Contract {
	return Contract{Type: "RunPowerShellScriptAction", Effect: true, Component: "RunPowerShellScript"}
}

// Run implements Step.
func (RunPowerShell) Run(ctx context.Context, c *Context) Outcome {
	return runPowerShell(ctx, c, scriptFile)
}

// runPowerShell runs the script that find finds; remove is called when it has ended.
func runPowerShell(ctx context.Context, c *Context, find func(context.Context, *Context) (path string, remove func(), err error)) Outcome {
	if c.Machine.Commands == nil {
		return Failure(CodeEnvironment, errors.New("this environment cannot run commands"))
	}
	command := machine.Command{Timeout: c.Node.Timeout, Codes: c.Node.SuccessCodes}
	if err := setUser(c, &command, "PowerShell"); err != nil {
		return Failure(CodeEnvironment, err)
	}
	script, remove, err := find(ctx, c)
	if err != nil {
		return Failure(CodeContent, err)
	}
	defer remove()
	if command.Line, err = powerShellLine(c, script); err != nil {
		return Failure(CodeInvalid, err)
	}
	if command.Dir = c.Input("SMSTSRunPowerShellWorkingDirectory"); command.Dir == "" {
		command.Dir = filepath.Dir(script)
	}
	exchange, err := newExchange()
	if err != nil {
		return Failure(CodeFailed, err)
	}
	defer exchange.remove()
	command.Environment, command.Own = exchange.environment(), []string{exchange.path}
	if inline(c.Node) {
		command.Own = append(command.Own, filepath.Dir(script), script)
	}
	c.Log(smstslog.Info, "Running PowerShell script "+filepath.Base(script)+shownParameters(c))
	command.Output = logOutput(c)
	exit, err := c.Machine.Commands.Run(ctx, command)
	return finishCommand(c, exchange, "OSDRunPowerShellScriptOutputVariableName", exit, err)
}

// shownParameters are logged only on request (TS-94).
func shownParameters(c *Context) string {
	if !c.Variables.True("OSDLogPowerShellParameters") {
		return ""
	}
	return " " + c.Variables.ExpandMasked(c.Variables.Value("OSDRunPowerShellScriptParameters"))
}

func powerShellLine(c *Context, script string) (string, error) {
	policy := c.Input("OSDRunPowerShellScriptExecutionPolicy")
	switch strings.ToLower(policy) {
	case "":
		policy = "AllSigned"
	case "allsigned", "undefined", "bypass":
	default:
		return "", fmt.Errorf("execution policy %q is unknown; AllSigned, Undefined and Bypass exist (TS-103)", policy)
	}
	program := "pwsh"
	if runtime.GOOS == "windows" {
		program = "powershell.exe"
	}
	body := "& '" + strings.ReplaceAll(script, "'", "''") + "' " + c.Input("OSDRunPowerShellScriptParameters") + "; exit $LASTEXITCODE"
	return program + " -NoLogo -NonInteractive -NoProfile -ExecutionPolicy " + policy + ` -Command "` + strings.ReplaceAll(body, `"`, `\"`) + `"`, nil
}

// inline says whether the script is written into the step.
func inline(n *sequence.Node) bool {
	source, _ := n.Input("OSDRunPowerShellScriptSourceScript")
	return strings.TrimSpace(source) != ""
}

// scriptFile finds the script in its package or writes the inline one to a folder of its own.
func scriptFile(ctx context.Context, c *Context) (path string, remove func(), err error) {
	remove = func() {}
	if inline(c.Node) {
		source, _ := c.Node.Input("OSDRunPowerShellScriptSourceScript")
		text, err := decodeScript(source)
		if err != nil {
			return "", remove, err
		}
		dir, away, err := scriptFolder()
		if err != nil {
			return "", remove, fmt.Errorf("make a folder for the script: %w", err)
		}
		remove = away
		path = filepath.Join(dir, "script.ps1")
		// With a BOM, so that Windows PowerShell reads it as UTF-8.
		return path, remove, os.WriteFile(path, []byte("\uFEFF"+text), 0o600)
	}
	name := filepath.FromSlash(strings.ReplaceAll(c.Input("OSDRunPowerShellScriptScriptName"), `\`, "/"))
	id := strings.TrimSpace(c.Argument("OSDRunPowerShellScriptPackageID"))
	if id == "" || name == "" {
		return "", remove, fmt.Errorf("step %q has neither a script nor a package with one", c.Node.Name)
	}
	if !filepath.IsLocal(name) {
		return "", remove, fmt.Errorf("script %q is not inside its package", name)
	}
	dir, err := c.Package(ctx, id)
	if err != nil {
		return "", remove, err
	}
	return filepath.Join(dir, name), remove, nil
}

// scriptFolder makes a folder (mode 0700: the script may hold secrets) for an inline script; on Windows below the one in
// which Configuration Manager has them, because rules for what may run name that (TS-103).
func scriptFolder() (dir string, remove func(), err error) {
	const name = "smstspowershellscripts"
	if runtime.GOOS != "windows" {
		dir, err = os.MkdirTemp("", name+"-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	parent := filepath.Join(os.Getenv("SystemRoot"), "Temp", name)
	if err = os.MkdirAll(parent, 0o755); err != nil {
		return "", nil, err
	}
	dir, err = os.MkdirTemp(parent, "")
	return dir, func() {
		_ = os.RemoveAll(dir)
		_ = os.Remove(parent) // not while another script is there
	}, err
}

// decodeScript reads base64 of UTF-16LE with BOM.
func decodeScript(source string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(source), ""))
	if err != nil {
		return "", errors.New("the inline script is not base64 of UTF-16 (TS-103)")
	}
	if len(raw) >= 2 && raw[0] == 0xFF && raw[1] == 0xFE {
		raw = raw[2:]
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i])|uint16(raw[i+1])<<8)
	}
	return string(utf16.Decode(units)), nil
}

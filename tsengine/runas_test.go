package tsengine_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

func runAs(name, line, user string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0"><action>smsswd.exe /run: %s</action><defaultVarList>%s%s%s%s</defaultVarList></step>`, name, line,
		item("_SMSTSRunCommandLineAsUser", "true"), item("SMSTSRunCommandLineUserName", user), item("SMSTSRunCommandLineUserPassword", "its-password"), item("SMSTSRunCommandLineOutputVariableName", "Who"))
}

// TS-104, TS-11: a command runs under another account in the installed system, sets variables from there, and fails in
// the boot environment.
func TestTS104RunAs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user")
	}
	who := "sh -c 'id -un; echo $USER $HOME; echo Set=by-nobody &gt;&gt;$BOOTYARD_TSENV'"
	body := runAs("as nobody", who, `.\nobody`) + runAs("again", "sh -c 'test &quot;%Set%&quot; = by-nobody &amp;&amp; id -un'", "nobody")
	r := execute(t, parse(t, body), func(c *tsengine.Config) { c.Machine.Commands = process.Runner{} })
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, "nobody\nnobody /nonexistent\n", r.recorder.output("as nobody"))
	require.Equal(t, "nobody\n", r.recorder.output("again"))

	r = execute(t, parse(t, runAs("x", "id -un", "nobody")), func(c *tsengine.Config) { c.Environment, c.Machine.Commands = tsengine.WinPE, process.Runner{} })
	require.Equal(t, step.CodeEnvironment, r.result.ExitCode)
	require.Contains(t, r.result.Error, "TS-11")
	r = execute(t, parse(t, runAs("x", "id -un", "no-such-user-here")), func(c *tsengine.Config) { c.Machine.Commands = process.Runner{} })
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.Contains(t, r.result.Error, "no-such-user-here")
	// The global switch holds for all later steps until it is off.
	r = execute(t, parse(t, setVariable("SMSTSRunCommandLineAsUser", "false")+runAs("off", "id -un", "nobody")), func(c *tsengine.Config) { c.Machine.Commands = process.Runner{} })
	require.Equal(t, "root\n", r.recorder.output("off"))
}

// output is the output of a step, as reported.
func (r *recorder) output(name string) string {
	for _, e := range r.events {
		if e.Name == name && e.Kind == tsengine.StepSucceeded {
			return e.Output + "\n"
		}
	}
	return ""
}

func inlineScript(text string) string {
	raw := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(text)) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// TS-94: parameters of a script are logged on request only, and a command line not at all when it is hidden.
func TestTS94Log(t *testing.T) {
	script := typed("RunPowerShellScriptAction", "script", "", item("OSDRunPowerShellScriptSourceScript", inlineScript("exit 0")), item("OSDRunPowerShellScriptParameters", "-Site %Site%"), item("OSDRunPowerShellScriptExecutionPolicy", "Bypass"))
	for name, c := range map[string]struct {
		before, want, not string
	}{
		"parameters":          {setVariable("Site", "headquarters"), "Running PowerShell script script.ps1", "headquarters -"},
		"parameters, asked":   {setVariable("Site", "headquarters") + setVariable("OSDLogPowerShellParameters", "TRUE"), "Running PowerShell script script.ps1 -Site headquarters", "nothing"},
		"command line":        {setVariable("Site", "x"), "Executing command line: deploy --token=abcdef", "nothing"},
		"hidden command line": {setVariable("Site", "x") + setVariable("OSDDoNotLogCommand", "TRUE"), "not shown: OSDDoNotLogCommand is set", "--token=abcdef"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			log, err := smstslog.Open(dir, smstslog.Options{})
			require.NoError(t, err)
			r := execute(t, parse(t, c.before+script+command("deploy", "deploy --token=abcdef", "")), func(cfg *tsengine.Config) { cfg.Log = log; cfg.Machine.Commands = quiet{} })
			require.NoError(t, log.Close())
			require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
			text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
			require.NoError(t, err)
			require.Contains(t, string(text), c.want)
			require.NotContains(t, string(text), c.not)
			if name == "parameters" {
				require.NotContains(t, string(text), "-Site")
			}
		})
	}
	_, err := exec.LookPath("pwsh")
	t.Logf("pwsh is here: %t", err == nil)
}

// TestRunPowerShellInputs: all inputs of TS-103 and TS-104 reach the command.
func TestTS103Inputs(t *testing.T) {
	got := &seen{}
	body := typed("RunPowerShellScriptAction", "script", "", item("OSDRunPowerShellScriptPackageID", "BYD00004"), item("OSDRunPowerShellScriptScriptName", `sub\it's.ps1`), item("OSDRunPowerShellScriptParameters", "-Name '%Who%' -Q &quot;a b&quot;"),
		item("OSDRunPowerShellScriptExecutionPolicy", "Undefined"), item("OSDRunPowerShellScriptOutputVariableName", "Said"), item("_SMSTSRunPowerShellAsUser", "true"), item("SMSTSRunPowerShellUserName", "admin"),
		item("SMSTSRunPowerShellUserPassword", "pw-of-admin"), item("SMSTSRunPowerShellWorkingDirectory", "/srv/here")) + command("show", "echo %Said%", "")
	r := execute(t, parse(t, setVariable("Who", "A B")+body), func(c *tsengine.Config) { c.Machine.Commands, c.Machine.Content = got, content{&bench{}} })
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	first := got.commands[0]
	require.Equal(t, `pwsh -NoLogo -NonInteractive -NoProfile -ExecutionPolicy Undefined -Command "& '/cache/BYD00004/sub/it''s.ps1' -Name 'A B' -Q \"a b\"; exit $LASTEXITCODE"`, first.Line)
	require.Equal(t, "admin", first.User)
	require.Equal(t, "pw-of-admin", first.Password)
	require.Equal(t, "/srv/here", first.Dir)
	require.Len(t, first.Own, 1, "the variable file is handed over, the package is not")
	require.Equal(t, "echo said", got.commands[1].Line)
}

// quiet runs nothing and prints nothing.
type quiet struct{}

func (quiet) Run(context.Context, machine.Command) (machine.Exit, error) { return machine.Exit{}, nil }

// seen keeps whole commands.
type seen struct{ commands []machine.Command }

func (s *seen) Run(_ context.Context, c machine.Command) (machine.Exit, error) {
	s.commands = append(s.commands, c)
	return machine.Exit{Output: "said\n"}, nil
}

package step_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
)

// shell records a command and the script it was given.
type shell struct {
	command machine.Command
	script  string
}

func (s *shell) Run(_ context.Context, c machine.Command) (machine.Exit, error) {
	s.command = c
	_, rest, _ := strings.Cut(c.Line, "& '")
	path, _, _ := strings.Cut(rest, "'")
	b, err := os.ReadFile(path)
	s.script = string(b)
	return machine.Exit{Code: 0, Output: "done\n"}, err
}

// TS-103, TS-94. On Windows the script is where Configuration Manager has it.
func TestTS103InlineScript(t *testing.T) {
	raw := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune("Write-Host 'ä'\r\n")) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	b := prepare(t, node("RunPowerShellScriptAction", "OSDRunPowerShellScriptSourceScript", base64.StdEncoding.EncodeToString(raw),
		"OSDRunPowerShellScriptParameters", `-Name 'a b' -Other "%X%"`, "OSDRunPowerShellScriptExecutionPolicy", "Bypass", "OSDRunPowerShellScriptOutputVariableName", "Out"), "X", "secretish")
	s := &shell{}
	b.context.Machine.Commands = s
	out := b.run(t)
	require.NoError(t, out.Err)
	require.Equal(t, "\uFEFFWrite-Host 'ä'\r\n", s.script)
	require.Contains(t, s.command.Line, `-ExecutionPolicy Bypass -Command "& '`)
	require.Contains(t, s.command.Line, `' -Name 'a b' -Other \"secretish\"; exit $LASTEXITCODE"`)
	require.Equal(t, "done", b.context.Variables.Value("Out"))
	require.NotContains(t, b.log.String(), "secretish", "parameters are not logged")
	require.NoDirExists(t, s.command.Dir)
	if runtime.GOOS == "windows" {
		require.Equal(t, strings.ToLower(filepath.Join(os.Getenv("windir"), "temp", "smstspowershellscripts")), strings.ToLower(filepath.Dir(s.command.Dir)))
		require.NoDirExists(t, filepath.Dir(s.command.Dir), "nothing stays")
	}

	out = prepare(t, node("RunPowerShellScriptAction", "OSDRunPowerShellScriptSourceScript", "***")).run(t)
	require.ErrorContains(t, out.Err, "base64")
	out = prepare(t, node("RunPowerShellScriptAction", "OSDRunPowerShellScriptPackageID", "BYD00001", "OSDRunPowerShellScriptScriptName", `..\x.ps1`)).run(t)
	require.ErrorContains(t, out.Err, "not inside")
	require.Equal(t, step.CodeContent, out.Code)
}

package wine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// basic is what scripts of real sequences do with the two objects.
const basic = `Option Explicit
Dim env, ui, v, names, answer
Set env = CreateObject("Microsoft.SMS.TSEnvironment")
env("OSDComputerName") = "X" : WScript.Echo "package " & env("_SMSTSPackageName")
For Each v In env.GetVariables
  names = names & "," & v
Next
WScript.Echo "names" & names & ","
WScript.Echo "site [" & env.Value("Site") & "] unset [" & env("NoSuchVariable") & "]"
env.Value("Count") = 7
env("Ready") = True
env("Gone") = ""
env("SMSTSRebootRequested") = "HD"
On Error Resume Next
env("_SMSTSMake") = "no"
WScript.Echo "read-only " & Hex(Err.Number) & " " & Err.Description
Err.Clear
env("9th") = "no"
WScript.Echo "bad name " & Hex(Err.Number)
Err.Clear
Set ui = CreateObject("Microsoft.SMS.TsProgressUI")
ui.ShowMessage "hello", "A title", 0
ui.ShowTSProgress env("_SMSTSOrgName"), env("_SMSTSPackageName"), "", env("_SMSTSCurrentActionName"), 1, 2
ui.ShowActionProgress env("_SMSTSOrgName"), env("_SMSTSPackageName"), "", env("_SMSTSCurrentActionName"), 1, 2, "half done", 5, 10
ui.ShowErrorDialog "", "", "Trouble", "it broke", 5, 0, False
ui.ShowRebootDialog "", "", "", "restart soon", 10
ui.ShowSwapMediaDialog "a sequence", 2
ui.ShowMessageEx "sure", "", 0, answer
ui.CloseProgressDialog
WScript.Echo "screen " & Err.Number & " answer " & answer
ui.ShowMessageEx "really", "", 4, answer
WScript.Echo "question " & Hex(Err.Number)
`

const jscript = `var env = new ActiveXObject("Microsoft.SMS.TSEnvironment");
env.Value("FromJScript") = env.Value("Count") + "+" + new VBArray(env.GetVariables()).toArray().length;
`

// scripts: what cscript does as a step is seen by the engine, on the screen, in the log and in the next environment.
func scripts(t *testing.T, a agent) {
	for name, text := range map[string]string{"basic.vbs": basic, "more.js": jscript} {
		require.NoError(t, os.WriteFile(filepath.Join(a.bed.C(), name), []byte(strings.ReplaceAll(text, "\n", "\r\n")), 0o600))
	}
	const cscript = `cscript.exe //nologo C:\`
	file := a.sequence(t, "scripts.xml", command("VBScript", cscript+"basic.vbs", "", "SMSTSRunCommandLineOutputVariableName", "Said")+
		command("JScript", cscript+"more.js", "")+
		command("after", `cmd.exe /d /c echo %OSDComputerName%, %Count%, %Ready%, %FromJScript%&gt;C:\seen.txt`, ""))
	args := []string{"run", file, "--dir", `C:\scripts`, "--set", "Site=North", "--set", "Gone=here"}
	code, out := a.run(t, nil, args...)
	require.Equal(t, 3, code, "the script asked for a restart: %s", out+a.read(t, `scripts\smsts.log`))
	for _, line := range []string{"message: A title: hello", "5 of 10: half done", "message: Trouble: it broke (0x00000005)",
		"message: restart soon", "message: a sequence: insert medium 2", "message: sure", "message: really"} {
		require.Contains(t, out, line)
	}
	code, out = a.run(t, nil, args...)
	require.Zero(t, code, out)
	require.Regexp(t, `^X, 7, True, 7\+\d\d\r\n$`, a.read(t, "seen.txt"))

	log := a.read(t, `scripts\smsts.log`)
	for _, text := range []string{"package scripts.xml", "site [North] unset []", "read-only 80070005 ", "bad name 80070057", "screen 0 answer 1", "question 80070005",
		"Message of a script: A title: hello"} {
		require.Contains(t, log, text)
	}
	for _, name := range []string{"OSDComputerName", "Site", "Gone", "_SMSTSInWinPE"} {
		require.Regexp(t, `names[^\r\n]*,`+name+`,`, log)
	}
	query, err := a.bed.Output(a.bed.Command(t.Context(), "reg", "query", `HKLM\Software\Classes\Microsoft.SMS.TSEnvironment`))
	require.Error(t, err, "nothing stays in the registry: %s", query)
}

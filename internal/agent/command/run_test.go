package command_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/command"
)

// A sequence from a file: it asks for a restart, goes on behind it, and is not run again when it has ended.
func TestRunLocal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its commands are Linux's; internal/wine has the same for Windows")
	}
	dir := t.TempDir()
	file, state := filepath.Join(dir, "sequence.xml"), filepath.Join(dir, "run")
	step := func(name, line string) string {
		return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0 3010"><action>smsswd.exe /run: %s</action></step>`, name, line)
	}
	require.NoError(t, os.WriteFile(file, []byte(`<sequence version="3.10" name="Try">`+step("one", "sh -c 'echo %Site% &gt;&gt; "+dir+"/out'")+
		`<step type="SMS_TaskSequence_RebootAction" name="restart" successCodeList="0"><action>smsboot.exe /target:HD</action><defaultVarList><variable name="SMSRebootTarget" property="Target" hidden="true">HD</variable></defaultVarList></step>`+
		step("two", "sh -c 'echo two &gt;&gt; "+dir+"/out'")+`</sequence>`), 0o600))
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := command.Execute(t.Context(), append([]string{"run"}, args...), command.Streams{Out: &out, Err: &out})
		return code, out.String()
	}
	code, out := run(file, "--dir", state, "--set", "Site=North")
	require.Equal(t, 3, code, out)
	require.Contains(t, out, "step 1 of 3: one: step-succeeded (code 0)")
	code, out = run("--dir", state, file)
	require.Zero(t, code, out)
	text, err := os.ReadFile(filepath.Join(dir, "out"))
	require.NoError(t, err)
	require.Equal(t, "North\ntwo\n", string(text))
	code, out = run(file, "--dir", state)
	require.Equal(t, 1, code)
	require.Contains(t, out, "remove "+state)
	require.FileExists(t, filepath.Join(state, "smsts.log"))
	for _, args := range [][]string{{}, {file}, {"--dir", state}, {file, "--dir", state, "more"}, {file, "--dir", state, "--set", "x"}} {
		code, _ := run(args...)
		require.Equal(t, 2, code, args)
	}
}

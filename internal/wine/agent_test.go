package wine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wine"
	"github.com/bootyard/bootyard/tsengine/fact"
)

// agent is bootyard-agent.exe and the drive it runs on.
type agent struct {
	bed *wine.Bed
	exe string
}

func build(t *testing.T, b *wine.Bed) agent {
	t.Helper()
	a := agent{b, filepath.Join(b.C(), "bootyard-agent.exe")}
	require.NoError(t, b.Build(t.Context(), "github.com/bootyard/bootyard/cmd/bootyard-agent", a.exe, false))
	return a
}

// run starts the agent and gives its exit code; it is killed when soon, unless nil, returns.
func (a agent) run(t *testing.T, soon func(context.Context), args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if soon != nil {
		go func() { // ends with ctx
			soon(ctx)
			cancel()
		}()
	}
	text, err := a.bed.Output(a.bed.Command(ctx, a.exe, args...))
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		require.NoError(t, err, "%s", text)
	}
	if failed != nil {
		return failed.ExitCode(), string(text) // -1: killed
	}
	return 0, string(text)
}

// sequence writes a task sequence to drive C and returns its Windows path.
func (a agent) sequence(t *testing.T, name, body string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(a.bed.C(), name), []byte(`<sequence version="3.10" name="`+name+`">`+body+`</sequence>`), 0o600))
	return `C:\` + name
}

func (a agent) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(a.bed.C(), filepath.FromSlash(strings.ReplaceAll(name, `\`, "/"))))
	require.NoError(t, err)
	return string(b)
}

// command is a Run Command Line step; more are its own variables.
func command(name, line, attributes string, more ...string) string {
	var list strings.Builder
	for i := 0; i+1 < len(more); i += 2 {
		fmt.Fprintf(&list, `<variable name="%s" property="%s">%s</variable>`, more[i], more[i], more[i+1])
	}
	return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0 3010" %s><action>smsswd.exe /run: x</action>
<defaultVarList><variable name="CommandLine" property="CommandLine" hidden="true">%s</variable>%s</defaultVarList></step>`, name, attributes, line, list.String())
}

func when(condition, node string) string {
	i := strings.Index(node, "<action>")
	return node[:i] + "<condition>" + condition + "</condition>" + node[i:]
}

func expression(kind string, fields ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(fields); i += 2 {
		fmt.Fprintf(&b, `<variable name="%s">%s</variable>`, fields[i], fields[i+1])
	}
	return fmt.Sprintf(`<expression type="SMS_TaskSequence_%sConditionExpression">%s</expression>`, kind, b.String())
}

func facts(t *testing.T, a agent) {
	code, out := a.run(t, nil, "facts")
	require.Zero(t, code, out)
	_, yaml, _ := strings.Cut(out, "# gathered") // Wine may have said something before
	sheet, err := fact.Parse([]byte("#" + yaml))
	require.NoError(t, err, out)
	for _, name := range []string{"Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_BIOS"} {
		require.NotNil(t, sheet.Class("", name), name)
	}
}

// sequences: conditions, output variables, a timeout, a restart and what comes after it, with the log and the state on the
// disk.
func sequences(t *testing.T, a agent) {
	const say = `cmd.exe /d /c echo `
	no := expression("Registry", "KeyPath", `HKEY_LOCAL_MACHINE\SOFTWARE\NoSuchKeyHere`, "Operator", "exists")
	file := a.sequence(t, "one.xml", command("output", say+"from Windows %Site%", "", "SMSTSRunCommandLineOutputVariableName", "Said")+
		when(no, command("no", say+`no&gt;&gt;C:\out.txt`, ""))+
		when(expression("WMI", "Namespace", `root\cimv2`, "Query", "SELECT * FROM Win32_OperatingSystem WHERE OSType = 18"), command("wmi", say+`wmi&gt;&gt;C:\out.txt`, ""))+
		when(expression("File", "Path", `%windir%\Sysnative\kernel32.dll`, "VersionOperator", "greater", "Version", "5.0"), command("file", say+`file&gt;&gt;C:\out.txt`, ""))+
		command("late", "ping.exe -n 60 127.0.0.1", `timeout="1" continueOnError="true"`)+
		command("restart", "cmd.exe /c exit 3010", "")+
		command("TS-95", say+`Script=heard&gt;&gt;%BOOTYARD_TSENV%`, "")+
		command("after", say+`%Said%, %Script%, %_SMSTSLastActionRetCode%&gt;&gt;C:\out.txt`, ""))
	args := []string{"run", file, "--dir", `C:\run`, "--set", "Site=North", "--set", "OSDJoinPassword=a-Secret-1"}
	code, out := a.run(t, nil, args...)
	require.Equal(t, 3, code, "it wants a restart: %s", out)
	require.Contains(t, out, "late: step-failed (code 1460)")
	require.Equal(t, "wmi\r\nfile\r\n", a.read(t, "out.txt"))
	require.NotContains(t, a.read(t, `run\state\state.json`), "a-Secret-1")
	code, out = a.run(t, nil, args...)
	require.Zero(t, code, out)
	require.Equal(t, "wmi\r\nfile\r\nfrom Windows North, heard, 0\r\n", a.read(t, "out.txt"))
	code, out = a.run(t, nil, args...)
	require.Equal(t, 1, code)
	require.Contains(t, out, "has ended")

	log := a.read(t, `run\smsts.log`)
	record := regexp.MustCompile(`(?s)<!\[LOG\[.*?\]LOG\]!><time="\d\d:\d\d:\d\d\.\d{3}[+-]\d+" date="\d\d-\d\d-\d{4}" component="\w[^"]*" context="" type="[0-3]" thread="\d+" file="[^"]*">\r?\n`)
	require.Empty(t, strings.TrimSpace(record.ReplaceAllString(log, "")), "every byte of the log belongs to a record")
	require.Contains(t, log, "Process completed with exit code 3010")
	require.NotContains(t, log, "a-Secret-1")
}

// service: Windows knows the agent as a service that starts with it.
func service(t *testing.T, a agent) {
	code, out := a.run(t, nil, "service", "status")
	require.Equal(t, 1, code)
	require.Contains(t, out, "bootyard-agent service install does it")
	code, out = a.run(t, nil, "service", "install")
	require.Zero(t, code, out)
	code, out = a.run(t, nil, "service", "install")
	require.Equal(t, 1, code)
	require.Contains(t, out, "installed already")
	code, out = a.run(t, nil, "service", "status")
	require.Zero(t, code, out)
	require.Contains(t, out, `service bootyard-agent is stopped`)
	query, err := a.bed.Output(a.bed.Command(t.Context(), "reg", "query", `HKLM\SYSTEM\CurrentControlSet\Services\bootyard-agent`))
	require.NoError(t, err, "%s", query)
	require.Regexp(t, `Start\s+REG_DWORD\s+0x2\b`, string(query))
	require.Regexp(t, `ImagePath\s.*bootyard-agent\.exe"? service`, string(query))
	code, out = a.run(t, nil, "service", "remove")
	require.Zero(t, code, out)
	code, _ = a.run(t, nil, "service", "status")
	require.Equal(t, 1, code)
}

// killed: the agent is killed at random moments; each line is there once, or its step was reported as interrupted, and no
// program outlives its agent to write late. A life ends soon after it has written a line, so that the sequence is long
// enough for all kills on fast and slow machines.
func killed(t *testing.T, a agent) {
	const lines, kills, atLeast = 120, 25, 20
	var body strings.Builder
	for i := range lines {
		body.WriteString(command(fmt.Sprintf("line-%d", i), fmt.Sprintf(`cmd.exe /d /c echo line-%d&gt;&gt;C:\lines.txt`, i), `continueOnError="true"`))
	}
	file := a.sequence(t, "kill.xml", body.String())
	require.NoError(t, os.WriteFile(filepath.Join(a.bed.C(), "lines.txt"), nil, 0o600))
	interrupted := map[string]int{}
	failed := regexp.MustCompile(`(line-\d+): step-failed`)
	count := 0
	for {
		var soon func(context.Context)
		if count < kills {
			soon = func(ctx context.Context) { a.lineWritten(ctx, time.Duration(rand.Int64N(int64(40*time.Millisecond)))) }
		}
		code, out := a.run(t, soon, "run", file, "--dir", `C:\kill`)
		for _, m := range failed.FindAllStringSubmatch(out, -1) {
			interrupted[m[1]]++
		}
		if count > 0 && strings.Contains(out, "has ended") {
			break // killed between the end of the run and the end of the process
		}
		if code != -1 {
			require.Zero(t, code, out)
			break
		}
		count++
	}
	written := map[string]int{}
	for _, line := range strings.Fields(a.read(t, "lines.txt")) {
		written[line]++
	}
	for i := range lines {
		line := fmt.Sprintf("line-%d", i)
		require.LessOrEqual(t, written[line], 1, line)
		require.True(t, written[line] == 1 || interrupted[line] > 0, "%s is missing", line)
	}
	t.Logf("%d kills, %d of %d steps interrupted", count, len(interrupted), lines)
	require.GreaterOrEqual(t, count, atLeast)
}

// lineWritten returns a while after lines.txt has grown, or when ctx ends.
func (a agent) lineWritten(ctx context.Context, while time.Duration) {
	size := func() int64 {
		if s, err := os.Stat(filepath.Join(a.bed.C(), "lines.txt")); err == nil {
			return s.Size()
		}
		return 0
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for before := size(); size() == before; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(while):
	}
}

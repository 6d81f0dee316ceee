package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
)

// helper makes this test program the program of a command: show, exit, many and tree.
const helper = "BYD_TEST_HELPER"

func TestMain(m *testing.M) {
	switch mode, rest, _ := strings.Cut(os.Getenv(helper), " "); mode {
	case "":
		os.Exit(m.Run())
	case "show":
		dir, _ := os.Getwd()
		_ = json.NewEncoder(os.Stdout).Encode(shown{os.Args[1:], dir, os.Getenv("BYD")})
	case "exit":
		code, _ := strconv.ParseUint(rest, 10, 32)
		windows.ExitProcess(uint32(code))
	case "many":
		_, _ = os.Stdout.WriteString(strings.Repeat("a line of the output\r\n", 20000) + "end\r\n")
	case "tree", "leave": // starts the next generation, and waits or does not
		generation, _ := strconv.Atoi(rest)
		name := filepath.Join(os.Getenv("BYD_PIDS"), strconv.Itoa(generation))
		if err := os.WriteFile(name+".tmp", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil || os.Rename(name+".tmp", name) != nil {
			os.Exit(9)
		}
		if generation > 0 {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), fmt.Sprintf("%s=tree %d", helper, generation-1))
			if child.Start() != nil {
				os.Exit(8)
			}
			if mode == "leave" {
				os.Exit(0)
			}
		}
		time.Sleep(time.Minute) // ended by the job
	}
	os.Exit(0)
}

type shown struct {
	Args []string
	Dir  string
	Env  string
}

// program copies this test program to a name in a folder.
func program(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o755))
	return path
}

func run(t *testing.T, c machine.Command, mode string) (machine.Exit, error) {
	t.Helper()
	c.Environment = append(c.Environment, helper+"="+mode)
	return process.Runner{}.Run(t.Context(), c)
}

// TS-100, TS-101: arguments arrive as CommandLineToArgvW splits the line as it was written; the program is looked for in
// the working folder first; .com, .exe and .bat are tried.
func TestTS100CommandLines(t *testing.T) {
	dir := t.TempDir()
	program(t, dir, "tool.exe")
	program(t, dir, `with blank\my tool.exe`)
	for line, want := range map[string][]string{
		`tool`:                         nil,
		`tool.exe a "b c" d`:           {"a", "b c", "d"},
		`tool "a \"quoted\" word" \\x`: {`a "quoted" word`, `\\x`},
		`tool "ends in \\" next`:       {`ends in \`, "next"},
		`tool 'single quotes' $x %y%`:  {"'single", "quotes'", "$x", "%y%"},
		`tool "" x`:                    {"", "x"},
		`"tool" /q`:                    {"/q"},
		`.\tool && echo`:               {"&&", "echo"},
		`"with blank\my tool" x`:       {"x"},
		filepath.Join(dir, "with blank", "my tool.exe") + ` unquoted path`: {"unquoted", "path"},
	} {
		exit, err := run(t, machine.Command{Line: line, Dir: dir, Environment: []string{"BYD=ü"}}, "show")
		require.NoError(t, err, line)
		var have shown
		require.NoError(t, json.Unmarshal([]byte(exit.Output), &have), "%s: %s", line, exit.Output)
		require.Equal(t, append([]string{}, want...), have.Args, line)
		require.True(t, strings.EqualFold(dir, have.Dir), "%s: %s", line, have.Dir)
		require.Equal(t, "ü", have.Env)
	}
	_, err := run(t, machine.Command{Line: "no-such-program-here /x", Dir: dir}, "show")
	require.ErrorIs(t, err, exec.ErrNotFound)
	_, err = run(t, machine.Command{Line: `"`}, "show")
	require.ErrorContains(t, err, "names no program")
}

// TS-100: a batch file is found without its extension, after .com and .exe, and gets its arguments.
func TestTS100Batch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pack age")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "setup.bat"), []byte("@echo off\r\necho [%1] [%~2]\r\nexit /b 42\r\n"), 0o644))
	exit, err := run(t, machine.Command{Line: `setup one "two words"`, Dir: dir}, "show")
	require.NoError(t, err)
	require.Equal(t, machine.Exit{Code: 42, Output: "[one] [two words]\r\n"}, exit)
	program(t, dir, "setup.exe")
	exit, err = run(t, machine.Command{Line: `setup one`, Dir: dir}, "exit 5")
	require.NoError(t, err)
	require.EqualValues(t, 5, exit.Code, ".exe comes before .bat")
	exit, err = run(t, machine.Command{Line: `%windir%\system32\cmd.exe /c exit 4`, Dir: `%TEMP%`}, "")
	require.NoError(t, err)
	require.EqualValues(t, 4, exit.Code)
	exit, err = run(t, machine.Command{Line: `cmd.exe /c echo a & exit 3`}, "")
	require.NoError(t, err)
	require.EqualValues(t, 3, exit.Code)
}

// TS-33: exit codes are unsigned 32 bit.
// TS-100: a document is opened by the program that its extension belongs to, in every form in which programs register
// themselves; without one the step says so.
func TestTS100Documents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pack age")
	opener := program(t, dir, "opener.exe")
	document := filepath.Join(dir, "the answers.bydtest")
	require.NoError(t, os.WriteFile(document, []byte("text"), 0o644))
	const classes = `SOFTWARE\Classes\`
	set := func(path, value string) {
		k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, classes+path, registry.SET_VALUE)
		require.NoError(t, err)
		require.NoError(t, errors.Join(k.SetStringValue("", value), k.Close()))
	}
	t.Cleanup(func() {
		for _, path := range []string{`bydfile\shell\open\command`, `bydfile\shell\open`, `bydfile\shell`, "bydfile", ".bydtest"} {
			_ = registry.DeleteKey(registry.LOCAL_MACHINE, classes+path)
		}
	})
	set(".bydtest", "bydfile")
	for template, want := range map[string][]string{
		`"` + opener + `" "%1"`:           {document, "/s", "two words"},
		`"` + opener + `" /open "%1" %*`:  {"/open", document, "/s", "two words"},
		`"` + opener + `" /open:"%L" end`: {"/open:" + document, "end", "/s", "two words"},
	} {
		set(`bydfile\shell\open\command`, template)
		exit, err := run(t, machine.Command{Line: `"the answers.bydtest" /s "two words"`, Dir: dir}, "show")
		require.NoError(t, err, template)
		var have shown
		require.NoError(t, json.Unmarshal([]byte(exit.Output), &have), exit.Output)
		require.Equal(t, want, have.Args, template)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.nobodysown"), nil, 0o644))
	_, err := run(t, machine.Command{Line: "x.nobodysown", Dir: dir}, "show")
	require.ErrorContains(t, err, "no program is associated with .nobodysown files")
}

func TestTS33ExitCodes(t *testing.T) {
	tool := program(t, t.TempDir(), "tool.exe")
	for _, code := range []uint32{0, 1, 3010, 0xC1900210, 0xFFFFFFFF} {
		exit, err := run(t, machine.Command{Line: `"` + tool + `"`}, fmt.Sprintf("exit %d", code))
		require.NoError(t, err)
		require.Equal(t, code, exit.Code)
	}
}

// TS-102: of much output the end is kept, and each line is handed on.
func TestTS102Output(t *testing.T) {
	lines := 0
	exit, err := run(t, machine.Command{Line: program(t, t.TempDir(), "tool.exe"), Output: func(string) { lines++ }}, "many")
	require.NoError(t, err)
	require.LessOrEqual(t, len(exit.Output), 16<<10)
	require.True(t, strings.HasSuffix(strings.TrimSpace(exit.Output), "end"))
	require.Equal(t, 20001, lines)
}

func pid(t *testing.T, dir string, generation int) uint32 {
	t.Helper()
	var n int
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(generation)))
		if err == nil {
			n, err = strconv.Atoi(string(b))
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	return uint32(n)
}

func lives(pid uint32) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}

// TS-28: at expiry everything the command started is gone.
func TestTS28TimeoutEndsTheTree(t *testing.T) {
	dir := t.TempDir()
	tool := program(t, dir, "tool.exe")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		_, err := process.Runner{}.Run(ctx, machine.Command{Line: tool, Timeout: 50 * time.Second, Environment: []string{helper + "=tree 2", "BYD_PIDS=" + dir}})
		done <- err
	}()
	var pids []uint32
	for generation := range 3 {
		pids = append(pids, pid(t, dir, generation))
		require.True(t, lives(pids[generation]))
	}
	cancel(machine.ErrTimeout) // as the time limit does, but not before all three have started
	require.ErrorIs(t, <-done, machine.ErrTimeout)
	for _, p := range pids {
		require.Eventually(t, func() bool { return !lives(p) }, 5*time.Second, 10*time.Millisecond, "process %d still lives", p)
	}
	began := time.Now()
	_, err := run(t, machine.Command{Line: tool, Timeout: 300 * time.Millisecond, Environment: []string{"BYD_PIDS=" + dir}}, "tree 0")
	require.ErrorIs(t, err, machine.ErrTimeout)
	require.Less(t, time.Since(began), 20*time.Second)
}

// What a program leaves behind goes on when it ends in time.
func TestChildrenOutliveTheirProgram(t *testing.T) {
	dir := t.TempDir()
	tool := program(t, dir, "tool.exe")
	_, err := run(t, machine.Command{Line: tool, Environment: []string{"BYD_PIDS=" + dir}}, "leave 1")
	require.NoError(t, err)
	child := pid(t, dir, 0)
	require.True(t, lives(child))
	h, err := windows.OpenProcess(windows.PROCESS_TERMINATE|windows.SYNCHRONIZE, false, child)
	require.NoError(t, err)
	defer windows.CloseHandle(h)
	require.NoError(t, windows.TerminateProcess(h, 0))
	_, _ = windows.WaitForSingleObject(h, 5000)
}

// TS-72: Sysnative is System32 for this 64-bit program, and a redirected command looks into SysWOW64 first.
func TestTS72Redirection(t *testing.T) {
	root := os.Getenv("SystemRoot")
	exit, err := run(t, machine.Command{Line: root + `\Sysnative\cmd.exe /c exit 6`}, "")
	require.NoError(t, err)
	require.EqualValues(t, 6, exit.Code)
	wow := filepath.Join(root, "SysWOW64")
	if _, err := os.Stat(wow); err != nil {
		require.NoError(t, os.Mkdir(wow, 0o755))
		t.Cleanup(func() { _ = os.Remove(wow) })
	}
	tool := program(t, wow, "bydtool.exe")
	t.Cleanup(func() { _ = os.Remove(tool) })
	exit, err = run(t, machine.Command{Line: root + `\System32\bydtool`, Redirect: true}, "exit 8")
	require.NoError(t, err)
	require.EqualValues(t, 8, exit.Code)
	_, err = run(t, machine.Command{Line: root + `\System32\bydtool`}, "exit 8")
	require.ErrorIs(t, err, exec.ErrNotFound)
	exit, err = run(t, machine.Command{Line: root + `\System32\cmd.exe /c exit 7`, Redirect: true}, "")
	require.NoError(t, err)
	require.EqualValues(t, 7, exit.Code, "what only System32 has is found there")
}

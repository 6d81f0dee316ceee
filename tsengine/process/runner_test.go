//go:build linux

package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		`a b  c`:                          {"a", "b", "c"},
		`"a b" c`:                         {"a b", "c"},
		`'a b' c`:                         {"a b", "c"},
		`it's fine`:                       {"it's", "fine"},
		`C:\x\y.exe /s`:                   {`C:\x\y.exe`, "/s"},
		`say "a \"quoted\" word"`:         {"say", `a "quoted" word`},
		`cscript.exe "%SCRIPTROOT%\a.wsf`: {"cscript.exe", `%SCRIPTROOT%\a.wsf`},
		`a "" b`:                          {"a", "", "b"},
		``:                                nil,
		`echo a && rm b`:                  {"echo", "a", "&&", "rm", "b"},
	} {
		require.Equal(t, want, process.Split(line), line)
	}
}

func run(t *testing.T, c machine.Command) (machine.Exit, error) {
	t.Helper()
	return process.Runner{}.Run(t.Context(), c)
}

func TestTS100aRun(t *testing.T) {
	exit, err := run(t, machine.Command{Line: `printf "%s-%s" a "b c"`})
	require.NoError(t, err)
	require.Equal(t, machine.Exit{Output: "a-b c"}, exit)

	// TS-100a: no shell unless asked for.
	exit, err = run(t, machine.Command{Line: `echo $HOME; exit 3`})
	require.NoError(t, err)
	require.Equal(t, "$HOME; exit 3\n", exit.Output)
	exit, err = run(t, machine.Command{Line: `sh -c 'echo $BYD; echo no >&2; exit 7'`, Environment: []string{"BYD=yes"}})
	require.NoError(t, err)
	require.Equal(t, machine.Exit{Code: 7, Output: "yes\nno\n"}, exit)

	exit, err = run(t, machine.Command{Line: `sh -c 'kill -9 $$'`})
	require.NoError(t, err)
	require.EqualValues(t, 137, exit.Code)

	_, err = run(t, machine.Command{Line: "there-is-no-such-program"})
	require.ErrorIs(t, err, exec.ErrNotFound)
	_, err = run(t, machine.Command{Line: " "})
	require.Error(t, err)
}

// TS-101: a program of the package is found in the working folder, also when its executable bit was lost.
func TestTS101PackageFolder(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "burn.sh"), []byte("#!/bin/sh\necho \"$1 $(pwd)\"\n"), 0o600))
	exit, err := run(t, machine.Command{Line: "burn.sh it", Dir: dir})
	require.NoError(t, err)
	require.Equal(t, "it "+dir+"\n", exit.Output)
}

func TestOutputIsBounded(t *testing.T) {
	lines := 0
	exit, err := run(t, machine.Command{Line: `sh -c 'yes 0123456789 | head -n 200000; echo end'`, Output: func(string) { lines++ }})
	require.NoError(t, err)
	require.LessOrEqual(t, len(exit.Output), 16<<10)
	require.True(t, strings.HasSuffix(exit.Output, "end\n"))
	require.Equal(t, 200001, lines)
}

// TS-28: at expiry everything the command started is gone, also what hid from its group and lost its parent.
func TestTS28TimeoutKillsTheTree(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("setsid is not installed")
	}
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	script := `echo $$ >> pids; (echo $BASHPID >/dev/null; setsid sh -c 'echo $$ >> pids; (setsid sh -c "echo \$\$ >> pids; sleep 300" &) ; sleep 300' &) ; sleep 300 & sleep 300`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tree.sh"), []byte("#!/bin/sh\n"+script), 0o700))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start := time.Now()
	type answer struct {
		exit machine.Exit
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		exit, err := process.Runner{}.Run(ctx, machine.Command{Line: "./tree.sh", Dir: dir, Timeout: 1500 * time.Millisecond})
		done <- answer{exit, err}
	}()
	a := <-done
	require.ErrorIs(t, a.err, machine.ErrTimeout)
	require.Less(t, time.Since(start), 20*time.Second)
	text, err := os.ReadFile(pids)
	require.NoError(t, err)
	list := strings.Fields(string(text))
	require.Len(t, list, 3, "all three generations had started")
	for _, p := range list {
		pid, err := strconv.Atoi(p)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return gone(pid) }, 5*time.Second, 10*time.Millisecond, "process %d still lives", pid)
	}
}

func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("agent stops")
	started := make(chan struct{})
	go func() {
		<-started
		cancel(why)
	}()
	once := false
	_, err := process.Runner{}.Run(ctx, machine.Command{Line: "sh -c 'echo up; sleep 300'", Output: func(string) {
		if !once {
			once = true
			close(started)
		}
	}})
	require.ErrorIs(t, err, why)
}

func FuzzSplit(f *testing.F) {
	f.Add(`a "b c" 'd`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, a := range process.Split(line) {
			require.LessOrEqual(t, len(a), len(line))
		}
	})
}

// TestTS30WholeCode: Linux passes on eight bits of a code; the step's own codes tell which was meant.
func TestTS30WholeCode(t *testing.T) {
	for _, c := range []struct {
		line  string
		known []uint32
		want  uint32
	}{
		{"exit 3010", []uint32{0, 3010}, 3010},
		{"exit 3010", []uint32{0}, 194},
		{"exit 3010", nil, 194},
		{"exit 194", []uint32{0, 194, 3010}, 194},
		{"exit 1641", []uint32{3010, 1641}, 1641},
		{"exit 0", []uint32{256, 3010}, 0},
		{"exit 7", []uint32{0, 3010}, 7},
	} {
		exit, err := run(t, machine.Command{Line: "sh -c '" + c.line + "'", Codes: c.known})
		require.NoError(t, err)
		require.Equal(t, c.want, exit.Code, c)
	}
}

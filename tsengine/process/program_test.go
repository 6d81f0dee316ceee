package process_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
)

func TestStart(t *testing.T) {
	var r process.Runner
	if !r.Find("cat") {
		t.Skip("needs cat")
	}
	require.False(t, r.Windows())
	require.False(t, r.Find("no-such-program-here"))
	exit, err := r.Start(t.Context(), machine.Program{Name: "cat", Input: "a secret\n"})
	require.NoError(t, err)
	require.Equal(t, "a secret\n", exit.Output)
	exit, err = r.Start(t.Context(), machine.Program{Name: "sh", Args: []string{"-c", `echo "$1"; exit 7`, "x", "one; argument $HOME"}, Dir: t.TempDir()})
	require.NoError(t, err)
	require.Equal(t, machine.Exit{Code: 7, Output: "one; argument $HOME\n"}, exit)
	_, err = r.Start(t.Context(), machine.Program{Name: "no-such-program-here"})
	require.ErrorIs(t, err, exec.ErrNotFound)
	_, err = r.Start(t.Context(), machine.Program{Name: "sleep", Args: []string{"60"}, Timeout: 50 * time.Millisecond})
	require.ErrorIs(t, err, machine.ErrTimeout)
	_, err = r.Start(t.Context(), machine.Program{})
	require.Error(t, err)
}

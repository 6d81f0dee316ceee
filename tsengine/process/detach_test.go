//go:build linux

package process_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/process"
)

// TS-122: a detached program is not waited for and goes on when the agent that started it has ended.
func TestTS122DetachedProgramOutlivesTheAgent(t *testing.T) {
	const job = "BYD_TEST_DETACH"
	if dir := os.Getenv(job); dir != "" { // the agent
		began := time.Now()
		require.NoError(t, process.Runner{}.Detach("sh -c 'until [ -e "+dir+"/go ]; do sleep 0.01; done; echo done > "+dir+"/done.tmp; mv "+dir+"/done.tmp "+dir+"/done'"))
		require.Less(t, time.Since(began), 5*time.Second)
		return
	}
	dir := t.TempDir()
	agent := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	agent.Env = append(os.Environ(), job+"="+dir)
	out, err := agent.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoFileExists(t, filepath.Join(dir, "done"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "done")); return err == nil }, 10*time.Second, 10*time.Millisecond)
	require.ErrorIs(t, process.Runner{}.Detach("there-is-no-such-program"), exec.ErrNotFound)
	require.Error(t, process.Runner{}.Detach(" "))
}

package atomicfile_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/atomicfile"
)

func TestWriteReplacesAndSetsPermissions(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	require.NoError(t, atomicfile.Write(name, []byte("one"), 0o644))
	require.NoError(t, atomicfile.Write(name, []byte("two"), 0o600))
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "two", string(data))
	info, err := os.Stat(name)
	require.NoError(t, err)
	if runtime.GOOS != "windows" { // where access is not a matter of modes
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestFailureLeavesTheOldFileAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "state")
	// A folder in the way makes the rename fail after everything was written.
	require.NoError(t, os.MkdirAll(filepath.Join(name, "full"), 0o755))
	require.Error(t, atomicfile.Write(name, []byte("new"), 0o644))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.ErrorContains(t, atomicfile.Write(filepath.Join(dir, "absent", "x"), nil, 0o644), "absent")
}

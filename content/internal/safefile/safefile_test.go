package safefile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/internal/safefile"
)

func TestWriteFileReplacesAsAWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, safefile.WriteFile(name, []byte("old")))
	before, err := os.Open(name)
	require.NoError(t, err)
	defer before.Close()
	require.NoError(t, safefile.WriteFile(name, []byte("new")))

	data := make([]byte, 3)
	_, err = before.Read(data)
	require.NoError(t, err)
	assert.Equal(t, "old", string(data), "who has it open still reads the old file")
	data, err = os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "new", string(data))

	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file is left")
}

func TestWriteFileLeavesNothingWhenItCannotReplace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.MkdirAll(filepath.Join(name, "in the way"), 0o755))
	require.Error(t, safefile.WriteFile(name, []byte("new")))
	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	assert.Error(t, safefile.WriteFile(filepath.Join(t.TempDir(), "missing", "x"), nil))
}

func TestTryLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := safefile.TryLock(name)
	require.NoError(t, err)
	require.NotNil(t, first)
	second, err := safefile.TryLock(name)
	require.NoError(t, err)
	assert.Nil(t, second)
	require.NoError(t, first.Close())
	third, err := safefile.TryLock(name)
	require.NoError(t, err)
	require.NotNil(t, third)
	require.NoError(t, third.Close())
}

func TestFreeAndFull(t *testing.T) {
	free, err := safefile.Free(t.TempDir())
	require.NoError(t, err)
	assert.Positive(t, free)
	_, err = safefile.Free(filepath.Join(t.TempDir(), "missing"))
	assert.Error(t, err)
	assert.True(t, safefile.IsFull(fmt.Errorf("write: %w", &os.PathError{Err: syscall.ENOSPC})))
	assert.False(t, safefile.IsFull(os.ErrNotExist))
	assert.False(t, safefile.IsFull(nil))
}

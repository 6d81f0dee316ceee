package wim_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/internal/wim"
)

// capture makes a WIM with two images.
func capture(t testing.TB, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("wimlib-imagex"); err != nil {
		t.Skip("needs wimlib-imagex")
	}
	tree, file := t.TempDir(), filepath.Join(t.TempDir(), "a.wim")
	require.NoError(t, os.WriteFile(filepath.Join(tree, "f"), []byte("12345"), 0o600))
	for _, a := range [][]string{{"capture", tree, file, "Erste", "mit Umlaut: ü"}, {"append", tree, file, "second"}} {
		if a[0] == "append" && len(args) > 0 {
			continue
		}
		out, err := exec.Command("wimlib-imagex", append(a, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return file
}

func TestRead(t *testing.T) {
	data, err := os.ReadFile(capture(t))
	require.NoError(t, err)
	info, err := wim.Read(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	require.Len(t, info.Images, 2)
	assert.Equal(t, 1, info.Parts)
	assert.Equal(t, "mit Umlaut: ü", info.Images[0].Description)
	assert.EqualValues(t, 5, info.Images[0].Bytes)
	assert.Nil(t, info.Images[0].Windows)
	image, err := info.Find(2)
	require.NoError(t, err)
	assert.Equal(t, "second", image.Name)
	_, err = info.Find(3)
	require.ErrorContains(t, err, "no image 3; it has 1 (Erste), 2 (second)")

	for _, n := range []int{0, 8, 207, len(data) / 2} {
		_, err := wim.Read(bytes.NewReader(data[:n]), int64(n))
		require.ErrorIs(t, err, wim.ErrFormat, n)
	}
}

func TestReadPipable(t *testing.T) {
	data, err := os.ReadFile(capture(t, "--pipable"))
	require.NoError(t, err)
	info, err := wim.Read(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	assert.Equal(t, "Erste", info.Images[0].Name)
}

func FuzzRead(f *testing.F) {
	data, err := os.ReadFile(capture(f))
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(_ *testing.T, b []byte) {
		if info, err := wim.Read(bytes.NewReader(b), int64(len(b))); err == nil {
			_, _ = info.Find(1)
		}
	})
}

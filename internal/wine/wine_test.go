package wine_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wine"
)

// TestWindows is what can be seen of the Windows agent without Windows. One prefix serves all of it.
func TestWindows(t *testing.T) {
	b := open(t)
	t.Run("packages", func(t *testing.T) { packages(t, b) })
	a := build(t, b)
	t.Run("TS-76 facts", func(t *testing.T) { facts(t, a) })
	t.Run("TS-115 TS-150 sequence", func(t *testing.T) { sequences(t, a) })
	t.Run("TS-112a killed", func(t *testing.T) { killed(t, a) })
}

// packages runs the tests of what the agent is made of as Windows programs.
func packages(t *testing.T, b *wine.Bed) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for name, skip := range map[string]string{
		// Skipped are tests whose sequences run programs of Linux.
		"tsengine":            "^TestWindowsPrograms$|^TestWindowsProgramFailures$|^TestTS103Inputs$|^TestUserStateOn|SecretsAppearNowhere$|^Example$",
		"tsengine/step":       "^TestRunCommandLine$",
		"tsengine/process":    "",
		"tsengine/smstslog":   "",
		"tsengine/condition":  "",
		"tsengine/fact":       "",
		"tsengine/variable":   "",
		"tsengine/winfact":    "",
		"tsengine/wql":        "",
		"internal/atomicfile": "",
	} {
		t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
			test := filepath.Join(t.TempDir(), "test.exe")
			require.NoError(t, b.Build(t.Context(), "github.com/bootyard/bootyard/"+name, test, true))
			cmd := b.Command(t.Context(), test, "-test.v", "-test.timeout=4m", "-test.skip="+skip)
			cmd.Dir = filepath.Join(root, name)
			out, err := b.Output(cmd)
			require.NoError(t, err, "%s", failures(out))
			passed := bytes.Count(out, []byte("--- PASS: "))
			t.Logf("%d tests passed, %d were skipped", passed, bytes.Count(out, []byte("--- SKIP: ")))
			require.Positive(t, passed)
		})
	}
}

func open(t *testing.T) *wine.Bed {
	t.Helper()
	dir := t.TempDir()
	b, err := wine.Open(t.Context(), dir)
	if errors.Is(err, wine.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// failures drops what passed.
func failures(out []byte) string {
	var keep []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(strings.TrimSpace(line), "--- PASS") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "")
}

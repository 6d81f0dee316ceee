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

// TestPackagesOnWindows runs the tests of what the agent is made of as Windows programs.
func TestPackagesOnWindows(t *testing.T) {
	b := open(t)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for name, skip := range map[string]string{
		// Skipped are tests whose sequences run programs of Linux.
		"tsengine":            "^TestWindowsPrograms$|^TestWindowsProgramFailures$|^TestTS103Inputs$|^TestSecretsAppearNowhere$|^Example$",
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

package wine_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wine"
)

// TestWindows is what can be seen of the Windows agent without Windows. One prefix serves all of it.
func TestWindows(t *testing.T) {
	b := open(t)
	passed := map[string]bool{}
	t.Run("packages", func(t *testing.T) { packages(t, b, passed) })
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if len(passed) == 0 {
				t.Skip("the tests of the packages were not run")
			}
			for _, name := range r.tests {
				require.True(t, passed[name], "%s has not passed", name)
			}
		})
	}
	a := build(t, b)
	t.Run("TS-76 facts", func(t *testing.T) { facts(t, a) })
	t.Run("TS-115 TS-150 sequence", func(t *testing.T) { sequences(t, a) })
	t.Run("TS-95 scripts", func(t *testing.T) { scripts(t, a) })
	t.Run("TS-118 service", func(t *testing.T) { service(t, a) })
	t.Run("TS-112a killed", func(t *testing.T) { killed(t, a) })
}

// rules are shown by tests of packages that exist on Windows only, which run under Wine here. Those that have passed are
// looked up, so that a rule counts when its tests ran and passed, and only then.
var rules = []struct {
	name  string
	tests []string
}{
	{"TS-28 timeout ends the job", []string{"tsengine/process TestTS28TimeoutEndsTheTree"}},
	{"TS-71 version of a file", []string{"tsengine/winfact TestTS71FileVersion"}},
	{"TS-72 view of a 32-bit program", []string{"tsengine/winfact TestTS72Views", "tsengine/process TestTS72Redirection"}},
	{"TS-73 registry", []string{"tsengine/winfact TestTS73Registry"}},
	{"TS-74 WMI", []string{"tsengine/winfact TestTS74WMI"}},
	{"TS-78 Windows Installer", []string{"tsengine/winfact TestTS78Software"}},
	{"TS-95 objects", []string{"tsengine/com TestTS95Calls", "tsengine/com TestTS95Lifetime", "tsengine/com TestTS95TypeInformation", "tsengine/com TestTS95AnotherClient"}},
	{"TS-103 place of an inline script", []string{"tsengine/step TestTS103InlineScript"}},
	{"TS-100 programs", []string{"tsengine/process TestTS100CommandLines", "tsengine/process TestTS100Batch", "tsengine/process TestTS100Documents"}},
}

// packages runs the tests of what the agent is made of as Windows programs, and notes which have passed.
func packages(t *testing.T, b *wine.Bed, done map[string]bool) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for name, skip := range map[string]string{
		// Skipped are tests whose sequences run programs of Linux or name its paths.
		"tsengine":            "^TestWindowsPrograms$|^TestWindowsProgramFailures$|^TestTS103Inputs$|^TestUserStateOn|SecretsAppearNowhere$|^Example$|^TestToolkitPowerShell$|^TestListsGoOnAfterRestarts$|^TestTS93FromTheStartAndAtTheCut$",
		"tsengine/step":       "^TestRunCommandLine$|^TestTS134AlternateProvider$|^TestTS133RetryAndLastLocation$|^TestTS132DownloadPackageContent$",
		"tsengine/process":    "",
		"tsengine/smstslog":   "",
		"tsengine/com":        "",
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
			for _, m := range pass.FindAllSubmatch(out, -1) {
				done[name+" "+string(m[1])] = true
			}
			require.NoError(t, err, "%s", failures(out))
			passed := bytes.Count(out, []byte("--- PASS: "))
			t.Logf("%d tests passed, %d were skipped", passed, bytes.Count(out, []byte("--- SKIP: ")))
			require.Positive(t, passed)
		})
	}
}

// pass is the line of a test that has passed; subtests are indented.
var pass = regexp.MustCompile(`(?m)^--- PASS: (\S+) `)

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

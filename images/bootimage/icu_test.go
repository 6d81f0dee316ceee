package bootimage

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wimlib works without the data of ICU: names and descriptions beyond ASCII too.
func TestWimlibWithoutICUData(t *testing.T) {
	found, err := filepath.Glob("/usr/lib/x86_64-linux-gnu/libicudata.so.*")
	tool, missing := exec.LookPath("wimlib-imagex")
	if err != nil || len(found) == 0 || missing != nil {
		t.Skip("needs wimlib-imagex and ICU")
	}
	stub, err := icuStub(found[0])
	require.NoError(t, err)
	require.Less(t, len(stub), 1000)
	lib, work := t.TempDir(), t.TempDir()
	for _, name := range found {
		require.NoError(t, os.WriteFile(filepath.Join(lib, filepath.Base(name)), stub, 0o644))
	}
	run := func(args ...string) string {
		cmd := exec.Command(tool, args...)
		cmd.Env = []string{"LD_LIBRARY_PATH=" + lib, "LC_ALL=C.UTF-8", "LD_DEBUG=libs"}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "calling init: "+lib, "the stub is the one that was loaded")
		return string(out)
	}
	tree, image := filepath.Join(work, "tree"), filepath.Join(work, "a.wim")
	require.NoError(t, os.MkdirAll(filepath.Join(tree, "Ordner ü"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(tree, "Ordner ü", "datei"), []byte("x"), 0o644))
	run("capture", tree, image, "Größe", "Übergabe", "--unix-data")
	require.True(t, strings.Contains(run("info", image), "Größe"))
	run("apply", image, "1", filepath.Join(work, "out"), "--unix-data")
	require.FileExists(t, filepath.Join(work, "out", "Ordner ü", "datei"))
	// Without a locale, as in the boot environment.
	cmd := exec.Command(tool, "apply", image, "1", filepath.Join(work, "plain"), "--unix-data")
	cmd.Env = []string{"LD_LIBRARY_PATH=" + lib, "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.FileExists(t, filepath.Join(work, "plain", "Ordner ü", "datei"))
}

func TestICUDataIsReplaced(t *testing.T) {
	found, err := filepath.Glob("/usr/lib/x86_64-linux-gnu/libicudata.so.*.*")
	if err != nil || len(found) == 0 {
		t.Skip("needs ICU")
	}
	const name = "usr/lib/x86_64-linux-gnu/libicudata.so.72.1"
	s := &stager{out: tree{}}
	s.out.add(entry{path: name, mode: 0o644, source: found[0]})
	s.out.link("usr/lib/x86_64-linux-gnu/libicudata.so.72", "libicudata.so.72.1")
	require.NoError(t, s.leaveOutICU())
	require.Empty(t, s.out[name].source)
	require.NotEmpty(t, s.out[name].data)
	require.Equal(t, "libicudata.so.72.1", s.out["usr/lib/x86_64-linux-gnu/libicudata.so.72"].data)
}

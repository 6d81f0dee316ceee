package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TS-136: content of earlier steps makes room, but not what SMSTSPersistContent holds on to or Download Package Content brought.
func TestTS136PersistContent(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	for name, c := range map[string]struct {
		persist string
		steps   []string
		fails   string
		left    []string
	}{
		"the first makes room": {"", []string{packageCommand("one", "BYD00003", "true"), packageCommand("two", "BYD00004", "true"),
			packageCommand("three", "BYD00005", "echo %_SMSTSBYD00003%|")}, "", []string{"BYD00004", "BYD00005"}},
		"all are held": {"true", []string{packageCommand("one", "BYD00003", "true"), packageCommand("two", "BYD00004", "true"),
			packageCommand("three", "BYD00005", "echo")}, "make room", nil},
		"what was downloaded by its own step stays": {"", []string{
			`<step type="SMS_TaskSequence_DownloadPackageContentAction" name="one" successCodeList="0"><action/><defaultVarList><variable name="OSDDownloadDownloadPackages">BYD00003</variable></defaultVarList></step>`,
			packageCommand("two", "BYD00004", "true"), packageCommand("three", "BYD00005", "echo %_SMSTSBYD00004%|")}, "", []string{"BYD00003", "BYD00005"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if err := syscall.Mount("tmpfs", b.config.Dir, "tmpfs", 0, "size=26m"); err != nil {
				t.Skipf("cannot mount a tmpfs here: %v", err)
			}
			t.Cleanup(func() { _ = syscall.Unmount(b.config.Dir, syscall.MNT_DETACH) })
			for n, id := range []string{"BYD00003", "BYD00004", "BYD00005"} {
				b.addPackage(id, "f", randomText(4<<20-n))
			}
			b.run.Variables = map[string]string{"SMSTSPersistContent": c.persist}
			b.run.SequenceXML = sequenceOf(c.steps...)
			err := b.boot(t.Context())
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			lines := b.commands.All()
			require.True(t, strings.HasPrefix(lines[len(lines)-1], "echo %_SMSTSBYD"), "the variable went with the content")
			require.Equal(t, c.left, cachedIDs(t, filepath.Join(b.config.Dir, "Packages")))
			require.Contains(t, string(b.log), "was removed to make room")
		})
	}
}

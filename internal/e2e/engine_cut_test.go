package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

// cutOff is the code of a step that was interrupted and may not be repeated.
const cutOff = 0x800704D3

// TestTS112aPowerCut cuts the power in the middle of a step that may not be
// repeated, once before there is a disk and once in the installed system: after
// power is back it is not run again, it has failed with its own code, and no
// other step is run twice or left out.
func TestTS112aPowerCut(t *testing.T) {
	needsVM(t, true)
	t.Parallel()
	s, spec := scriptScene(t, 0x71)
	words := []string{"STEPS", s.steps, "IMAGE", s.OSImage}
	_, err := s.DeployNow(t.Context(), spec.Name, s.sequenceFile("cut.yaml", words, "--boot-image", s.BootImage))
	require.NoError(t, err)

	m := s.boot(spec)
	for _, mark := range []string{"LINE 02", "LINE 05"} {
		s.waitLong(m, mark)
		require.NoError(t, m.Stop(t.Context()), "cut the power")
		m = s.boot(spec)
	}
	run := s.succeeded(spec.Name)
	require.Equal(t, []string{"01", "02", "03", "04", "05", "06"}, s.said())
	results := map[string][]string{}
	for _, e := range call[[]wire.Event](s.scene, http.MethodGet, "/runs/"+run.ID+"/events", nil) {
		if e.MessageID == 11134 || e.MessageID == 11135 {
			results[e.Step] = append(results[e.Step], fmt.Sprintf("%d %#x", e.MessageID, e.ExitCode))
		}
	}
	for _, step := range []string{"Before the cut", "After the cut", "Started", "Last"} {
		require.Equal(t, []string{"11134 0x0"}, results[step], step)
	}
	for _, step := range []string{"Cut off", "Cut off again"} {
		require.Equal(t, []string{fmt.Sprintf("11135 %#x", cutOff)}, results[step], step)
	}
}

// TestTS112aPowerCutEnds: without continue on error the interrupted step ends the
// run when the machine is back.
func TestTS112aPowerCutEnds(t *testing.T) {
	needsVM(t, true)
	t.Parallel()
	s, spec := scriptScene(t, 0x72)
	xml := sequenceXML(t, step{"Hang", "sh hang.sh 01 lines", s.steps}, step{"Never", "sh say.sh 02 lines", s.steps})
	id, err := s.Sequence(t.Context(), "Cut", xml)
	require.NoError(t, err)
	_, err = s.DeployNow(t.Context(), spec.Name, id)
	require.NoError(t, err)
	m := s.boot(spec)
	s.waitLong(m, "LINE 01")
	require.NoError(t, m.Stop(t.Context()))
	m = s.boot(spec)
	run := s.ended(spec.Name)
	require.Equal(t, wire.RunFailed, run.State)
	require.Equal(t, uint32(cutOff), run.ExitCode, run.Message)
	require.Equal(t, "Hang", run.FailedStep)
	require.NotEmpty(t, run.Remedy)
	s.wait(m, wire.MarkRunFailed)
	require.Equal(t, []string{"01"}, s.said())
}

// TestTS173Debugger sits at the appliance and debugs a real machine: a break, a
// restart that the break survives, a shell in the boot image, a failed step that
// is put right and repeated, and the sequence let go.
func TestTS173Debugger(t *testing.T) {
	needsVM(t, true)
	t.Parallel()
	s := newScene(t)
	spec := small("pc", lab.BIOS, 0x73)
	s.device(spec)
	id := s.sequenceFile("debug.yaml", nil, "--boot-image", s.BootImage)
	s.cli("collection", "create", "Debugged", "pc")
	s.cli("deployment", "create", id, "Debugged", "--debug", "--purpose", "Required", "--available-to", "MediaAndPxe", "--asap", "--yes")
	s.boot(spec)
	s.until("pc", deployLimit, func(r wire.RunInfo) bool { return r.Debugging })

	const second, repair = 2, 3
	at := s.debug(fmt.Sprintf("break %d", second), "run")
	require.True(t, at.Paused)
	require.Equal(t, second, at.Pointer, "the break survived the restart (DBG-7)")
	require.Equal(t, []string{"01"}, s.said())
	require.Equal(t, wire.WinPE, at.Environment)
	shell := s.cli("run", "shell", "pc", "--command", "cat /proc/cmdline; test -x /usr/bin/bootyard-agent && echo agent here; cat /sys/class/dmi/id/sys_vendor")
	require.Contains(t, shell, "bootyard.url=")
	require.Contains(t, shell, "agent here")
	require.Contains(t, shell, "QEMU")

	at = s.debug("run")
	require.NotNil(t, at.Failed)
	require.Equal(t, repair, at.Pointer)
	require.Equal(t, uint32(1), at.Failed.Code)
	s.cli("run", "shell", "pc", "--command", "touch /run/repaired")
	at = s.debug("retry")
	require.Nil(t, at.Failed)
	require.Equal(t, repair+1, at.Pointer)
	require.Equal(t, []string{"01", "02", "03"}, s.said())
	s.cli("run", "debug", "pc", "--do", "quit")
	s.succeeded("pc")
	require.Equal(t, []string{"01", "02", "03", "04"}, s.said())
}

// debug gives words of the debugger by the command line and returns where the
// run stands then.
func (s *scene) debug(words ...string) wire.DebugView {
	s.t.Helper()
	args := []string{"run", "debug", "pc", "--wait", bootLimit.String(), "--json"}
	for _, w := range words {
		args = append(args, "--do", w)
	}
	var v wire.DebugView
	out := s.cli(args...)
	require.NoError(s.t, json.Unmarshal([]byte(out), &v), out)
	return v
}

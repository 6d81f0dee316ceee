package e2e_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

// TestRows holds the rows of docs/spec/seed-rows.md that need a machine.
func TestRows(t *testing.T) {
	t.Run("S-33", clientsMediaAndPXE)
	t.Run("S-32", onlyClients)
	t.Run("S-34", onlyMediaAndPXE)
	t.Run("S-35", onlyByName)
	t.Run("S-37", unattendedMedium)
	t.Run("S-38", wakeUpPackets)
	t.Run("S-39", wokenAtTheDeadline)
	t.Run("S-44", noSchedulesInWinPE)
	t.Run("S-46", windowsHoldBack)
	t.Run("S-96", hashIsChecked)
}

// clientsMediaAndPXE: a BIOS machine gets the deployment by PXE, claims it once
// and is told to start its disk when it comes again (PXE-16, PXE-15a).
func clientsMediaAndPXE(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	spec := small("pc", lab.BIOS, 1)
	s.device(spec)
	d := s.deploy(wire.DeploymentSpec{
		TaskSequence: s.quick("Quick", "QUICK-RAN"), Purpose: wire.Required, MakeAvailableTo: wire.ClientsMediaAndPXE,
		Assignments: []wire.Assignment{{Kind: wire.ASAP}},
	}, "pc")
	m := s.boot(spec)
	s.wait(m, "QUICK-RAN")
	run := s.succeeded("pc")
	require.Equal(t, d.ID, run.Deployment)
	require.Equal(t, wire.LaunchPXE, run.LaunchMode)

	again := call[wire.Decision](s, http.MethodGet, "/explain?device=pc&in=winpe", nil)
	require.Equal(t, wire.ActionLocal, again.Action, again.Reason)
	runs := call[[]wire.RunInfo](s, http.MethodGet, "/runs", nil)
	require.Len(t, runs, 1)
}

// onlyClients: a machine that network-boots gets no boot environment.
func onlyClients(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	spec := small("pc", lab.UEFI, 2)
	s.device(spec)
	id, err := s.Sequence(t.Context(), "Generic", sequenceXML(t, step{name: "Say it", command: "true"}))
	require.NoError(t, err)
	s.deploy(wire.DeploymentSpec{TaskSequence: id, Purpose: wire.Required, Assignments: []wire.Assignment{{Kind: wire.ASAP}}}, "pc")
	s.boot(spec)
	b := s.booted("pc", func(b wire.Boot) bool { return len(b.Answers) > 0 })
	require.NotEqual(t, wire.ActionRun, b.Action)
	for _, a := range b.Answers {
		require.NotEqual(t, wire.StageKernel, a.Stage, a.Answer)
	}
}

// booted waits for a record of the device's firmware attempt.
func (s *scene) booted(device string, is func(wire.Boot) bool) wire.Boot {
	s.t.Helper()
	deadline := time.After(bootLimit)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		for _, b := range call[[]wire.Boot](s, http.MethodGet, "/boots", nil) {
			if b.DeviceName == device && is(b) {
				return b
			}
		}
		select {
		case <-deadline:
			s.t.Fatalf("no such boot of %s was recorded", device)
		case <-tick.C:
		}
	}
}

// noSchedulesInWinPE: expired, not yet available and due far in the future, and
// still it runs in the boot environment (SCH-1).
func noSchedulesInWinPE(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	far := time.Now().Add(240 * time.Hour)
	for i, when := range map[string]wire.DeploymentSpec{
		"not yet": {Available: &wire.Moment{At: far, UTC: true}},
		"expired": {Available: &wire.Moment{At: time.Now().Add(-48 * time.Hour), UTC: true}, Expire: &wire.Moment{At: time.Now().Add(-24 * time.Hour), UTC: true}},
	} {
		when.TaskSequence, when.Purpose, when.MakeAvailableTo = s.quick(i, "RAN"), wire.Available, wire.MediaAndPXE
		name := "dev-" + i[:3]
		call[wire.Device](s, http.MethodPost, "/devices", wire.DeviceImport{Name: name, MACs: []string{"52:54:00:e2:e1:0" + map[string]string{"not yet": "1", "expired": "2"}[i]}})
		d := s.deploy(when, name)
		answer := call[wire.Decision](s, http.MethodGet, "/explain?in=winpe&device="+name, nil)
		require.Equal(t, wire.ActionMenu, answer.Action, answer.Reason)
		require.Equal(t, d.ID, answer.Considered[0].Deployment)
		require.True(t, answer.Considered[0].Kept, answer.Considered[0].Text)
	}
	spec := small("pc", lab.UEFI, 4)
	s.device(spec)
	s.deploy(wire.DeploymentSpec{
		TaskSequence: s.quick("Future deadline", "FUTURE-RAN"), Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE,
		Assignments: []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: far, UTC: true}}},
	}, "pc")
	m := s.boot(spec)
	s.wait(m, "FUTURE-RAN")
	s.succeeded("pc")
}

// hashIsChecked: one byte of a package is flipped on the server; the run fails
// with a clear status and the step never used the bytes (DOP-14, TS-135).
func hashIsChecked(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run.sh"), []byte("echo BYTES-USED >/dev/ttyS0\n"), 0o644))
	pkg, err := s.Package(t.Context(), "Script", "package", dir)
	require.NoError(t, err)
	id, err := s.Sequence(t.Context(), "With package", sequenceXML(t, step{name: "Run the script", command: "sh run.sh", pkg: pkg}))
	require.NoError(t, err)
	flipByte(t, filepath.Join(s.DataDir(), "content"), "BYTES-USED")

	spec := small("pc", lab.BIOS, 5)
	s.device(spec)
	s.deploy(wire.DeploymentSpec{TaskSequence: id, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE}, "pc")
	m := s.boot(spec)
	run := s.ended("pc")
	require.Equal(t, wire.RunFailed, run.State)
	require.Equal(t, uint32(0x80091007), run.ExitCode, run.Message)
	require.Contains(t, run.Message, pkg)
	require.NotEmpty(t, run.Remedy)
	s.wait(m, wire.MarkRunFailed)
	text, err := m.ConsoleText()
	require.NoError(t, err)
	require.NotContains(t, text, "BYTES-USED")
	require.NotZero(t, run.LogSize, "the log is already uploaded")
}

// flipByte changes one byte of the stored file that holds text.
func flipByte(t *testing.T, root, text string) {
	t.Helper()
	found := false
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if i := bytes.Index(data, []byte(text)); err == nil && i >= 0 && !found {
			found = true
			data[i] ^= 1
			return os.WriteFile(path, data, 0o644)
		}
		return err
	})
	require.NoError(t, err)
	require.True(t, found, "the package's file is in the library")
}

// wokenAtTheDeadline: a machine that sleeps is woken by a magic packet at the
// deadline, boots from the network and runs (WOL-1, WOL-8).
func wokenAtTheDeadline(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	spec := small("sleeper", lab.BIOS, 6)
	s.device(spec)
	sleeper, err := s.Lab.Sleep(t.Context(), spec, nil)
	require.NoError(t, err)
	deadline := time.Now().Add(20 * time.Second).Truncate(time.Second)
	s.deploy(wire.DeploymentSpec{
		TaskSequence: s.quick("Woken", "WOKEN-RAN"), Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE, WakeUp: true,
		Assignments: []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: deadline, UTC: true}}},
	}, "sleeper")
	m, woken, err := sleeper.Wait(t.Context())
	require.NoError(t, err)
	require.False(t, woken.At.Before(deadline), "not before the deadline")
	require.Less(t, woken.At.Sub(deadline), 15*time.Second, "at the deadline")
	require.Equal(t, uint16(9), woken.UDPPort)
	s.wait(m, "WOKEN-RAN")
	s.succeeded("sleeper")
}

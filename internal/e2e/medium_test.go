package e2e_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/examples"
	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

// medium makes a boot medium with the built command line.
func (s *scene) medium(args ...string) string {
	s.t.Helper()
	out := filepath.Join(s.t.TempDir(), "medium.iso")
	argv := append([]string{"--socket", s.Socket(), "media", "create", "bootable", "--out", out}, args...)
	text, err := exec.CommandContext(s.t.Context(), repoPath(s.t, "bin", "bootyard"), argv...).CombinedOutput()
	require.NoError(s.t, err, string(text))
	return out
}

// fromMedium is a machine with the medium first and no boot from the network.
func fromMedium(name string, firmware lab.Firmware, number int, iso string) lab.MachineSpec {
	spec := small(name, firmware, number)
	spec.CDROM = iso
	spec.BootOrder = []lab.BootDevice{lab.BootCD, lab.BootDisk, lab.BootNetwork}
	return spec
}

// unattendedMedium: a hidden deployment runs from a medium that is unattended
// and names it, with nobody typing, on BIOS and UEFI; without one of the two
// settings it does not (MED-1, MED-2, PXE-24).
func unattendedMedium(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	hidden := wire.DeploymentSpec{Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXEHidden}
	hidden.TaskSequence = s.quick("Hidden", "HIDDEN-RAN")
	other := wire.DeploymentSpec{Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXE, TaskSequence: s.quick("Listed", "LISTED-RAN")}

	names := []string{"by-bios", "by-uefi", "attended", "unnamed"}
	for i, name := range names {
		spec := small(name, lab.BIOS, 0x10+i)
		s.device(spec)
	}
	d := s.deploy(hidden, names...)
	s.deploy(other, names...)
	right := s.medium("--unattended", "--set", "SMSTSPreferredAdvertID="+d.ID)
	attended := s.medium("--set", "SMSTSPreferredAdvertID="+d.ID)
	unnamed := s.medium("--unattended")

	for i, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		m := s.boot(fromMedium(names[i], firmware, 0x10+i, right))
		s.wait(m, "HIDDEN-RAN")
		run := s.succeeded(names[i])
		require.Equal(t, d.ID, run.Deployment)
		require.NoError(t, m.Stop(t.Context()))
	}
	// Attended: it waits for a person and starts nothing. Unnamed: there is
	// nothing it may choose by itself (MED-3).
	for i, iso := range []string{attended, unnamed} {
		m := s.boot(fromMedium(names[2+i], lab.BIOS, 0x12+i, iso))
		s.wait(m, waitsForPerson+"|"+wire.MarkNothing)
		text, err := m.ConsoleText()
		require.NoError(t, err)
		require.NotContains(t, text, "HIDDEN-RAN")
		require.NotContains(t, text, wire.MarkRunStarted)
		run, err := s.Run(t.Context(), names[2+i])
		require.NoError(t, err)
		require.Nil(t, run)
		require.NoError(t, m.Stop(t.Context()))
	}
}

// waitsForPerson is what an attended medium says before it does anything.
const waitsForPerson = "Press Enter to go on"

// TestMediumFirst: with the medium first in the boot order the machine is
// deployed once and then starts its disk, each time (MED-25).
func TestMediumFirst(t *testing.T) {
	for i, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			needsVM(t, true)
			t.Parallel()
			s := newScene(t)
			sequence, err := s.Sequence(t.Context(), "Deploy Debian", examples.Debian)
			require.NoError(t, err)
			spec := small("pc", firmware, 0x50+i)
			spec.MemoryMiB, spec.Disks[0].Size = 1536, 4<<30
			s.device(spec)
			d := s.deploy(wire.DeploymentSpec{TaskSequence: sequence, Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXEHidden}, "pc")
			iso := s.medium("--unattended", "--set", "SMSTSPreferredAdvertID="+d.ID)
			spec = fromMedium("pc", firmware, 0x50+i, iso)
			spec.MemoryMiB, spec.Disks[0].Size = 1536, 4<<30
			m := s.boot(spec)
			run := s.succeeded("pc")
			require.Equal(t, wire.LaunchCD, run.LaunchMode)
			for range 2 {
				s.startsFromDisk(m)
				m, err = s.Lab.Machine("pc")
				require.NoError(t, err)
			}
			require.Len(t, call[[]wire.RunInfo](s, http.MethodGet, "/runs", nil), 1, "deployed once")
		})
	}
}

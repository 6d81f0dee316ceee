package e2e_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/stage"
	"github.com/bootyard/bootyard/internal/wire"
)

// startsLocal is what a boot script says before it leaves for the disk.
const startsLocal = "bootyard: starting the local disk"

// TestMenuWaitsForAKey: with only available deployments nothing starts by
// itself: without a key the local disk does, a chosen entry runs (PXE-20).
func TestMenuWaitsForAKey(t *testing.T) {
	for i, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			needsVM(t, true)
			t.Parallel()
			s := newScene(t, func(c *stage.Config) { c.PXE = "  menu_timeout: 10s\n" })
			spec := small("pc", firmware, 0x40+i)
			s.device(spec)
			s.deploy(wire.DeploymentSpec{TaskSequence: s.quick("By hand", "CHOSEN-RAN"), Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXE}, "pc")

			m := s.boot(spec)
			s.wait(m, "By hand")
			s.wait(m, startsLocal)
			text, err := m.ConsoleText()
			require.NoError(t, err)
			require.NotContains(t, text, wire.MarkBootEnvironment)
			require.NoError(t, m.Stop(t.Context()))

			m = s.boot(spec)
			s.wait(m, "By hand")
			s.press(m, "down", "ret")
			s.wait(m, "CHOSEN-RAN")
			s.succeeded("pc")
		})
	}
}

// press presses keys of the machine's keyboard.
func (s *scene) press(m *lab.Machine, keys ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), bootLimit)
	defer cancel()
	require.NoError(s.t, m.Press(ctx, keys...))
}

package agent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/link"
)

// An installed system whose clock lost its battery finds its appliance at every
// start and sets the clock; a clock that may be right is believed.
func TestInstalledClockDecadesOff(t *testing.T) {
	for name, at := range map[string]time.Time{"2001": time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), "2050": time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)} {
		t.Run(name, func(t *testing.T) {
			i := newInstalled(t)
			i.appliance.now = func() time.Time { return start }
			require.NoError(t, i.at(t, start)) // deployed with the right time
			for range 2 {                      // the battery is not replaced by one good start
				i.machine.Clocks = nil
				i.open(t)
				require.NoError(t, i.at(t, at))
				require.Equal(t, []time.Time{start}, i.machine.Clocks)
			}
		})
	}
	t.Run("possible", func(t *testing.T) {
		i := newInstalled(t)
		require.NoError(t, i.at(t, start))
		i.open(t)
		require.ErrorIs(t, i.at(t, start.AddDate(0, 6, 0)), link.ErrUntrusted, "the certificate has expired")
		require.Empty(t, i.machine.Clocks)
	})
}

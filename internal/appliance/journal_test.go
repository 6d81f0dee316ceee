package appliance

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe"
)

func TestJournalNeverBlocksAndSaysWhatItDropped(t *testing.T) {
	b := newBench(t)
	e := pxe.Event{Machine: machine(pxe.StageDiscover), Protocol: "dhcp", Message: "discover", Answer: "offer", Reason: "because"}
	for range journalQueue + 5 {
		b.journal.Record(t.Context(), e)
	}
	require.Equal(t, int64(5), b.journal.dropped.Load())
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what was taken is written all the same
	b.journal.start(ctx)()
	boots, err := b.site.Boots(t.Context(), "", 0)
	require.NoError(t, err)
	require.Len(t, boots, 1)
	require.Equal(t, "because", boots[0].Answers[0].Reason)
	require.Contains(t, b.out.String(), "boot records dropped")
}

func TestJournalTellsWhatWasWithheld(t *testing.T) {
	b := newBench(t)
	b.journal.Record(t.Context(), pxe.Event{Machine: machine(pxe.StageDiscover), Protocol: "proxydhcp", Message: "discover", Reason: "not known", Rule: "PXE-13"})
	sign := <-b.journal.queue
	require.Equal(t, "nothing", sign.Answer)
	require.Equal(t, "PXE-13", sign.Rule)
	require.Equal(t, "127.0.0.1", sign.Address)
}

// A flood of invented machines does not grow the memory of decisions, and what
// is kept of each is short.
func TestRecentIsBounded(t *testing.T) {
	r := newRecent()
	long := wire.Decision{Action: wire.ActionMenu, Device: "d", Considered: make([]wire.Considered, 1000), Notes: make([]wire.Reason, 10)}
	for i := range 2*recentMax + 1 {
		r.put(net.HardwareAddr{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}.String(), long)
		require.LessOrEqual(t, len(r.last), recentMax)
	}
	r.put(testMAC, long)
	require.Equal(t, wire.Decision{Action: wire.ActionMenu, Device: "d"}, r.get(testMAC))
	require.Zero(t, r.get("none"))
}

func TestEventsWithoutAMachineAreNoTrouble(t *testing.T) {
	b := newBench(t)
	b.journal.Record(t.Context(), pxe.Event{Protocol: "tftp", Message: "read", File: fmt.Sprintf("%0200d", 1)})
	require.Empty(t, b.journal.queue)
}

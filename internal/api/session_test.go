package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// Whoever opens a session has shown nothing yet: what it may make the
// appliance hold, and for how long, is small.
func TestOpeningASessionTakesNoLargeBody(t *testing.T) {
	b := newBench(t)
	status, _ := b.call(t, "", "POST", wire.PathSession, `{"protocol":1,"bootToken":"`+strings.Repeat("x", 100<<10)+`"}`)
	require.Equal(t, 413, status)
}

// What an agent says outside a run is written into the site's record, so it may not say more than so much.
func TestMessagesOfAMachineAreLimited(t *testing.T) {
	b := newBench(t)
	b.Device("lab-01", 1)
	b.Device("lab-02", 2)
	one, two := b.boot(t, 1), b.boot(t, 2)
	status := 0
	for range 100 {
		if status, _ = one.ask("POST", wire.PathPreflight, wire.Message{Text: "again"}); status != 204 {
			break
		}
	}
	require.Equal(t, 429, status)
	status, _ = two.ask("POST", wire.PathPreflight, wire.Message{Text: "first"})
	require.Equal(t, 204, status, "another machine")
}

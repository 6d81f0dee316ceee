package agent_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// TestApplianceRestartedDuringADownload: the port is closed in the middle of a package and opened again later; the run
// waits and goes on.
func TestApplianceRestartedDuringADownload(t *testing.T) {
	b := newBench(t)
	big := string(bytes.Repeat([]byte("0123456789abcdef"), 1<<18))
	b.config.Clock = host.System{}
	b.appliance = newAppliance(t, time.Now)
	b.addPackage("BYD00003", "big", big)
	b.run.SequenceXML = sequenceOf(packageCommand("use it", "BYD00003", "sh run.sh"))
	b.config.Boot = agent.Boot{URL: b.server.URL, CASPKI: b.ca.SPKI(), CAPEM: b.ca.PEM(), Token: bootToken}
	b.config.Backoff = link.Backoff{First: 20 * time.Millisecond, Max: 100 * time.Millisecond, For: time.Minute}
	b.config.Retry = client.Retry{Count: 1, Delay: 20 * time.Millisecond}
	seen := ""
	b.commands.On = func(_ context.Context, c machine.Command) { seen = readFile(t, c.Dir+"/big") }

	address := b.server.Listener.Addr().String()
	cut, back := make(chan struct{}), make(chan error, 1)
	b.cut = func() { close(cut) }
	go func() {
		<-cut
		b.server.CloseClientConnections()
		b.server.Close()
		timer := time.NewTimer(300 * time.Millisecond) // down for a while
		<-timer.C
		l, err := net.Listen("tcp", address)
		if err == nil {
			second := b.listen(l)
			t.Cleanup(second.Close)
		}
		back <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := b.boot(ctx)
	require.NoError(t, <-back)
	require.NoError(t, err, b.screen.String())
	require.Equal(t, big, seen)
	require.True(t, b.finish.Succeeded)
	require.Contains(t, b.screen.String(), "the appliance does not answer")
	last := int64(0)
	for _, e := range b.events {
		require.EqualValues(t, last+1, e.Number)
		last = e.Number
		if e.Kind == wire.EventContent {
			require.Equal(t, 1, e.Hashes)
		}
	}
}

package agent_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/agenttest"
	"github.com/bootyard/bootyard/internal/api"
	"github.com/bootyard/bootyard/internal/inspect"
	"github.com/bootyard/bootyard/internal/pki"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// shortPauses is a clock that stands still while a machine waits for an appliance that is away.
type shortPauses struct{ *agenttest.Clock }

func (shortPauses) Sleep(ctx context.Context, _ time.Duration) error {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// debugBench is a site with a boot environment whose run is in the debugger.
type debugBench struct {
	*bench
	*sitetest.Site
	t     *testing.T
	away  atomic.Bool // the appliance does not answer
	ended chan error
	stop  context.CancelFunc
}

func newDebugBench(t *testing.T) *debugBench {
	d := &debugBench{bench: newBench(t), t: t}
	d.Site = sitetest.New(t, func(c *site.Config) { c.Inspector = inspect.Sequences{} })
	d.clock.Set(d.Site.Clock.Now())
	ca, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	cert, err := ca.Server(nil, []net.IP{net.IPv4(127, 0, 0, 1)}, d.Site.Clock.Now())
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		api.New(api.Options{Site: d.Service, Staging: t.TempDir()}).HTTPS().ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	device := d.Device("lab-01", 1)
	q, err := d.ImportSequence(d.Ctx, wire.SequenceImport{XML: sequenceOf(command("one", "echo one"), command("two", "echo two")), Name: "Tasks", BootImage: d.Image.ID})
	require.NoError(t, err)
	d.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: d.Collection("lab", device).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE, Debug: true})
	token, err := d.IssueBootToken(d.Ctx, site.BootBinding{UUID: sitetest.UUID(1), MAC: sitetest.MAC(1), Address: "127.0.0.1", LaunchMode: wire.LaunchPXE})
	require.NoError(t, err)
	d.machine.Self = sitetest.Identity(1)
	d.config.Boot = agent.Boot{URL: server.URL, CASPKI: ca.SPKI(), CAPEM: ca.PEM(), Token: token, MAC: sitetest.MAC(1)}
	d.config.DebugHold = 50 * time.Millisecond
	d.config.Clock = shortPauses{d.clock}
	return d
}

func (d *debugBench) starts() {
	ctx, cancel := context.WithCancel(d.Ctx)
	d.stop, d.ended = cancel, make(chan error, 1)
	go func() { d.ended <- d.boot(ctx) }() // ends with ctx or the run
}

func (d *debugBench) until(want func(wire.DebugView) bool) wire.DebugView {
	d.t.Helper()
	var v wire.DebugView
	require.Eventually(d.t, func() bool {
		var err error
		v, err = d.DebugView(d.Ctx, "lab-01", 0, 0)
		return err == nil && v.Reported != nil && want(v)
	}, 30*time.Second, 10*time.Millisecond, "%s", d.screen)
	return v
}

func (d *debugBench) ends() {
	d.t.Helper()
	select {
	case err := <-d.ended:
		require.NoError(d.t, err)
	case <-time.After(30 * time.Second):
		require.Fail(d.t, "the agent does not end", "%s", d.screen)
	}
}

// TestDBG3ShellInTheBootEnvironment opens a real shell on a terminal, through site and agent.
func TestDBG3ShellInTheBootEnvironment(t *testing.T) {
	d := newDebugBench(t)
	ctx := site.WithActor(d.Ctx, "ann")
	d.starts()
	d.until(func(v wire.DebugView) bool { return v.Paused })
	order, err := d.OpenShell(ctx, "lab-01", wire.ShellOpen{Rows: 31, Columns: 97})
	require.NoError(t, err)
	taken, err := d.ShellWrite(ctx, "lab-01", order.ID, wire.ShellChunk{Data: []byte("stty size; echo $((6*7))\n")})
	require.NoError(t, err)
	again, err := d.ShellWrite(ctx, "lab-01", order.ID, wire.ShellChunk{Data: []byte("stty size; echo $((6*7))\n")})
	require.NoError(t, err)
	require.Equal(t, taken.Offset, again.Offset, "a repeated piece is not typed twice")
	read := func(what string) (text string, last wire.ShellChunk) {
		for offset := int64(0); ; {
			c, err := d.ShellRead(ctx, "lab-01", order.ID, offset, 5*time.Second)
			require.NoError(t, err)
			text += string(c.Data)
			offset += int64(len(c.Data))
			if c.Closed || what != "" && strings.Contains(text, what) {
				return text, c
			}
			require.NotEmpty(t, c.Data, text)
		}
	}
	_, err = d.ShellWrite(ctx, "lab-01", order.ID, wire.ShellChunk{Offset: taken.Offset, Data: []byte("exit 5\n")})
	require.NoError(t, err)
	text, last := read("")
	require.Contains(t, text, "31 97")
	require.Contains(t, text, "\n42")
	require.Equal(t, 5, last.Code)

	order, err = d.OpenShell(ctx, "lab-01", wire.ShellOpen{Command: "yes | head -c 900000; exit 3"})
	require.NoError(t, err)
	text, last = read("")
	require.Len(t, text, 900_000, "what is faster waits")
	require.Equal(t, 3, last.Code)

	// A shell that still runs ends with the run here.
	_, err = d.OpenShell(ctx, "lab-01", wire.ShellOpen{Command: "sleep 600"})
	require.NoError(t, err)
	_, err = d.DebugCommand(ctx, "lab-01", wire.DebugAsk{Action: "run"})
	require.NoError(t, err)
	d.ends()
	require.Equal(t, []string{"echo one", "echo two"}, d.commands.All())
	texts := ""
	messages, err := d.Messages(ctx, "audit")
	require.NoError(t, err)
	for _, m := range messages {
		texts += m.Actor + ": " + m.Text + "\n"
	}
	require.Contains(t, texts, "ann: shell opened in the boot environment")
}

// TestDBG7PausedOverAKillAndARestartOfTheAppliance: neither end loses the place or the breaks.
func TestDBG7PausedOverAKillAndARestartOfTheAppliance(t *testing.T) {
	d := newDebugBench(t)
	d.starts()
	d.until(func(v wire.DebugView) bool { return v.Paused })
	for _, a := range []wire.DebugAsk{{Action: "break", Pointer: 1}, {Action: "step"}} {
		_, err := d.DebugCommand(d.Ctx, "lab-01", a)
		require.NoError(t, err)
	}
	d.until(func(v wire.DebugView) bool { return v.Paused && v.Pointer == 1 && v.Taken == 2 })

	d.away.Store(true) // the appliance goes, with all it remembers of the debugger
	require.Eventually(t, func() bool { return strings.Contains(d.screen.String(), "nobody can debug") }, 30*time.Second, 10*time.Millisecond)
	d.Open(func(c *site.Config) { c.Inspector = inspect.Sequences{} })
	d.away.Store(false)
	v := d.until(func(v wire.DebugView) bool { return v.Paused && len(v.Tree) == 2 })
	require.Equal(t, []int{1}, v.Breaks)
	require.EqualValues(t, 2, v.Taken)

	d.stop() // the agent is killed
	require.Error(t, <-d.ended)
	require.Equal(t, []string{"echo one"}, d.commands.All())
	reported := *v.Reported
	d.starts()
	v = d.until(func(v wire.DebugView) bool { return v.Paused && !v.Reported.Before(reported) })
	require.Equal(t, 1, v.Pointer)
	require.Equal(t, []int{1}, v.Breaks)
	c, err := d.DebugCommand(d.Ctx, "lab-01", wire.DebugAsk{Action: "run"})
	require.NoError(t, err)
	require.EqualValues(t, 3, c.Number, "numbers go on over the restart")
	d.ends()
	require.Equal(t, []string{"echo one", "echo two"}, d.commands.All())
}

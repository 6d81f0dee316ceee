package agent_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
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

// offered is a machine to which the real appliance offers one listed and one hidden deployment, both Available.
type offered struct {
	*bench
	site           *sitetest.Site
	listed, hidden wire.Deployment
	ca             *pki.Authority
	url            string
	// cut is how many answers to the opening of a session are lost after the appliance has dealt with the request.
	cut atomic.Int32
}

func newOffered(t *testing.T) *offered {
	t.Helper()
	o := &offered{bench: newBench(t), site: sitetest.New(t, func(c *site.Config) { c.Inspector = inspect.Sequences{} })}
	o.clock.Set(o.site.Clock.Now())
	var err error
	o.ca, err = pki.Open(t.TempDir())
	require.NoError(t, err)
	cert, err := o.ca.Server(nil, []net.IP{net.IPv4(127, 0, 0, 1)}, o.site.Clock.Now())
	require.NoError(t, err)
	real := api.New(api.Options{Site: o.site.Service, Staging: t.TempDir()}).HTTPS()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wire.PathSession && o.cut.Add(-1) >= 0 {
			real.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		real.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	o.url = server.URL
	collection := o.site.Collection("lab", o.site.Device("lab-01", 1))
	deploy := func(name string, to wire.Availability) wire.Deployment {
		q, err := o.site.ImportSequence(o.site.Ctx, wire.SequenceImport{XML: sequenceOf(command("say", "echo "+name)), Name: name, BootImage: o.site.Image.ID})
		require.NoError(t, err)
		return o.site.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: collection.ID, Purpose: wire.Available, MakeAvailableTo: to})
	}
	o.listed, o.hidden = deploy("listed", wire.MediaAndPXE), deploy("hidden", wire.MediaAndPXEHidden)
	deploy("other", wire.MediaAndPXE)
	o.machine.Self = sitetest.Identity(1)
	o.config.NewTarget = nil
	return o
}

// from starts the machine from a medium with the given settings.
func (o *offered) from(t *testing.T, unattended bool, preferred string) {
	t.Helper()
	m, err := o.site.CreateMedium(o.site.Ctx, wire.MediaCreate{Label: "Hall 3", Unattended: unattended,
		Variables: map[string]string{"SMSTSPreferredAdvertID": preferred}})
	require.NoError(t, err)
	media := m.Media
	o.config.Boot = agent.Boot{URL: o.url, CASPKI: o.ca.SPKI(), CAPEM: o.ca.PEM(), MAC: sitetest.MAC(1), Media: &media}
}

func TestHiddenDeploymentOfARealMedium(t *testing.T) {
	o := newOffered(t)
	o.from(t, true, o.hidden.ID)
	require.NoError(t, o.boot(context.Background()), o.screen.String())
	require.Equal(t, []string{"echo hidden"}, o.commands.All(), "MED-2")
	require.NotContains(t, o.screen.String(), "Press Enter")

	o = newOffered(t)
	o.from(t, false, o.hidden.ID)
	ctx, leave := context.WithCancel(context.Background())
	o.config.Keys = &typed{asked: leave}
	require.Error(t, o.boot(ctx))
	require.Contains(t, o.screen.String(), question, "S-37")
	require.Contains(t, o.screen.String(), "deployment "+o.hidden.ID)
	runs, err := o.site.Runs(o.site.Ctx, "", "", 10)
	require.NoError(t, err)
	require.Empty(t, runs)

	o = newOffered(t)
	o.from(t, false, o.hidden.ID)
	o.config.Keys = &typed{lines: []string{""}}
	require.NoError(t, o.boot(context.Background()), o.screen.String())
	require.Equal(t, []string{"echo hidden"}, o.commands.All())
}

// byNetwork starts the machine from the network.
func (o *offered) byNetwork(t *testing.T, pick string) string {
	t.Helper()
	token, err := o.site.IssueBootToken(o.site.Ctx, site.BootBinding{UUID: sitetest.UUID(1), MAC: sitetest.MAC(1), Address: "127.0.0.1", LaunchMode: wire.LaunchPXE})
	require.NoError(t, err)
	o.config.Boot = agent.Boot{URL: o.url, CASPKI: o.ca.SPKI(), CAPEM: o.ca.PEM(), Token: token, MAC: sitetest.MAC(1), Pick: pick}
	return token
}

func TestLoadersMenuWithTheRealAppliance(t *testing.T) {
	o := newOffered(t)
	o.byNetwork(t, o.listed.ID)
	o.config.Keys = &typed{}
	require.NoError(t, o.boot(context.Background()), o.screen.String())
	require.Equal(t, []string{"echo listed"}, o.commands.All())
	require.NotContains(t, o.screen.String(), "Which task sequence?")
}

// The appliance has used up the boot token and the line is cut before its answer arrives.
func TestSessionWhoseAnswerWasLost(t *testing.T) {
	o := newOffered(t)
	token := o.byNetwork(t, o.listed.ID)
	o.cut.Store(3)
	require.NoError(t, o.boot(context.Background()), o.screen.String())
	require.Equal(t, []string{"echo listed"}, o.commands.All())
	require.Negative(t, o.cut.Load(), "answers were lost")
	alerts, err := o.site.Alerts(o.site.Ctx)
	require.NoError(t, err)
	require.Empty(t, alerts)
	noSecrets(t, o.screen.String(), o.site.Log.String())
	require.NotContains(t, o.screen.String()+o.site.Log.String(), token)

	// Somebody else who read the boot script is the second use, in RAM or not.
	o.config.Dir = t.TempDir()
	restarts := o.machine.Restarts
	require.Error(t, o.boot(context.Background()))
	require.Contains(t, o.screen.String()+o.site.Log.String(), "used a second time")
	require.Equal(t, restarts, o.machine.Restarts)
	alerts, err = o.site.Alerts(o.site.Ctx)
	require.NoError(t, err)
	require.Len(t, alerts, 1)
}

// A boot agent that was killed before it kept the answer is the same boot's.
func TestSessionOfAnAgentKilledBeforeItKeptIt(t *testing.T) {
	o := newOffered(t)
	o.byNetwork(t, o.listed.ID)
	o.cut.Store(1000)
	ctx, kill := context.WithCancel(context.Background())
	o.config.Clock = killing{o.clock, kill}
	require.Error(t, o.boot(ctx))
	o.cut.Store(0)
	o.config.Clock = o.clock
	require.NoError(t, o.boot(context.Background()), o.screen.String())
	require.Equal(t, []string{"echo listed"}, o.commands.All())
}

// killing ends the agent at its first wait.
type killing struct {
	*agenttest.Clock
	kill func()
}

func (k killing) Sleep(ctx context.Context, d time.Duration) error {
	k.kill()
	return k.Clock.Sleep(ctx, d)
}

package agent_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/api"
	"github.com/bootyard/bootyard/internal/inspect"
	"github.com/bootyard/bootyard/internal/pki"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/fact"
)

// library has one file in every package.
type library struct{ files *appliance }

func (l library) Manifest(_ context.Context, id string, version int) (wire.Manifest, error) {
	l.files.addPackage(id, "image.tar", "content of "+id)
	m := l.files.locations(id).Manifest
	m.Version = version
	return m, nil
}
func (l library) Sources(_ context.Context, m wire.Manifest) ([]wire.ContentSource, error) {
	return l.files.locations(m.PackageID).Sources, nil
}
func (l library) Import(ctx context.Context, id string, version int, _ string) (wire.Manifest, error) {
	return l.Manifest(ctx, id, version)
}
func (l library) Remove(_ context.Context, id string, agreed func() error) (wire.PackageDeleted, error) {
	return wire.PackageDeleted{ID: id}, agreed()
}

// realSite is a machine that was installed by the site and the API that the appliance is made of.
type realSite struct {
	*bench
	site       *sitetest.Site
	url        string
	ca         *pki.Authority
	both       transports
	state      string // folder of the agent in the installed system
	token      string
	device     wire.Device
	collection wire.Collection
	deployed   wire.Deployment
}

// newRealSite boots a machine into the real site, which installs it; after is what the sequence does in the new system.
func newRealSite(t *testing.T, content func(*appliance) site.ContentLibrary, after ...string) *realSite {
	t.Helper()
	return bootRealSite(t, content, func(*realSite) string { return osSequence(after...) })
}

// bootRealSite is newRealSite with the sequence that the machine boots into.
func bootRealSite(t *testing.T, content func(*appliance) site.ContentLibrary, steps func(*realSite) string) *realSite {
	t.Helper()
	b, states := newBench(t), t.TempDir() // its server gives the files, the site everything else
	s := sitetest.New(t, func(c *site.Config) {
		c.Inspector, c.Content, c.StateDir = inspect.Sequences{}, content(b.appliance), states
		c.CheckCondition = inspect.Condition
	})
	b.clock.Set(s.Clock.Now())
	ca, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	cert, err := ca.Server(nil, []net.IP{net.IPv4(127, 0, 0, 1)}, s.Clock.Now())
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(api.New(api.Options{Site: s.Service, Staging: t.TempDir()}).HTTPS())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)

	r := &realSite{bench: b, site: s, url: server.URL, ca: ca, state: t.TempDir(), device: s.Device("lab-01", 1)}
	image, err := s.ImportPackage(s.Ctx, wire.Package{Name: "image"}, "/nowhere")
	require.NoError(t, err)
	b.config.NewTarget = func(target agent.TargetRequest) agent.Target { return &disk{dir: r.state, files: target.Files} }
	xml := replaceAll(steps(r), "BYD00002", image.ID)
	q, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: xml, Name: "Debian", BootImage: s.Image.ID})
	require.NoError(t, err)
	r.collection = s.Collection("lab", r.device)
	r.deployed = s.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: r.collection.ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})

	r.token, err = s.IssueBootToken(s.Ctx, site.BootBinding{Boot: "", UUID: sitetest.UUID(1), MAC: sitetest.MAC(1), Address: "127.0.0.1", LaunchMode: wire.LaunchPXE})
	require.NoError(t, err)
	b.machine.Self = sitetest.Identity(1)
	b.machine.Self.Zone = "Europe/Amsterdam"
	b.config.Boot = agent.Boot{URL: server.URL, CASPKI: ca.SPKI(), CAPEM: ca.PEM(), Token: r.token, MAC: sitetest.MAC(1)}
	// Content comes from the bench's server, which has another CA; the test trusts both.
	r.both = transports{base: server.URL, own: trust(t, ca, b.clock.Now), other: trust(t, b.ca, func() time.Time { return start })}
	b.config.Transport = r.both
	require.NoError(t, b.boot(context.Background()), b.screen.String())
	return r
}

// client is the agent of the installed system.
func (r *realSite) client(t *testing.T, change ...func(*agent.Config)) *agent.Agent {
	t.Helper()
	c := agent.Config{URL: r.url, CAPEM: r.ca.PEM(), CASPKI: r.ca.SPKI(), Machine: r.machine, Clock: r.clock, Dir: r.state,
		Console: agent.NewConsole(r.screen, r.clock.Now), Commands: r.commands, Transport: r.both, Backoff: r.config.Backoff}
	for _, f := range change {
		f(&c)
	}
	a, err := agent.New(c)
	require.NoError(t, err)
	return a
}

// deploy gives the machine a sequence that is due in an hour.
func (r *realSite) deploy(t *testing.T, name string, steps ...string) time.Time {
	t.Helper()
	q, err := r.site.ImportSequence(r.site.Ctx, wire.SequenceImport{XML: sequenceOf(steps...), Name: name})
	require.NoError(t, err)
	due := r.site.Clock.Now().Add(time.Hour)
	r.site.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: r.collection.ID, Purpose: wire.Required, MakeAvailableTo: wire.Clients,
		Assignments: []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: due, UTC: true}}}})
	return due
}

// advance moves both clocks.
func (r *realSite) advance(d time.Duration) {
	r.site.Clock.Advance(d)
	r.clock.Set(r.site.Clock.Now())
}

// TestAgainstTheRealAppliance brings one machine from its boot token to the schedule of its installed system, through the
// site and the API that the appliance is made of.
func TestAgainstTheRealAppliance(t *testing.T) {
	r := newRealSite(t, func(files *appliance) site.ContentLibrary { return library{files} }, command("in the new OS", "echo two"))
	b, s, device, deployed, state, token := r.bench, r.site, r.device, r.deployed, r.state, r.token
	runs, err := s.Runs(s.Ctx, device.ID, "", 10)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	require.Equal(t, deployed.ID, runs[0].Deployment)
	require.Equal(t, wire.FullOS, runs[0].Awaits)
	require.Equal(t, 1, runs[0].Hashes)

	due := r.deploy(t, "Later", command("later", "echo three"), onModel("Latitude%", command("mine", "echo mine")), onModel("OptiPlex%", command("other", "echo other")))
	a := r.client(t, func(c *agent.Config) { c.Facts = laptop })
	require.NoError(t, a.RunOnce(context.Background()))
	require.Equal(t, []string{"echo two"}, b.commands.All())
	runs, err = s.Runs(s.Ctx, device.ID, "", 10)
	require.NoError(t, err)
	require.Equal(t, wire.RunSucceeded, runs[0].State)
	told, err := s.RunInfo(s.Ctx, runs[0].ID)
	require.NoError(t, err)
	var phases []wire.Phase
	for _, p := range told.Phases {
		phases = append(phases, p.Phase)
	}
	require.Equal(t, []wire.Phase{wire.PhaseAgent, wire.PhaseApply, wire.PhaseDownload, wire.PhaseRestart, wire.PhaseFinish, wire.PhaseDone}, phases)
	require.False(t, a.Next().After(due))

	r.advance(time.Hour)
	require.NoError(t, a.RunOnce(context.Background()))
	require.Equal(t, []string{"echo two", "echo three", "echo mine"}, b.commands.All(), "TS-76: a WMI condition on Linux")
	facts, err := s.DeviceFacts(s.Ctx, "lab-01")
	require.NoError(t, err)
	require.Contains(t, facts.YAML, "Latitude 7420")
	require.NotContains(t, facts.YAML, device.ID)
	r.advance(24 * time.Hour)
	require.NoError(t, a.RunOnce(context.Background()))
	require.Len(t, b.commands.All(), 3, "RRN-13: no second run in 24 h")
	noSecrets(t, b.screen.String(), s.Log.String())
	require.NotContains(t, b.screen.String()+s.Log.String(), token)
	require.FileExists(t, filepath.Join(state, "client.token"))
}

// laptop is the fact sheet of a machine.
func laptop() *fact.Sheet {
	s := &fact.Sheet{Environment: "fullos"}
	s.Add("", "Win32_ComputerSystem", fact.Instance{{Name: "Model", Value: "Latitude 7420"}})
	return s
}

// onModel gives a step a WMI condition.
func onModel(pattern, step string) string {
	return strings.Replace(step, "</step>", `<condition><expression type="SMS_TaskSequence_WMIConditionExpression"><variable name="Namespace">root\cimv2</variable>`+
		`<variable name="Query">SELECT * FROM Win32_ComputerSystem WHERE Model LIKE '`+pattern+`'</variable></expression></condition></step>`, 1)
}

// transports chooses by address.
type transports struct {
	base       string
	own, other http.RoundTripper
}

func (t transports) RoundTrip(r *http.Request) (*http.Response, error) {
	if "https://"+r.URL.Host == t.base {
		return t.own.RoundTrip(r)
	}
	return t.other.RoundTrip(r)
}

// A run that has failed, or ended well, still shows the step it came to, not the name of the sequence.
func TestRunInfoNamesTheStep(t *testing.T) {
	r := newRealSite(t, func(files *appliance) site.ContentLibrary { return library{files} })
	for name, steps := range map[string][]string{
		"Fails": {command("first", "echo one"), installStep("RequestStateStoreAction", "the last", "OSDStateRequestType=Restore")},
		"Works": {command("first", "echo one"), command("the last", "echo two")},
	} {
		r.deploy(t, name, steps...)
		a := r.client(t)
		require.NoError(t, a.RunOnce(context.Background()))
		r.advance(time.Hour)
		require.NoError(t, a.RunOnce(context.Background()))
		runs, err := r.site.Runs(r.site.Ctx, r.device.ID, "", 1)
		require.NoError(t, err)
		require.Equal(t, name, runs[0].SequenceName)
		require.Equal(t, name == "Fails", runs[0].State == wire.RunFailed)
		require.Equal(t, "the last", runs[0].Step)
	}
}

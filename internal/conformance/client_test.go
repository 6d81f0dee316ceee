package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	contentclient "github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/agenttest"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// client is the real agent in an installed system (AG in seed-rows.md): its
// own zone, sign-ins, commands and screen, the bench's clock.
type client struct {
	*agent.Agent
	b        *bench
	device   wire.Device
	machine  *agenttest.Machine
	commands *agenttest.Commands
	screen   *agenttest.Screen
	users    []string
	config   agent.Config
}

// client brings an agent in the way every machine comes in: boot token, run,
// resume token, client token. The deployment that did it is gone afterwards.
func (b *bench) client(name, zone string) *client {
	b.t.Helper()
	device := b.device(name)
	n := b.count
	if b.enroll == "" {
		b.enroll = b.wipeAndLoad("Bring in").ID
	}
	own := b.collection("Bring in "+name, device)
	d := b.create(wire.DeploymentSpec{TaskSequence: b.enroll, Collection: own.ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	boot := b.bootEnvironment(n)
	run := send[wire.Run](boot, "POST", wire.PathRuns, wire.ClaimRequest{Deployment: d.ID, Key: name, Environment: wire.WinPE, LaunchMode: wire.LaunchPXE})
	resume := send[wire.ResumeToken](boot, "POST", strings.Replace(wire.PathResume, "{run}", run.ID, 1), nil)
	c := &client{b: b, device: device, commands: &agenttest.Commands{}, screen: &agenttest.Screen{}, machine: &agenttest.Machine{Self: sitetest.Identity(n)}}
	c.onCommand(func(string) {})
	c.machine.Self.Zone, c.machine.Self.HostName = zone, name
	clock := clock{b.Clock}
	c.config = agent.Config{URL: b.https.URL, CAPEM: b.ca.PEM(), CASPKI: b.ca.SPKI(), ResumeToken: resume.Token, Machine: c.machine, Clock: clock,
		Console: agent.NewConsole(c.screen, clock.Now), Dir: b.t.TempDir(), Commands: c.commands, Users: func() []string { return c.users },
		Backoff: link.Backoff{First: time.Millisecond, Max: time.Millisecond, For: time.Second}, Retry: contentclient.Retry{Count: 1, Delay: time.Millisecond}}
	c.restart()
	c.config.ResumeToken = "" // exchanged
	send[struct{}](boot, "POST", strings.Replace(wire.PathFinish, "{run}", run.ID, 1), wire.Finish{Succeeded: true, Time: b.Clock.Now()})
	call[struct{}](b, "DELETE", "/deployments/"+d.ID, nil)
	call[struct{}](b, "DELETE", "/collections/"+own.ID, nil)
	return c
}

// onCommand does something at each command, after the journal has it.
func (c *client) onCommand(do func(line string)) {
	c.commands.On = func(_ context.Context, command machine.Command) {
		c.b.journal.add("command " + command.Line)
		do(command.Line)
	}
}

// restart starts the agent again from what it keeps on disk; the first start
// opens its session, which exchanges the token.
func (c *client) restart() {
	c.b.t.Helper()
	var err error
	c.Agent, err = agent.New(c.config)
	require.NoError(c.b.t, err)
	_ = c.RunOnce(c.b.Ctx) //nolint:errcheck // the appliance still has the run of the boot environment
}

// round is one round of the agent at the bench's time, which must not fail.
func (c *client) round() {
	c.b.t.Helper()
	require.NoError(c.b.t, c.RunOnce(c.b.Ctx))
}

// at moves the clock and does a round.
func (c *client) at(when time.Time) {
	c.b.t.Helper()
	c.b.at(when)
	c.round()
}

// listed finds a deployment in what users see.
func (c *client) listed(deployment string) (agent.Item, bool) {
	items, _ := c.List()
	for _, i := range items {
		if i.Deployment == deployment {
			return i, true
		}
	}
	return agent.Item{}, false
}

func (c *client) sees(deployment string) bool { _, ok := c.listed(deployment); return ok }

// ran is how many commands ran so far.
func (c *client) ran() int { return len(c.commands.All()) }

// runs lists the runs of a deployment.
func (b *bench) runs(deployment string) []wire.RunInfo {
	b.t.Helper()
	return call[[]wire.RunInfo](b, "GET", "/runs?deployment="+deployment, nil)
}

// session is a boot environment that speaks the agent's protocol by hand.
type session struct {
	b     *bench
	token string
}

// bootEnvironment opens a session of machine n by a boot token, as after PXE.
func (b *bench) bootEnvironment(n int) session {
	b.t.Helper()
	token, err := b.IssueBootToken(b.Ctx, site.BootBinding{UUID: sitetest.UUID(n), MAC: sitetest.MAC(n), Address: "127.0.0.1", LaunchMode: wire.LaunchPXE})
	require.NoError(b.t, err)
	s := session{b: b}
	answer := send[wire.SessionResponse](s, "POST", wire.PathSession, wire.SessionRequest{Protocol: wire.Protocol, Environment: wire.WinPE,
		LaunchMode: wire.LaunchPXE, BootToken: token, Identity: sitetest.Identity(n)})
	s.token = answer.Token
	return s
}

// medium opens a session of machine n by a boot medium.
func (b *bench) medium(n int, m wire.Media) session {
	b.t.Helper()
	s := session{b: b}
	answer := send[wire.SessionResponse](s, "POST", wire.PathSession, wire.SessionRequest{Protocol: wire.Protocol, Environment: wire.WinPE,
		LaunchMode: wire.LaunchCD, MediaID: m.ID, MediaToken: m.Token, Identity: sitetest.Identity(n)})
	s.token = answer.Token
	return s
}

func (s session) policy(preferred string) wire.Policy {
	s.b.t.Helper()
	return send[wire.Policy](s, "POST", wire.PathPolicy, wire.PolicyRequest{Environment: wire.WinPE, PreferredDeployment: preferred})
}

// offers lists the deployments of the session's policy.
func (s session) offers() []string {
	s.b.t.Helper()
	out := []string{}
	for _, c := range s.policy("").Candidates {
		out = append(out, c.Deployment)
	}
	return out
}

func send[T any](s session, method, path string, in any) T {
	s.b.t.Helper()
	data, err := json.Marshal(in)
	require.NoError(s.b.t, err)
	r, err := http.NewRequestWithContext(s.b.t.Context(), method, s.b.https.URL+path, bytes.NewReader(data))
	require.NoError(s.b.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.token)
	web := s.b.https.Client()
	answer, err := web.Do(r)
	require.NoError(s.b.t, err)
	defer func() { _ = answer.Body.Close() }()
	data, err = io.ReadAll(answer.Body)
	require.NoError(s.b.t, err)
	require.Less(s.b.t, answer.StatusCode, 300, "%s %s: %s", method, path, data)
	var v T
	if len(data) > 0 {
		require.NoError(s.b.t, json.Unmarshal(data, &v), "%s", data)
	}
	return v
}

// clock is the bench's clock for agents: they never wait, time passes.
type clock struct{ *sitetest.Clock }

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

const (
	partitionStep = `<step type="SMS_TaskSequence_PartitionDiskAction" name="partition" successCodeList="0"><action/><defaultVarList>
<variable name="OSDDiskIndex">0</variable><variable name="OSDPartitionStyle">GPT</variable><variable name="OSDPartitions" hidden="true">1</variable>
<variable name="OSDPartitions0Type">LinuxRoot</variable><variable name="OSDPartitions0FileSystem">EXT4</variable>
<variable name="OSDPartitions0Size">100</variable><variable name="OSDPartitions0SizeUnits">Percent</variable></defaultVarList></step>`
	setupStep   = `<step type="SMS_TaskSequence_SetupWindowsAndSMSAction" name="setup" successCodeList="0"><action/></step>`
	restartStep = `<step type="SMS_TaskSequence_RebootAction" name="again" successCodeList="0"><action>smsboot.exe /target:HD</action><defaultVarList><variable name="SMSRebootTarget" property="Target" hidden="true">HD</variable></defaultVarList></step>`
)

func applyStep(image string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_ApplyOperatingSystemAction" name="apply" successCodeList="0"><action/><defaultVarList><variable name="ImagePackageID" hidden="true">%s</variable></defaultVarList></step>`, image)
}

func xmlOf(steps ...string) string {
	return `<sequence version="3.10">` + strings.Join(steps, "") + `</sequence>`
}

func command(name, line string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0 3010"><action>smsswd.exe /run: %s</action><defaultVarList><variable name="CommandLine" property="CommandLine" hidden="true">%s</variable></defaultVarList></step>`, name, line, line)
}

// withPackage is a command that needs a package; never makes its condition false.
func withPackage(name, id, line string, never bool) string {
	condition := ""
	if never {
		condition = `<condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">exists</variable><variable name="Variable">NoSuchVariable</variable></expression></condition>`
	}
	return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0 3010"><action>smsswd.exe /run:%s %s</action>%s<defaultVarList><variable name="CommandLine" property="CommandLine" hidden="true">%s</variable><variable name="PackageID" property="PackageID" hidden="true">%s</variable></defaultVarList></step>`, name, id, line, condition, line, id)
}

func TestBenchBringsAgentsIn(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "Europe/Amsterdam")
	c.round()
	items, _ := c.List()
	require.Empty(t, items)
	require.Zero(t, c.ran())
	d := call[wire.Device](b, "GET", "/devices/pc-1", nil)
	require.True(t, d.Agent)
	require.Equal(t, "Europe/Amsterdam", d.Zone)
}

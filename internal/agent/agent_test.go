package agent_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/agenttest"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// disk is a target whose operating system is a folder.
type disk struct {
	dir   string
	files agent.AgentFiles
	os    string // empty: linux
	agent agent.InstalledAgent
	data  string   // the run's folder, once partitioned
	found []string // state folders on the volumes
	clean int
	made  bool
}

func (d *disk) Capabilities() machine.Capabilities {
	return machine.Capabilities{Images: d, OSSetup: d, Disks: d}
}
func (d *disk) DataDir() string {
	if d.made {
		return d.data
	}
	return ""
}
func (d *disk) Clean() error { d.clean++; return nil }
func (d *disk) States(_ context.Context, visit func(string)) error {
	for _, dir := range d.found {
		visit(dir)
	}
	return nil
}
func (d *disk) Close() error { return nil }
func (d *disk) Partition(context.Context, machine.DiskRequest, machine.Progress) ([]machine.Volume, error) {
	d.made = true
	return []machine.Volume{{Partition: 1, Type: machine.LinuxRoot, FileSystem: "EXT4", Device: "/dev/x1", PartUUID: "p1", Bytes: 1 << 30}}, nil
}
func (d *disk) Apply(_ context.Context, r machine.ApplyRequest, _ machine.Progress) (machine.Applied, error) {
	return machine.Applied{Volume: *r.Target.Volume}, nil
}
func (d *disk) Setup(ctx context.Context, _ machine.SetupRequest, _ machine.Progress) error {
	files, err := d.files(ctx, cmp.Or(d.os, "linux"))
	if err != nil {
		return err
	}
	d.agent = files
	return d.KeepState(ctx, map[string][]byte{"token": files.Token})
}
func (d *disk) KeepContent(ctx context.Context, from, to string) error {
	return client.Move(ctx, from, filepath.Join(d.dir, filepath.Dir(to)), filepath.Base(to))
}
func (d *disk) KeepState(_ context.Context, files map[string][]byte) error {
	for name, data := range files {
		name = filepath.Join(d.dir, "run", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, data, 0o600)); err != nil {
			return err
		}
	}
	return nil
}

func partition() string {
	return `<step type="SMS_TaskSequence_PartitionDiskAction" name="partition" successCodeList="0"><action/><defaultVarList>
<variable name="OSDDiskIndex">0</variable><variable name="OSDPartitionStyle">GPT</variable><variable name="OSDPartitions" hidden="true">1</variable>
<variable name="OSDPartitions0Type">LinuxRoot</variable><variable name="OSDPartitions0FileSystem">EXT4</variable>
<variable name="OSDPartitions0Size">100</variable><variable name="OSDPartitions0SizeUnits">Percent</variable></defaultVarList></step>`
}

func osSequence(after ...string) string {
	return sequenceOf(append([]string{partition(),
		`<step type="SMS_TaskSequence_ApplyOperatingSystemAction" name="apply" successCodeList="0"><action/><defaultVarList><variable name="ImagePackageID" hidden="true">BYD00002</variable></defaultVarList></step>`,
		`<step type="SMS_TaskSequence_SetupWindowsAndSMSAction" name="setup" successCodeList="0"><action/></step>`}, after...)...)
}

// installed is an agent in an installed system on a virtual clock.
type installed struct {
	*appliance
	machine  *agenttest.Machine
	clock    *agenttest.Clock
	screen   *agenttest.Screen
	commands *agenttest.Commands
	config   agent.Config
	agent    *agent.Agent
}

func newInstalled(t *testing.T) *installed {
	t.Helper()
	c := agenttest.NewClock(start)
	i := &installed{appliance: newAppliance(t, c.Now), clock: c, screen: &agenttest.Screen{}, commands: &agenttest.Commands{},
		machine: &agenttest.Machine{Clock: c, Self: wire.Identity{MACs: []string{"52:54:00:00:00:01"}, Zone: "Europe/Amsterdam"}}}
	i.run.LaunchMode = wire.LaunchSMS
	i.config = agent.Config{URL: i.server.URL, CAPEM: i.ca.PEM(), CASPKI: i.ca.SPKI(), ClientToken: clientToken, Machine: i.machine, Clock: c,
		Console: agent.NewConsole(i.screen, c.Now), Dir: filepath.Join(t.TempDir(), "state"), Commands: i.commands,
		Backoff: link.Backoff{First: time.Millisecond, Max: time.Millisecond, For: time.Second}, Retry: client.Retry{Count: 1, Delay: time.Millisecond}}
	i.open(t)
	return i
}

func (i *installed) open(t *testing.T) {
	t.Helper()
	var err error
	i.agent, err = agent.New(i.config)
	require.NoError(t, err)
}

// offer makes the appliance send one candidate, with the runs that have ended as history.
func (i *installed) offer(c wire.Candidate) {
	var history []wire.RunRecord
	i.policy = func(wire.PolicyRequest) wire.Policy {
		if i.finish != nil {
			ended := i.finish.Time
			history = append(history, wire.RunRecord{Deployment: c.Deployment, Sequence: c.Sequence, Started: ended, Ended: &ended, Succeeded: i.finish.Succeeded})
			i.finish = nil
			i.run.ID = strings.Replace(i.run.ID, "0001", "0002", 1) // a new claim is a new run
			i.run.NextEvent, i.run.LogSize, i.log, i.events = 1, 0, nil, nil
		}
		return wire.Policy{Action: wire.ActionNothing, Candidates: []wire.Candidate{c}, History: history}
	}
}

func (i *installed) at(t *testing.T, now time.Time) error {
	t.Helper()
	i.clock.Set(now)
	return i.agent.RunOnce(context.Background())
}

func candidate() wire.Candidate {
	return wire.Candidate{Deployment: "BYD20000", Sequence: "BYD00001", SequenceName: "Test", Purpose: wire.Required, Availability: wire.Clients,
		Option: wire.AsNeeded, Rerun: wire.RerunAlways, Independent: true, ShowProgress: true, Created: start.Add(-time.Hour)}
}

func TestRunGoesOnInTheInstalledSystem(t *testing.T) {
	b := newBench(t)
	b.addPackage("BYD00002", "image.tar", "image")
	b.run.SequenceXML = osSequence(command("in the new OS", "echo two"))
	state := t.TempDir()
	var d *disk
	b.config.NewTarget = func(r agent.TargetRequest) agent.Target {
		d = &disk{dir: state, files: r.Files}
		return d
	}
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, 1, b.machine.Restarts)
	require.Equal(t, wire.FullOS, b.run.Awaits)
	require.Nil(t, b.finish)
	require.Empty(t, b.commands.All())

	// The network is not there when the new system comes up.
	b.mu.Lock()
	b.fail = func(*http.Request) int { return http.StatusServiceUnavailable }
	b.mu.Unlock()
	c := agent.Config{URL: b.server.URL, CAPEM: b.ca.PEM(), CASPKI: b.ca.SPKI(), Machine: b.machine, Clock: b.clock,
		Console: agent.NewConsole(b.screen, b.clock.Now), Dir: state, Commands: b.commands,
		Backoff: link.Backoff{First: time.Millisecond, Max: time.Millisecond, For: time.Millisecond}}
	marks := 0
	c.Ended = func() error { marks++; return nil }
	a, err := agent.New(c)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	require.Error(t, a.RunOnce(ctx))
	require.Equal(t, []string{"echo two"}, b.commands.All(), "resuming needs no network (TS-118a)")
	require.Contains(t, b.screen.String(), wire.MarkInstalledOS)

	b.mu.Lock()
	b.fail = nil
	b.policy = func(wire.PolicyRequest) wire.Policy { return wire.Policy{} }
	b.mu.Unlock()
	a, err = agent.New(c) // killed and started again
	require.NoError(t, err)
	require.NoError(t, a.RunOnce(context.Background()))
	require.True(t, b.finish.Succeeded)
	require.Equal(t, []string{"echo two"}, b.commands.All(), "nothing runs twice")
	require.NotZero(t, marks)
	require.Equal(t, resumeToken, b.sessions[1].ResumeToken)
	require.Equal(t, clientToken, readFile(t, filepath.Join(state, "client.token")))
	require.NoFileExists(t, filepath.Join(state, "run", "token"))
	info, err := os.Stat(filepath.Join(state, "client.token"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	done := 0
	for i, e := range b.events {
		require.EqualValues(t, i+1, e.Number)
		if e.Phase == wire.PhaseDone {
			done++
		}
	}
	require.Equal(t, 1, done)
	require.Equal(t, 1, strings.Count(b.screen.String(), wire.MarkRunSucceeded))
	require.Contains(t, string(b.log), "Instruction name: 'partition'")
	require.Contains(t, string(b.log), "Instruction name: 'in the new OS'")
	noSecrets(t, b.screen.String(), string(b.log))
}

func TestScheduleIsObeyed(t *testing.T) {
	i := newInstalled(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"))
	c := candidate()
	due := start.Add(2 * time.Hour)
	c.Available = &wire.Moment{At: start.Add(time.Hour), UTC: true}
	c.Assignments = []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: due, UTC: true}}}
	i.offer(c)
	require.NoError(t, i.at(t, start))
	require.Empty(t, i.commands.All())
	require.False(t, i.agent.Next().After(start.Add(time.Hour)))
	require.NoError(t, i.at(t, due.Add(-time.Minute)))
	require.Empty(t, i.commands.All())
	require.Equal(t, due, i.agent.Next().UTC())
	require.NoError(t, i.at(t, due))
	require.Equal(t, []string{"echo one"}, i.commands.All())
	require.NoError(t, i.at(t, due.Add(24*time.Hour)))
	require.Len(t, i.commands.All(), 1, "once is once")
}

func TestLocalTimeIsTheDevices(t *testing.T) {
	i := newInstalled(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"))
	c := candidate()
	c.Assignments = []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)}}}
	i.offer(c)
	require.NoError(t, i.at(t, time.Date(2026, 11, 22, 18, 59, 59, 0, time.UTC)))
	require.Empty(t, i.commands.All())
	require.NoError(t, i.at(t, time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)), "20:00 in Amsterdam is 19:00 UTC in winter")
	require.Len(t, i.commands.All(), 1)
}

func TestWillNotRerun(t *testing.T) {
	i := newInstalled(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"))
	c := candidate()
	c.Rerun = wire.RerunNever
	for n := range 2 {
		c.Assignments = append(c.Assignments, wire.Assignment{Kind: wire.Once, Start: &wire.Moment{At: start.Add(time.Duration(n+1) * time.Hour), UTC: true}})
	}
	i.offer(c)
	require.NoError(t, i.at(t, start.Add(time.Hour)))
	require.Len(t, i.commands.All(), 1)
	for range 3 {
		require.NoError(t, i.at(t, start.Add(2*time.Hour)))
	}
	require.Len(t, i.commands.All(), 1)
	require.Len(t, i.messages, 1, "a skip is reported once (RRN-9)")
	require.Contains(t, i.messages[0].Text, "RRN-9")
}

func TestUserInstalls(t *testing.T) {
	i := newInstalled(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"))
	c := candidate()
	c.Purpose, c.Rerun = wire.Available, wire.RerunNever
	i.offer(c)
	require.NoError(t, i.at(t, start))
	require.Empty(t, i.commands.All())
	items, _ := i.agent.List()
	require.Len(t, items, 1)
	require.True(t, items[0].MayStart)
	require.ErrorIs(t, i.agent.Install("BYD29999"), agent.ErrNotOffered)
	for range 2 {
		require.NoError(t, i.agent.Install(c.Deployment))
		require.NoError(t, i.at(t, start.Add(time.Hour)))
	}
	require.Len(t, i.commands.All(), 2, "RRN-4")
}

func TestSignInStartsIt(t *testing.T) {
	i := newInstalled(t)
	var users []string
	i.config.Users = func() []string { return users }
	i.open(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"))
	c := candidate()
	c.Assignments = []wire.Assignment{{Kind: wire.LogOn}}
	i.offer(c)
	require.NoError(t, i.at(t, start))
	require.Empty(t, i.commands.All())
	users = []string{"ann"}
	require.NoError(t, i.at(t, start.Add(time.Minute)))
	require.Len(t, i.commands.All(), 1)
	users = []string{"ann", "bob"}
	require.NoError(t, i.at(t, start.Add(2*time.Minute)))
	items, status := i.agent.List()
	require.Empty(t, items)
	require.Contains(t, status.Hidden, "UX-5")
}

func restartStep() string {
	return `<step type="SMS_TaskSequence_RebootAction" name="again" successCodeList="0"><action>smsboot.exe /target:HD</action><defaultVarList><variable name="SMSRebootTarget" property="Target" hidden="true">HD</variable></defaultVarList></step>`
}

func TestRestartInTheMiddleAndWindows(t *testing.T) {
	i := newInstalled(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"), restartStep(), command("second", "echo two"))
	c := candidate()
	c.InstallOutsideWindow = true
	c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	i.offer(c)
	inner := i.policy
	i.policy = func(r wire.PolicyRequest) wire.Policy {
		p := inner(r)
		p.Windows = []wire.Window{{Name: "night", Length: 60, AppliesTo: "all",
			Schedule: wire.Assignment{Kind: wire.Once, Start: &wire.Moment{At: start.Add(5 * time.Hour), UTC: true}}}}
		return p
	}
	require.ErrorContains(t, i.at(t, start), "MWN-13")
	require.Zero(t, i.machine.Restarts)
	require.Equal(t, start.Add(5*time.Hour), i.agent.Next().UTC())
	require.ErrorIs(t, i.at(t, start.Add(5*time.Hour)), agent.ErrRestarting)
	require.Equal(t, 1, i.machine.Restarts)
	i.open(t)
	require.NoError(t, i.at(t, start.Add(5*time.Hour+time.Minute)))
	require.Equal(t, []string{"echo one", "echo two"}, i.commands.All())
}

func TestKilledDuringAStep(t *testing.T) {
	i := newInstalled(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"), command("second", "echo two"))
	c := candidate()
	c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	i.offer(c)
	ctx, kill := context.WithCancel(context.Background())
	i.commands.On = func(context.Context, machine.Command) { kill() }
	require.Error(t, i.agent.RunOnce(ctx))
	i.commands.On = nil
	i.open(t)
	require.NoError(t, i.at(t, start.Add(time.Minute)))
	require.Equal(t, []string{"echo one"}, i.commands.All(), "TS-112a: not run again, and the run has failed")
	_, status := i.agent.List()
	require.Contains(t, status.LastText, "failed")
}

func TestStateIsPrivate(t *testing.T) {
	i := newInstalled(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"))
	c := candidate()
	c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	i.offer(c)
	i.commands.On = func(context.Context, machine.Command) {
		require.NoError(t, filepath.Walk(i.config.Dir, func(path string, info os.FileInfo, err error) error {
			require.NoError(t, err)
			if !strings.Contains(path, "Packages") && !strings.Contains(path, "logs") {
				require.Zero(t, info.Mode().Perm()&0o077, path)
			}
			return nil
		}))
	}
	require.NoError(t, i.at(t, start))
	require.Len(t, i.commands.All(), 1)
}

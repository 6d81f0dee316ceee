package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
)

// settings is the page Deployment Settings, and the notes on machines that
// start from media or the network.
func settings() []row {
	return []row{
		{"S-25", twoPurposes}, {"S-26", availableWaitsForTheUser}, {"S-27", requiredRunsAlone}, {"S-28", statusIsFollowed},
		{"S-29", earlyInstall}, {"S-30", severalUsers}, {"S-31", fourAvailabilities}, {"S-32", onlyClients},
		{"S-33", everywhere}, {"S-34", onlyMediaAndPXE}, {"S-35", hidden}, {"S-36", hiddenIsForAutomation},
		{"S-38", wakesForRequired}, {"S-40", wakeOnLANOff}, {"S-44", noSchedulesInWinPE}, {"S-45", schedulesWithoutEffect},
		{"S-46", windowsInWinPE},
	}
}

func twoPurposes(t *testing.T) {
	b := newBench(t)
	spec := wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs").ID}
	require.Equal(t, wire.Available, b.dry(spec).Deployment.Purpose, "DEP-8")
	for _, p := range []wire.Purpose{"Optional", "required", "Required "} {
		spec.Purpose = p
		require.Equal(t, "DEP-8", b.bad(spec).Rule)
	}
	spec.Purpose, spec.Assignments = wire.Required, asap
	require.Equal(t, wire.Required, b.create(spec).Purpose)
}

func availableWaitsForTheUser(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	d := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs", c.device).ID})
	for range 5 {
		c.at(b.Clock.Now().Add(24 * time.Hour))
		require.True(t, c.sees(d.ID))
		require.Zero(t, c.ran())
	}
	require.NoError(t, c.Install(d.ID))
	c.round()
	require.Equal(t, 1, c.ran())
	require.True(t, b.runs(d.ID)[0].UserStarted)
}

func requiredRunsAlone(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	due := b.Clock.Now().Add(3 * time.Hour)
	d := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs", c.device).ID,
		Purpose: wire.Required, Assignments: onceAt(due)})
	c.at(due.Add(-time.Second))
	require.Zero(t, c.ran())
	require.False(t, c.Next().After(due), "the agent is there at the deadline, whatever its poll")
	c.at(due)
	require.Equal(t, 1, c.ran())
	c.at(due.Add(48 * time.Hour))
	require.Equal(t, 1, c.ran())
	runs := b.runs(d.ID)
	require.Len(t, runs, 1)
	require.Equal(t, wire.RunSucceeded, runs[0].State)
	require.False(t, runs[0].UserStarted)
}

func statusIsFollowed(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	due := b.Clock.Now().Add(time.Hour)
	p := b.pkg("Files", "echo 1")
	d := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Follow me", withPackage("one", p.ID, "sh one", false)).ID, Collection: b.collection("PCs", c.device).ID,
		Purpose: wire.Required, Assignments: onceAt(due)})
	var states []string
	look := func(string) {
		item, _ := c.listed(d.ID)
		states = append(states, item.State)
	}
	c.round()
	item, ok := c.listed(d.ID)
	require.True(t, ok)
	require.Equal(t, "Waiting", item.State)
	require.True(t, item.Due.Equal(due))
	var during agent.Status
	c.onCommand(func(line string) {
		look(line)
		_, during = c.List()
	})
	b.journal.onBlob = look
	c.at(due)
	require.Equal(t, []string{"Downloading", "Running"}, states)
	require.Equal(t, "Follow me", during.Running)
	_, after := c.List()
	require.Empty(t, after.Running)
	require.Equal(t, "Follow me", after.LastName)
	require.Contains(t, after.LastText, "succeeded")
	item, ok = c.listed(d.ID)
	require.True(t, ok)
	require.Equal(t, "Done", item.State)

	// Content that is to be there ahead is downloaded while the deadline lies ahead.
	due, states = due.Add(24*time.Hour), nil
	ahead := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Ahead", withPackage("two", b.pkg("More", "echo 2").ID, "sh two", false)).ID,
		Collection: b.collection("Others", c.device).ID, Purpose: wire.Required, Assignments: onceAt(due), DeploymentOption: wire.AllBefore})
	d = ahead
	c.round()
	require.Equal(t, []string{"Downloading"}, states)
	item, _ = c.listed(d.ID)
	require.Equal(t, "Waiting", item.State)
}

func earlyInstall(t *testing.T) {
	for rerun, want := range map[wire.Rerun]int{wire.RerunNever: 1, wire.RerunAlways: 2} {
		t.Run("RRN-8 "+string(rerun), func(t *testing.T) {
			b := newBench(t)
			c := b.client("pc-1", "UTC")
			due := b.Clock.Now().Add(4 * time.Hour)
			d := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs", c.device).ID,
				Purpose: wire.Required, Assignments: onceAt(due), Rerun: rerun})
			c.round()
			require.NoError(t, c.Install(d.ID))
			c.round()
			require.Equal(t, 1, c.ran(), "UX-2: before the deadline")
			c.at(due)
			require.Equal(t, want, c.ran())
		})
	}
}

func severalUsers(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	d := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs", c.device).ID})
	c.users = []string{"ann"}
	c.round()
	require.True(t, c.sees(d.ID))
	c.users = []string{"ann", "bob"}
	c.round()
	require.False(t, c.sees(d.ID))
	_, status := c.List()
	require.Contains(t, status.Hidden, "more than one user")
	require.ErrorIs(t, c.Install(d.ID), agent.ErrNotOffered)
	c.users = []string{"bob"}
	c.round()
	require.True(t, c.sees(d.ID))
}

func fourAvailabilities(t *testing.T) {
	b := newBench(t)
	spec := wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian").ID, Collection: b.collection("PCs").ID}
	for _, a := range []wire.Availability{wire.Clients, wire.ClientsMediaAndPXE, wire.MediaAndPXE, wire.MediaAndPXEHidden} {
		spec.MakeAvailableTo = a
		require.Equal(t, a, b.create(spec).MakeAvailableTo)
	}
	spec.MakeAvailableTo = "Everybody"
	require.Equal(t, "DEP-9", b.bad(spec).Rule)
}

// offered brings an OS deployment with an availability in and returns the
// agent, a boot environment on the same machine and the deployment.
func offered(t *testing.T, a wire.Availability) (*bench, *client, session, wire.Deployment) {
	t.Helper()
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	n := b.count
	d := b.create(wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian").ID, Collection: b.collection("PCs", c.device).ID, MakeAvailableTo: a})
	c.round()
	return b, c, b.bootEnvironment(n), d
}

func onlyClients(t *testing.T) {
	b, c, winpe, d := offered(t, wire.Clients)
	require.True(t, c.sees(d.ID))
	require.Empty(t, winpe.offers())
	why := call[wire.Decision](b, "GET", "/explain?in=winpe&device=pc-1", nil)
	require.Equal(t, wire.ActionNothing, why.Action)
	require.Equal(t, "PXE-14", why.Considered[0].Rule)
	partly(t, "the machine that boots by PXE is in internal/e2e")
}

// keptFromAgents checks that the appliance does not even tell an agent.
func (b *bench) keptFromAgents(device string) {
	b.t.Helper()
	why := call[wire.Decision](b, "GET", "/explain?in=fullos&device="+device, nil)
	require.Len(b.t, why.Considered, 1)
	require.False(b.t, why.Considered[0].Kept)
	require.Equal(b.t, "UX-4", why.Considered[0].Rule)
}

func everywhere(t *testing.T) {
	b, c, winpe, d := offered(t, wire.ClientsMediaAndPXE)
	require.True(t, c.sees(d.ID))
	require.Equal(t, []string{d.ID}, winpe.offers())
	made := call[wire.MediaCreated](b, "POST", "/media", wire.MediaCreate{Label: "stick"})
	require.Equal(t, []string{d.ID}, b.medium(1, made.Media).offers())
	partly(t, "the machines that boot by PXE and from an ISO are in internal/e2e")
}

func onlyMediaAndPXE(t *testing.T) {
	b, c, winpe, d := offered(t, wire.MediaAndPXE)
	require.False(t, c.sees(d.ID))
	b.keptFromAgents("pc-1")
	require.Equal(t, []string{d.ID}, winpe.offers())
	partly(t, "the machine that boots is in internal/e2e")
}

func hidden(t *testing.T) {
	b, c, winpe, d := offered(t, wire.MediaAndPXEHidden)
	require.False(t, c.sees(d.ID))
	b.keptFromAgents("pc-1")
	require.Empty(t, winpe.offers())
	require.Equal(t, wire.ActionNothing, winpe.policy("").Action)
	p := winpe.policy(strings.ToLower(d.ID))
	require.Equal(t, wire.ActionRun, p.Action, "%v", p.Reasons)
	require.Equal(t, d.ID, p.Deployment)
	run := send[wire.Run](winpe, "POST", wire.PathRuns, wire.ClaimRequest{Deployment: d.ID, Key: "k", Environment: wire.WinPE})
	require.Equal(t, d.ID, run.Deployment)
	partly(t, "the machine that boots is in internal/e2e")
}

func hiddenIsForAutomation(t *testing.T) {
	b := newBench(t)
	r := b.dry(wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian").ID, Collection: b.collection("PCs").ID, MakeAvailableTo: wire.MediaAndPXEHidden})
	require.Contains(t, rules(r.Warnings), "MED-2")
	partly(t, "the hint of the web console")
}

// wake makes a Required deployment with wake-up packets and lets its deadline pass.
func wake(t *testing.T, b *bench) wire.DeploymentResult {
	t.Helper()
	due := b.Clock.Now().Add(time.Hour)
	made := call[wire.DeploymentResult](b, "POST", "/deployments", wire.DeploymentCreate{DeploymentSpec: wire.DeploymentSpec{
		TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs", b.device("sleeper")).ID,
		Purpose: wire.Required, Assignments: onceAt(due), WakeUp: true}})
	for _, when := range []time.Time{due.Add(-5 * time.Minute), due.Add(-time.Second), due} {
		b.at(when)
		require.NoError(t, b.PlanWakes(b.Ctx))
		_, err := b.SendWakes(b.Ctx)
		require.NoError(t, err)
		if when.Before(due) {
			require.Empty(t, b.Waker.Woken, "not before the deadline")
		}
	}
	return made
}

func wakesForRequired(t *testing.T) {
	b := newBench(t)
	wake(t, b)
	require.Equal(t, call[wire.Device](b, "GET", "/devices/sleeper", nil).MACs, b.Waker.Woken)
	p := b.bad(wire.DeploymentSpec{TaskSequence: b.tasks("More", command("one", "echo one")).ID, Collection: wire.AllSystems, WakeUp: true})
	require.Equal(t, "DEP-10", p.Rule)
	require.Equal(t, "wakeUp", p.Field)
	partly(t, "the packet on the wire is in internal/e2e")
}

func wakeOnLANOff(t *testing.T) {
	b := newBench(t)
	set := call[wire.Settings](b, "GET", "/settings", nil)
	set.WakeOnLAN = false
	call[struct{}](b, "PUT", "/settings", set)
	require.Contains(t, rules(wake(t, b).Warnings), "WOL-2")
	require.Empty(t, b.Waker.Woken)
}

func noSchedulesInWinPE(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	n := b.count
	all := b.collection("PCs", c.device)
	day := 24 * time.Hour
	make := func(name string, s wire.DeploymentSpec) wire.Deployment {
		s.TaskSequence, s.Collection, s.MakeAvailableTo = b.wipeAndLoad(name).ID, all.ID, wire.ClientsMediaAndPXE
		return b.create(s)
	}
	early := make("Not yet", wire.DeploymentSpec{Available: utc(start.Add(10 * day))})
	late := make("Expired", wire.DeploymentSpec{Available: utc(start.Add(-2 * day)), Expire: utc(start.Add(-day))})
	c.round()
	require.False(t, c.sees(early.ID))
	require.False(t, c.sees(late.ID))
	require.ElementsMatch(t, []string{early.ID, late.ID}, b.bootEnvironment(n).offers())
	future := make("Future deadline", wire.DeploymentSpec{Purpose: wire.Required, Assignments: onceAt(start.Add(5 * day))})
	c.round()
	require.True(t, c.sees(future.ID))
	require.Zero(t, c.ran())
	require.ElementsMatch(t, []string{early.ID, late.ID, future.ID}, b.bootEnvironment(n).offers())
	partly(t, "the machines that boot are in internal/e2e")
}

func schedulesWithoutEffect(t *testing.T) {
	b := newBench(t)
	spec := wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian").ID, Collection: b.collection("PCs").ID, MakeAvailableTo: wire.MediaAndPXE}
	require.NotContains(t, rules(b.dry(spec).Warnings), "SCH-2")
	spec.Available = utc(start.Add(time.Hour))
	warned := b.dry(spec).Warnings
	require.Equal(t, []string{"SCH-2"}, rules(warned))
	require.Contains(t, warned[0].Text, "no effect")
}

func windowsInWinPE(t *testing.T) {
	b := newBench(t)
	open := start.Add(4 * time.Hour)
	pcs := b.windowed("PCs", []wire.Window{{Name: "noon", Length: 60, AppliesTo: "all", Schedule: onceAt(open)[0]}}, b.device("pc-1"))
	d := b.create(wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian").ID, Collection: pcs.ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	for _, c := range []struct {
		name string
		when time.Time
		want wire.Action
	}{
		{"MWN-18 before", start.Add(time.Hour), wire.ActionNothing}, {"MWN-18 inside", open.Add(time.Minute), wire.ActionRun}, {"MWN-18 after", open.Add(2 * time.Hour), wire.ActionNothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.at(c.when)
			answer := call[wire.Decision](b, "GET", "/explain?in=winpe&device=pc-1", nil)
			require.Equal(t, c.want, answer.Action, answer.Reason)
			if c.want == wire.ActionRun {
				require.Equal(t, d.ID, answer.Deployment)
			} else {
				require.Equal(t, "MWN-18", answer.Considered[0].Rule)
			}
		})
	}
	partly(t, "the machine that boots is in internal/e2e")
}

package conformance_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
)

// scheduling is the page Scheduling without the rerun behaviour.
func scheduling() []row {
	return []row{
		{"S-47", availableFrom}, {"S-48", availableUTC}, {"S-49", availableLocal}, {"S-50", contentAtAvailableTime},
		{"S-51", expires}, {"S-52", expiresUTC}, {"S-53", expiresLocal}, {"S-54", severalAssignments}, {"S-55", dueOnce},
		{"S-56", recurrences}, {"S-57", asSoonAsPossible}, {"S-58", signInAndOut}, {"S-59", assignmentBeforeAvailable},
	}
}

// alone makes a deployment of one command to one client.
func alone(b *bench, c *client, spec wire.DeploymentSpec) wire.Deployment {
	b.t.Helper()
	spec.TaskSequence = b.tasks("Tasks", command("one", "echo one")).ID
	spec.Collection = b.collection("PCs", c.device).ID
	return b.create(spec)
}

func availableFrom(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	from := start.Add(5 * time.Hour)
	d := alone(b, c, wire.DeploymentSpec{Available: utc(from)})
	c.at(from.Add(-time.Minute))
	require.False(t, c.sees(d.ID))
	require.ErrorIs(t, c.Install(d.ID), agent.ErrNotOffered)
	c.round()
	require.Zero(t, c.ran())
	c.at(from.Add(time.Minute))
	require.True(t, c.sees(d.ID))
	require.NoError(t, c.Install(d.ID))
	c.round()
	require.Equal(t, 1, c.ran())
}

// inZones has agents in winter time of Amsterdam (UTC+1) and New York (UTC-5),
// and tells who sees a deployment at given times.
func inZones(t *testing.T, spec wire.DeploymentSpec, want map[time.Time][2]bool) {
	t.Helper()
	b := newBench(t)
	zones := [2]*client{b.client("ams", "Europe/Amsterdam"), b.client("nyc", "America/New_York")}
	spec.TaskSequence = b.tasks("Tasks", command("one", "echo one")).ID
	spec.Collection = b.collection("PCs", zones[0].device, zones[1].device).ID
	d := b.create(spec)
	times := make([]time.Time, 0, len(want))
	for at := range want {
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	for _, at := range times {
		for i, c := range zones {
			c.at(at)
			require.Equal(t, want[at][i], c.sees(d.ID), "%s at %s", c.device.Name, at)
		}
	}
}

// tenOClock is 10:00 on the day after start, on any wall.
var tenOClock = time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)

func availableUTC(t *testing.T) {
	inZones(t, wire.DeploymentSpec{Available: utc(tenOClock)}, map[time.Time][2]bool{
		tenOClock.Add(-time.Minute): {false, false}, tenOClock: {true, true},
	})
}

func availableLocal(t *testing.T) {
	ams, nyc := tenOClock.Add(-time.Hour), tenOClock.Add(5*time.Hour) // SCH-19
	inZones(t, wire.DeploymentSpec{Available: local(tenOClock)}, map[time.Time][2]bool{
		ams.Add(-time.Minute): {false, false}, ams: {true, false}, nyc.Add(-time.Minute): {true, false}, nyc: {true, true},
	})
}

func expiresUTC(t *testing.T) {
	inZones(t, wire.DeploymentSpec{Expire: utc(tenOClock)}, map[time.Time][2]bool{
		tenOClock.Add(-time.Minute): {true, true}, tenOClock: {false, false},
	})
}

func expiresLocal(t *testing.T) {
	ams, nyc := tenOClock.Add(-time.Hour), tenOClock.Add(5*time.Hour)
	inZones(t, wire.DeploymentSpec{Expire: local(tenOClock)}, map[time.Time][2]bool{
		ams.Add(-time.Minute): {true, true}, ams: {false, true}, nyc.Add(-time.Minute): {false, true}, nyc: {false, false},
	})
}

// contentAtAvailableTime and assignmentBeforeAvailable look at when the blob
// is asked for and when the command runs.
func contentAtAvailableTime(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	p := b.pkg("Scripts", "echo hello")
	available, due := start.Add(2*time.Hour), start.Add(6*time.Hour)
	b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", withPackage("one", p.ID, "sh run.sh", false)).ID, Collection: b.collection("PCs", c.device).ID,
		Purpose: wire.Required, Available: utc(available), Assignments: onceAt(due), DeploymentOption: wire.AllBefore})
	downloadThenRun(t, b, c, p.ID, available, due)
}

func assignmentBeforeAvailable(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	p := b.pkg("Scripts", "echo hello")
	assigned, available := start.Add(2*time.Hour), start.Add(6*time.Hour)
	b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", withPackage("one", p.ID, "sh run.sh", false)).ID, Collection: b.collection("PCs", c.device).ID,
		Purpose: wire.Required, Available: utc(available), Assignments: onceAt(assigned), DeploymentOption: wire.AllBefore})
	downloadThenRun(t, b, c, p.ID, assigned, available)
}

func downloadThenRun(t *testing.T, b *bench, c *client, pkg string, download, run time.Time) {
	t.Helper()
	_, n := b.journal.since(0)
	c.round()
	c.at(download.Add(-time.Minute))
	lines, n := b.journal.since(n)
	require.Empty(t, lines)
	require.False(t, c.Next().After(download))
	c.at(download)
	lines, n = b.journal.since(n)
	require.Equal(t, []string{"blob " + pkg}, lines)
	c.at(run.Add(-time.Minute))
	lines, n = b.journal.since(n)
	require.Empty(t, lines)
	c.at(run)
	lines, _ = b.journal.since(n)
	require.Equal(t, []string{"command sh run.sh"}, lines, "nothing is downloaded again")
}

func expires(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	end := start.Add(5 * time.Hour)
	d := alone(b, c, wire.DeploymentSpec{Expire: utc(end)})
	c.at(end.Add(-time.Minute))
	require.True(t, c.sees(d.ID))
	require.NotContains(t, b.verdict("pc-1", d.ID), "Expired")
	c.at(end)
	require.False(t, c.sees(d.ID))
	require.ErrorIs(t, c.Install(d.ID), agent.ErrNotOffered)
	c.round()
	require.Zero(t, c.ran())
	require.Contains(t, b.verdict("pc-1", d.ID), "Expired")
}

// verdict is what the appliance says of a deployment on a device's installed OS.
func (b *bench) verdict(device, deployment string) string {
	b.t.Helper()
	d := call[wire.Decision](b, "GET", "/explain?in=fullos&device="+device+"&deployment="+deployment, nil)
	require.Len(b.t, d.Considered, 1)
	return d.Considered[0].Text
}

func severalAssignments(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	three := []wire.Assignment{}
	for n := range 3 {
		three = append(three, onceAt(start.Add(time.Duration(n+1)*24*time.Hour))...)
	}
	d := alone(b, c, wire.DeploymentSpec{Purpose: wire.Required, Assignments: three, Rerun: wire.RerunAlways})
	require.Len(t, call[wire.Deployment](b, "GET", "/deployments/"+d.ID, nil).Assignments, 3)
	for n := range 3 {
		c.at(three[n].Start.At.Add(-time.Minute))
		require.Equal(t, n, c.ran())
		c.at(three[n].Start.At)
		require.Equal(t, n+1, c.ran())
	}
	p := b.bad(wire.DeploymentSpec{TaskSequence: d.TaskSequence, Collection: d.Collection, Purpose: wire.Available, Assignments: three})
	require.Equal(t, "DEP-41", p.Rule)
	require.Equal(t, "assignments", p.Field)
}

func dueOnce(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "Europe/Amsterdam")
	at := tenOClock.Add(-time.Hour) // 10:00 in Amsterdam
	alone(b, c, wire.DeploymentSpec{Purpose: wire.Required, Assignments: []wire.Assignment{{Kind: wire.Once, Start: local(tenOClock)}}})
	c.at(at.Add(-time.Second))
	require.Zero(t, c.ran())
	c.at(at)
	require.Equal(t, 1, c.ran())
	for range 40 {
		c.at(b.Clock.Now().Add(24 * time.Hour))
	}
	require.Equal(t, 1, c.ran())
}

func asSoonAsPossible(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	alone(b, c, wire.DeploymentSpec{Purpose: wire.Required, Assignments: asap})
	require.Zero(t, c.ran())
	c.round()
	require.Equal(t, 1, c.ran())
	c.at(start.Add(48 * time.Hour))
	require.Equal(t, 1, c.ran())
}

func signInAndOut(t *testing.T) {
	for _, x := range []struct {
		name       string
		kind       wire.AssignmentKind
		first, out []string
	}{{"SCH-12 sign-in", wire.LogOn, nil, []string{"ann"}}, {"SCH-12 sign-out", wire.LogOff, []string{"ann"}, nil}} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t)
			c := b.client("pc-1", "UTC")
			c.users = x.first
			c.round()
			alone(b, c, wire.DeploymentSpec{Purpose: wire.Required, Assignments: []wire.Assignment{{Kind: x.kind}}})
			c.at(start.Add(time.Hour))
			require.Zero(t, c.ran())
			c.users = x.out
			c.at(start.Add(2 * time.Hour))
			require.Equal(t, 1, c.ran())
			c.at(start.Add(3 * time.Hour))
			require.Equal(t, 1, c.ran())
			c.users = x.first
			c.at(start.Add(4 * time.Hour))
			require.Equal(t, 1, c.ran(), "the opposite event")
			c.users = x.out
			c.at(start.Add(5 * time.Hour))
			require.Equal(t, 2, c.ran(), "each time")
		})
	}
}

// recurrences are computed by the API and carried out by the agent.
func recurrences(t *testing.T) {
	b := newBench(t)
	zone, err := time.LoadLocation("Europe/Amsterdam")
	require.NoError(t, err)
	wall := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, zone)
	}
	at := func(day, hour, minute int) *wire.Moment {
		return local(time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC))
	}
	q, pcs := b.tasks("Tasks", command("one", "echo one")), b.collection("Empty")
	for _, x := range []struct {
		name string
		a    wire.Assignment
		want []time.Time // the first of ten
	}{
		{"SCH-9 weekly", wire.Assignment{Kind: wire.Weekly, Start: at(2, 20, 0), Weekday: 6, Every: 2}, []time.Time{wall(3, 6, 20, 0), wall(3, 20, 20, 0), wall(4, 3, 20, 0)}},
		{"SCH-14 month ends", wire.Assignment{Kind: wire.MonthlyByDate, Start: at(2, 20, 0), Day: 31}, []time.Time{wall(3, 31, 20, 0), wall(4, 30, 20, 0), wall(5, 31, 20, 0)}},
		{"SCH-9 last day", wire.Assignment{Kind: wire.MonthlyByDate, Start: at(2, 20, 0), Day: 0, Every: 3}, []time.Time{wall(3, 31, 20, 0), wall(6, 30, 20, 0)}},
		{"SCH-9 second Tuesday", wire.Assignment{Kind: wire.MonthlyByWeekday, Start: at(2, 20, 0), Weekday: 3, Week: 2}, []time.Time{wall(3, 10, 20, 0), wall(4, 14, 20, 0)}},
		{"SCH-9 second Tuesday and four days", wire.Assignment{Kind: wire.MonthlyByWeekday, Start: at(2, 20, 0), Weekday: 3, Week: 2, Offset: 4}, []time.Time{wall(3, 14, 20, 0), wall(4, 18, 20, 0)}},
		{"SCH-9 custom", wire.Assignment{Kind: wire.Interval, Start: at(2, 20, 0), Hours: 12}, []time.Time{wall(3, 2, 20, 0), wall(3, 3, 8, 0), wall(3, 3, 20, 0)}},
		{"SCH-15 gap", wire.Assignment{Kind: wire.Weekly, Start: at(28, 2, 30), Weekday: 1}, []time.Time{wall(3, 29, 3, 0), wall(4, 5, 2, 30)}},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: pcs.ID, Purpose: wire.Required, Assignments: []wire.Assignment{x.a}})
			got := call[wire.Occurrences](b, "GET", "/deployments/"+d.ID+"/occurrences?zone="+query("Europe/Amsterdam"), nil)
			require.Equal(t, "Europe/Amsterdam", got.Zone)
			require.Len(t, got.Next, 10)
			for i, want := range x.want {
				require.True(t, want.Equal(got.Next[i]), "%d: %s, not %s", i, want, got.Next[i])
			}
		})
	}
	c := b.client("pc-1", "Europe/Amsterdam")
	alone := alone(b, c, wire.DeploymentSpec{Name: "Nightly", Purpose: wire.Required, Assignments: []wire.Assignment{{Kind: wire.MonthlyByDate, Start: at(2, 20, 0), Day: 31}}})
	require.NotEmpty(t, alone.ID)
	for n, when := range []time.Time{wall(3, 31, 20, 0), wall(4, 30, 20, 0)} { // 19:00 and 18:00 UTC
		c.at(when.Add(-time.Minute))
		require.Equal(t, n, c.ran())
		c.at(when)
		require.Equal(t, n+1, c.ran())
	}
}

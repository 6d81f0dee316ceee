package conformance_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
)

// reruns is the rerun behaviour, and running outside the schedule.
func reruns() []row {
	return []row{
		{"S-60", fourReruns}, {"S-61", never}, {"S-62", neverEvenThen}, {"S-63", always}, {"S-64", alwaysIsTheDefault},
		{"S-65", ifFailed}, {"S-66", ifSucceeded}, {"S-67", usersRerun}, {"S-68", outsideAssignments}, {"S-69", lockedForAvailable},
	}
}

func fourReruns(t *testing.T) {
	b := newBench(t)
	spec := wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs").ID, Purpose: wire.Required, Assignments: asap}
	for _, r := range []wire.Rerun{wire.RerunNever, wire.RerunAlways, wire.RerunIfFailed, wire.RerunIfSucceeded} {
		spec.Rerun = r
		require.Equal(t, r, call[wire.Deployment](b, "GET", "/deployments/"+b.create(spec).ID, nil).Rerun)
	}
	spec.Rerun = "Sometimes"
	require.Equal(t, "DEP-15", b.bad(spec).Rule)
}

// twice runs a sequence at the first assignment, with the exit code first,
// changes it to end with second, and tells whether it runs at the second.
func twice(t *testing.T, rerun wire.Rerun, first, second string) (*bench, *client, wire.Deployment, bool) {
	t.Helper()
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	q := b.tasks("Tasks", command("one", first))
	at := []time.Time{start.Add(time.Hour), start.Add(25 * time.Hour)}
	d := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: b.collection("PCs", c.device).ID, Purpose: wire.Required, Rerun: rerun,
		Assignments: append(onceAt(at[0]), onceAt(at[1])...)})
	c.at(at[0])
	require.Equal(t, []string{first}, c.commands.All())
	call[wire.Sequence](b, "POST", "/sequences", wire.SequenceImport{ID: q.ID, Name: "Tasks", XML: xmlOf(command("one", second)), Replace: true})
	c.at(at[1].Add(-time.Minute))
	require.Equal(t, 1, c.ran())
	c.at(at[1])
	c.at(at[1].Add(time.Hour))
	require.LessOrEqual(t, c.ran(), 2, "one assignment, one run")
	if c.ran() == 2 {
		require.Equal(t, second, c.commands.All()[1], "TSV-9: the changed sequence")
	}
	return b, c, d, c.ran() == 2
}

func never(t *testing.T) {
	b, _, d, again := twice(t, wire.RerunNever, "echo one", "echo one")
	require.False(t, again, "RRN-T1")
	told := 0
	for _, m := range call[[]wire.StatusMessage](b, "GET", "/messages?kind=status", nil) {
		if m.Device != "" && contains(m.Text, d.ID, "RRN-9") {
			told++
		}
	}
	require.Equal(t, 1, told, "the skip is reported once")
	status := call[wire.DeploymentStatus](b, "GET", "/deployments/"+d.ID+"/status", nil)
	require.Len(t, status.Members, 1)
	require.Equal(t, 4, status.Members[0].State, "RRN-9")
	require.Contains(t, status.Members[0].Text, "will not rerun")
	require.Equal(t, "Success", status.Members[0].Category, "STA-5: that of the earlier result")
	require.Equal(t, 1, status.Success)
}

func neverEvenThen(t *testing.T) {
	_, _, _, again := twice(t, wire.RerunNever, "exit 1", "echo changed")
	require.False(t, again)
}

func always(t *testing.T) {
	_, _, _, again := twice(t, wire.RerunAlways, "echo one", "echo changed")
	require.True(t, again, "RRN-T2")
}

func alwaysIsTheDefault(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	require.Equal(t, wire.RerunAlways, alone(b, c, wire.DeploymentSpec{}).Rerun)
	q := b.tasks("Again", command("two", "echo two"))
	d := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: b.collection("More", c.device).ID, Rerun: wire.RerunNever})
	for range 10 {
		c.at(b.Clock.Now().Add(24 * time.Hour))
	}
	require.Zero(t, c.ran(), "nothing schedules an Available one")
	for range 2 {
		require.NoError(t, c.Install(d.ID))
		c.round()
	}
	require.Equal(t, []string{"echo two", "echo two"}, c.commands.All())
}

func ifFailed(t *testing.T) {
	for name, x := range map[string]struct {
		first string
		want  bool
	}{"RRN-T3 after a failure": {"exit 1", true}, "RRN-T3 after a success": {"echo one", false}} {
		t.Run(name, func(t *testing.T) {
			_, _, _, again := twice(t, wire.RerunIfFailed, x.first, "echo two")
			require.Equal(t, x.want, again)
		})
	}
}

func ifSucceeded(t *testing.T) {
	for name, x := range map[string]struct {
		first string
		want  bool
	}{"RRN-T4 after a failure": {"exit 1", false}, "RRN-T4 after a success": {"echo one", true}} {
		t.Run(name, func(t *testing.T) {
			_, _, _, again := twice(t, wire.RerunIfSucceeded, x.first, "echo two")
			require.Equal(t, x.want, again)
		})
	}
}

func usersRerun(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	d := alone(b, c, wire.DeploymentSpec{})
	for range 3 {
		c.at(b.Clock.Now().Add(time.Hour))
		require.NoError(t, c.Install(d.ID))
		c.round()
	}
	require.Len(t, b.runs(d.ID), 3)
	partly(t, "the note of the web console")
}

func outsideAssignments(t *testing.T) {
	for name, independent := range map[string]bool{"UX-3 on": true, "UX-3 off": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c := b.client("pc-1", "UTC")
			due := start.Add(4 * time.Hour)
			d := alone(b, c, wire.DeploymentSpec{Purpose: wire.Required, Assignments: onceAt(due), Independent: &independent})
			c.round()
			item, ok := c.listed(d.ID)
			require.True(t, ok, "OPN-5: status stays visible in both")
			require.Equal(t, independent, item.MayStart)
			if err := c.Install(d.ID); !independent {
				require.ErrorIs(t, err, agent.ErrNotOffered)
				c.round()
				require.Zero(t, c.ran())
				c.at(due)
			} else {
				require.NoError(t, err)
				c.round()
			}
			require.Equal(t, 1, c.ran())
		})
	}
}

func lockedForAvailable(t *testing.T) {
	b := newBench(t)
	off := false
	p := b.bad(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs").ID, Independent: &off})
	require.Equal(t, "DEP-16", p.Rule)
	require.Equal(t, "independent", p.Field)
}

package conformance_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
)

// nextSteps are the last links of the seed page.
func nextSteps() []row { return []row{{"S-122", monitor}, {"S-123", debugging}} }

func sortedNames(list []string) []string {
	slices.Sort(list)
	return list
}

// monitor has five agents with different results: two succeed, one fails, one
// is in the middle, one has not asked yet.
func monitor(t *testing.T) {
	b := newBench(t)
	clients := []*client{}
	devices := []wire.Device{}
	for _, name := range []string{"good-1", "good-2", "bad", "busy", "silent"} {
		c := b.client(name, "UTC")
		clients, devices = append(clients, c), append(devices, c.device)
	}
	// The sequence asks the machine, so one sequence ends in all ways.
	q := b.tasks("Tasks", command("one", "echo one"), restartStep, command("two", "echo two"))
	bad := b.tasks("Bad", command("breaks", "exit 7"))
	d := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: b.collection("PCs", devices...).ID, Purpose: wire.Required, Assignments: asap, RestartOutsideWindow: true})
	status := func() wire.DeploymentStatus {
		return call[wire.DeploymentStatus](b, "GET", "/deployments/"+d.ID+"/status", nil)
	}
	require.Equal(t, 5, status().Unknown)
	for _, c := range clients[:2] {
		require.ErrorIs(t, c.RunOnce(b.Ctx), agent.ErrRestarting)
		c.restart()
		c.round()
	}
	require.ErrorIs(t, clients[3].RunOnce(b.Ctx), agent.ErrRestarting)
	call[wire.Sequence](b, "POST", "/sequences", wire.SequenceImport{ID: q.ID, Name: "Tasks", XML: xmlOf(command("breaks", "exit 7")), Replace: true})
	require.NoError(t, clients[2].RunOnce(b.Ctx))

	s := status()
	require.Equal(t, []int{5, 2, 1, 1, 0, 1}, []int{s.Targeted, s.Success, s.InProgress, s.Error, s.RequirementsNotMet, s.Unknown})
	states := map[string]int{}
	for _, m := range s.Members {
		states[m.Name] = m.State
	}
	require.Equal(t, map[string]int{"good-1": 13, "good-2": 13, "bad": 11, "busy": 9, "silent": 0}, states, "STA-2")
	i := slices.IndexFunc(s.Members, func(m wire.MemberStatus) bool { return m.Name == "bad" })
	require.Equal(t, "breaks", s.Members[i].Run.FailedStep)
	require.Equal(t, uint32(7), s.Members[i].Run.ExitCode)

	b.at(b.Clock.Now().Add(time.Hour))
	clients[3].restart()
	if err := clients[3].RunOnce(b.Ctx); err != nil && !errors.Is(err, agent.ErrRestarting) {
		require.NoError(t, err)
	}
	require.Equal(t, 3, status().Success, "the one in the middle went on with what it began")

	// An available one that nobody started is nobody's problem (STA-5).
	available := b.create(wire.DeploymentSpec{TaskSequence: bad.ID, Collection: d.Collection})
	counts := call[wire.DeploymentStatus](b, "GET", "/deployments/"+available.ID+"/status", nil)
	require.Zero(t, counts.Unknown)
	require.Equal(t, 5, counts.Targeted)
}

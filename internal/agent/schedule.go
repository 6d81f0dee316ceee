package agent

import (
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/wire"
)

// input puts together what package evaluate decides by. The caller holds a.mu.
func (a *Agent) input(c wire.Candidate, p wire.Policy, now time.Time) evaluate.Input {
	in := evaluate.Input{
		Deployment: evaluate.FromCandidate(c), Windows: evaluate.FromWindows(p.Windows), History: evaluate.FromHistory(p.History),
		Now: now, Zone: a.zone, Environment: evaluate.FullOS,
		PolicyArrived: a.memory.Arrived[c.Deployment], Handled: a.memory.Handled[c.Deployment], SignedInUsers: len(a.memory.Users),
	}
	for _, e := range a.memory.Events {
		in.Events = append(in.Events, evaluate.Event{Kind: evaluate.Kind(e.Kind), At: e.At})
	}
	return in
}

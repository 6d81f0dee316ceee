package agent

import (
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/wire"
)

// input puts together what package evaluate decides by. The zero values of package wire mean the same there.
func (a *Agent) input(c wire.Candidate, p wire.Policy, now time.Time) evaluate.Input {
	in := evaluate.Input{
		Deployment: evaluate.Deployment{
			ID: c.Deployment, Sequence: c.Sequence, Purpose: evaluate.Purpose(c.Purpose), MakeAvailableTo: evaluate.Audience(c.Availability),
			Available: moment(c.Available), Expire: moment(c.Expire), Rerun: evaluate.Rerun(c.Rerun), NotIndependent: !c.Independent,
			InstallOutsideWindow: c.InstallOutsideWindow, RestartOutsideWindow: c.RestartOutsideWindow, Option: evaluate.Option(c.Option),
			MaxRunTime: time.Duration(c.MaxRunMinutes) * time.Minute, CreatedAt: c.Created,
		},
		Now: now, Zone: a.zone, Environment: evaluate.FullOS,
		PolicyArrived: a.memory.Arrived[c.Deployment], Handled: a.memory.Handled[c.Deployment], SignedInUsers: len(a.memory.Users),
	}
	for _, s := range c.Assignments {
		in.Deployment.Assignments = append(in.Deployment.Assignments, assignment(s))
	}
	for _, w := range p.Windows {
		in.Windows = append(in.Windows, evaluate.Window{Name: w.Name, Schedule: assignment(w.Schedule),
			Length: time.Duration(w.Length) * time.Minute, AppliesTo: evaluate.AppliesTo(w.AppliesTo)})
	}
	for _, r := range p.History {
		record := evaluate.RunRecord{Deployment: r.Deployment, Sequence: r.Sequence, Started: r.Started, Succeeded: r.Succeeded}
		if r.Ended != nil {
			record.Ended = *r.Ended
		}
		in.History = append(in.History, record)
	}
	for _, e := range a.memory.Events {
		in.Events = append(in.Events, evaluate.Event{Kind: evaluate.Kind(e.Kind), At: e.At})
	}
	return in
}

func assignment(a wire.Assignment) evaluate.Assignment {
	out := evaluate.Assignment{Kind: evaluate.Kind(a.Kind), Days: a.Days, Hours: a.Hours, Minutes: a.Minutes, Weekday: a.Weekday, Day: a.Day,
		Week: a.Week, Every: a.Every, Offset: a.Offset}
	if start := moment(a.Start); start != nil {
		out.Start = *start
	}
	return out
}

func moment(m *wire.Moment) *evaluate.Moment {
	if m == nil {
		return nil
	}
	return &evaluate.Moment{At: m.At, UTC: m.UTC}
}

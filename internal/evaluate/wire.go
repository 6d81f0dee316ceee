package evaluate

import (
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// FromCandidate takes a deployment as the agent receives it.
func FromCandidate(c wire.Candidate) Deployment {
	return Deployment{
		ID: c.Deployment, Sequence: c.Sequence, Purpose: Purpose(c.Purpose), MakeAvailableTo: Audience(c.Availability),
		Available: fromMoment(c.Available), Expire: fromMoment(c.Expire), Assignments: fromAssignments(c.Assignments), Rerun: Rerun(c.Rerun),
		NotIndependent: c.Purpose == wire.Required && !c.Independent, InstallOutsideWindow: c.InstallOutsideWindow,
		RestartOutsideWindow: c.RestartOutsideWindow, Option: Option(c.Option), MaxRunTime: time.Duration(c.MaxRunMinutes) * time.Minute,
		CreatedAt: c.Created,
	}
}

// FromDeployment takes a deployment as the appliance keeps it. The maximum run time is the task sequence's.
func FromDeployment(d wire.Deployment, maxRunTime time.Duration) Deployment {
	return Deployment{
		ID: d.ID, Sequence: d.TaskSequence, Purpose: Purpose(d.Purpose), MakeAvailableTo: Audience(d.MakeAvailableTo),
		Available: fromMoment(d.Available), Expire: fromMoment(d.Expire), Assignments: fromAssignments(d.Assignments), Rerun: Rerun(d.Rerun),
		NotIndependent:       d.Purpose == wire.Required && d.Independent != nil && !*d.Independent,
		InstallOutsideWindow: d.InstallOutsideWindow, RestartOutsideWindow: d.RestartOutsideWindow, WakeUp: d.WakeUp,
		Option: Option(d.DeploymentOption), MaxRunTime: maxRunTime, CreatedAt: d.Created,
	}
}

// FromAssignment takes one schedule entry.
func FromAssignment(a wire.Assignment) Assignment {
	out := Assignment{Kind: Kind(a.Kind), Days: a.Days, Hours: a.Hours, Minutes: a.Minutes, Weekday: a.Weekday, Day: a.Day, Week: a.Week,
		Every: a.Every, Offset: a.Offset}
	if a.Start != nil {
		out.Start = Moment(*a.Start)
	}
	return out
}

// FromWindows takes the device's maintenance windows.
func FromWindows(windows []wire.Window) []Window {
	out := make([]Window, len(windows))
	for i, w := range windows {
		out[i] = Window{Name: w.Name, Schedule: FromAssignment(w.Schedule), Length: time.Duration(w.Length) * time.Minute, AppliesTo: AppliesTo(w.AppliesTo)}
	}
	return out
}

// FromHistory takes the device's runs.
func FromHistory(runs []wire.RunRecord) []RunRecord {
	out := make([]RunRecord, len(runs))
	for i, r := range runs {
		out[i] = RunRecord{Deployment: r.Deployment, Sequence: r.Sequence, Started: r.Started, Succeeded: r.Succeeded}
		if r.Ended != nil {
			out[i].Ended = *r.Ended
		}
	}
	return out
}

// Wire gives the reasons as the protocol carries them.
func (v Verdict) Wire() []wire.Reason {
	out := make([]wire.Reason, len(v.Reasons))
	for i, r := range v.Reasons {
		out[i] = wire.Reason(r)
	}
	return out
}

func fromMoment(m *wire.Moment) *Moment {
	if m == nil {
		return nil
	}
	out := Moment(*m)
	return &out
}

func fromAssignments(assignments []wire.Assignment) []Assignment {
	out := make([]Assignment, len(assignments))
	for i, a := range assignments {
		out[i] = FromAssignment(a)
	}
	return out
}

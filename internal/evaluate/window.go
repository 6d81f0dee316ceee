package evaluate

import (
	"fmt"
	"slices"
	"time"
)

// AppliesTo says for what a maintenance window counts (MWN-3). The values are those of the wire protocol.
type AppliesTo string

// The values of MWN-3; the zero value is AllDeployments.
const (
	AllDeployments  AppliesTo = "all"
	SoftwareUpdates AppliesTo = "softwareUpdates"
	TaskSequences   AppliesTo = "taskSequences"
)

// Lengths of MWN-2.
const (
	MinWindow = 5 * time.Minute
	MaxWindow = 24 * time.Hour
)

// windowHorizon is how far ahead the next window is looked for: a window every twelve months is found.
const windowHorizon = 400 * 24 * time.Hour

// Window is one maintenance window of the device (MWN-1).
type Window struct {
	Name string
	// Schedule says when it opens: any kind with a time. Its Start is the effective date.
	Schedule Assignment
	// Length is 5 minutes to 24 hours of elapsed time (MWN-2).
	Length    time.Duration
	AppliesTo AppliesTo
}

// Validate checks MWN-2, MWN-3 and the schedule.
func (w Window) Validate() error {
	if w.Length < MinWindow || w.Length > MaxWindow {
		return fmt.Errorf("MWN-2: window %q lasts %v, must be %v to %v", w.Name, w.Length, MinWindow, MaxWindow)
	}
	if !w.Schedule.Timed() {
		return fmt.Errorf("MWN-1: window %q opens by an event, it needs a time", w.Name)
	}
	switch w.AppliesTo {
	case "", AllDeployments, SoftwareUpdates, TaskSequences:
	default:
		return fmt.Errorf("MWN-3: window %q applies to %q, which is not known", w.Name, w.AppliesTo)
	}
	if err := w.Schedule.Validate(); err != nil {
		return fmt.Errorf("window %q: %w", w.Name, err)
	}
	return nil
}

// Span is the time from Start until, but not including, End.
type Span struct{ Start, End time.Time }

func (s Span) contains(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }

// sequenceWindows are the windows that count for task sequences (MWN-6). Windows that are not valid are left out.
func (in Input) sequenceWindows() []Window {
	var own, all []Window
	for _, w := range in.Windows {
		switch {
		case w.Validate() != nil || w.AppliesTo == SoftwareUpdates:
		case w.AppliesTo == TaskSequences:
			own = append(own, w)
		default:
			all = append(all, w)
		}
	}
	if len(own) == 0 {
		return all
	}
	if in.AllWindowsToo {
		return append(own, all...)
	}
	return own
}

// openings are the merged spans (MWN-5) of the windows that end after now, in order, those that are open included, up to the
// horizon.
func openings(windows []Window, zone *time.Location, now time.Time, horizon time.Duration) []Span {
	var spans []Span
	for _, w := range windows {
		// Merging can join spans into one that began long ago; for the question how much is left that does not matter.
		for start := range w.Schedule.occurrences(zone, now.Add(-w.Length)) {
			if start.After(now.Add(horizon)) {
				break
			}
			if end := start.Add(w.Length); end.After(now) {
				spans = append(spans, Span{start, end})
			}
			if len(spans) > 10_000 { // a window every few minutes: merged, it is one span anyway
				break
			}
		}
	}
	slices.SortFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	var merged []Span
	for _, s := range spans {
		if n := len(merged); n > 0 && !s.Start.After(merged[n-1].End) {
			merged[n-1].End = later(merged[n-1].End, s.End)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// room is the answer to: when may something start that needs a window?
type room struct {
	// now says that it may start at once; otherwise at opens, unless that is zero: then never.
	now    bool
	opens  time.Time
	reason Reason
	// alert says that a window is open but has not enough time left, or that none ever has: the client tells (MWN-9).
	alert bool
}

// roomFor answers MWN-7, MWN-9, MWN-10.
func (in Input) roomFor(need time.Duration) room {
	windows := in.sequenceWindows()
	if len(windows) == 0 {
		return room{now: true, reason: Reason{Rule: "MWN-7", Text: "the device has no maintenance window"}}
	}
	var r room
	for _, horizon := range []time.Duration{8 * 24 * time.Hour, windowHorizon} {
		if r = in.findRoom(openings(windows, in.zone(), in.Now, horizon), need); r.now || !r.opens.IsZero() {
			break
		}
	}
	return r
}

func (in Input) findRoom(spans []Span, need time.Duration) room {
	var tooShort, alert bool
	for _, s := range spans {
		switch {
		case s.End.Sub(later(s.Start, in.Now)) < need:
			tooShort, alert = true, alert || s.contains(in.Now)
		case s.contains(in.Now):
			return room{now: true, reason: Reason{Rule: "MWN-9", Text: "a maintenance window is open until " + show(s.End)}}
		default:
			text := "waiting for the maintenance window at " + show(s.Start)
			if tooShort {
				text += "; earlier ones are too short for the maximum run time of " + need.String()
			}
			return room{opens: s.Start, alert: alert, reason: Reason{Rule: "MWN-9", Text: text}}
		}
	}
	if tooShort {
		return room{alert: true, reason: Reason{Rule: "MWN-10", Text: "the maximum run time of " + need.String() +
			" fits in no maintenance window: lengthen a window or shorten the maximum run time"}}
	}
	return room{reason: Reason{Rule: "MWN-9", Text: "no maintenance window opens any more: give the collection one that recurs"}}
}

// MayRestart says whether a run of the deployment may restart the device now (MWN-13). The due time of the run has come, or it
// would not be running. opens is when the next window lets it; zero when it may now or never.
func MayRestart(in Input) (allowed bool, opens time.Time, reason Reason) {
	if in.Environment == WinPE {
		return true, time.Time{}, Reason{Rule: "SCH-1", Text: "the boot environment restarts when the sequence says so"}
	}
	if in.Deployment.RestartOutsideWindow {
		return true, time.Time{}, Reason{Rule: "MWN-13", Text: "the deployment allows restarts outside maintenance windows"}
	}
	r := in.roomFor(0)
	if !r.now {
		r.reason.Rule = "MWN-13"
	}
	return r.now, r.opens, r.reason
}

package evaluate

import "time"

// Wake is one deadline for which a device is to be woken.
type Wake struct {
	Deployment string
	// At is the deadline in the device's zone; the planner takes its offset off (WOL-8).
	At time.Time
}

// Key names the occurrence; a planner that stores it as a unique key wakes once for it.
func (w Wake) Key() string { return w.Deployment + "@" + w.At.UTC().Format(time.RFC3339) }

// maxWakes bounds an answer for an assignment that recurs every minute.
const maxWakes = 1000

// NextWake lists the deadlines from from up to but not including until for which the device is to be woken (WOL-1, WOL-11,
// WOL-12): of a Required deployment with wake-up, before it expires, not before it is available, if the rerun behaviour would
// let it run, and unless a run is under way. ASAP and times that had passed at
// creation count at creation; LogOn and LogOff never. in.Now is not looked at.
func NextWake(in Input, from, until time.Time) []Wake {
	d := in.Deployment
	if d.Purpose != Required || !d.WakeUp || in.running() != nil {
		return nil
	}
	if run, _ := rerunRule(d.Rerun, in.lastRun()); !run {
		return nil // WOL-12
	}
	in.PolicyArrived = time.Time{} // the server does not know, and a sleeping device has not got it
	in.Now = earlierThan(from)
	done := later(in.satisfiedUntil(), in.Handled)
	var wakes []Wake
	for _, at := range in.nextDue(maxWakes) {
		if at.Before(until) && at.After(done) {
			wakes = append(wakes, Wake{Deployment: d.ID, At: at})
		}
	}
	return wakes
}

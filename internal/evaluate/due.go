package evaluate

import (
	"slices"
	"time"
)

// pending returns the latest due time that has come and is neither satisfied by a run nor handled already. However many were
// missed, it is one (SCH-13).
func (in Input) pending() (since time.Time, why Reason, ok bool) {
	for _, a := range in.Deployment.Assignments {
		at, reason, found := in.lastDue(a)
		if found && (!ok || at.After(since)) {
			since, why, ok = at, reason, true
		}
	}
	return since, why, ok
}

// lastDue is pending for one assignment. The time returned is never before the deployment is available (SCH-8).
func (in Input) lastDue(a Assignment) (time.Time, Reason, bool) {
	done := later(in.satisfiedUntil(), in.Handled)
	available := in.availableAt()
	switch a.Kind {
	case ASAP:
		// Any run of this deployment was as soon as possible (RRN-13), also one before a reimage brought the policy again.
		if !in.satisfiedUntil().IsZero() || !in.asapAt().After(in.Handled) {
			return time.Time{}, Reason{}, false
		}
		return in.asapAt(), Reason{"SCH-11", "due as soon as possible, since " + show(in.asapAt())}, !in.asapAt().After(in.Now)
	case LogOn, LogOff:
		var last time.Time
		for _, e := range in.Events {
			if e.Kind == a.Kind && e.At.After(done) && !e.At.Before(available) && !e.At.After(in.Now) {
				last = later(last, e.At)
			}
		}
		return last.In(in.zone()), Reason{"SCH-12", "due by " + string(a.Kind) + " at " + show(last.In(in.zone()))}, !last.IsZero()
	}
	last, found := a.Last(in.Now, in.zone())
	if !found || in.beforeCreation(a, last) || !last.After(done) {
		return time.Time{}, Reason{}, false
	}
	due := later(last, available)
	text := "due since " + show(due)
	if due.After(last) {
		return due, Reason{"SCH-8", text + ": the assignment of " + show(last) + " came before the deployment was available"}, !due.After(in.Now)
	}
	return due, Reason{"SCH-9", text}, true
}

// beforeCreation leaves out occurrences of a recurring assignment from before the deployment existed: its Start may lie years
// back, and nothing was missed then. A single time that had passed already at creation is meant to be due at once.
func (in Input) beforeCreation(a Assignment, at time.Time) bool {
	return a.Recurring() && at.Before(in.Deployment.CreatedAt)
}

// asapAt is when ASAP comes due (SCH-11).
func (in Input) asapAt() time.Time { return later(in.arrived(), in.availableAt()) }

// nextDue lists up to n due times after now that lie before expiry, in order, each once.
func (in Input) nextDue(n int) []time.Time {
	if in.Deployment.Purpose != Required {
		return nil
	}
	var all []time.Time
	available := in.availableAt()
	for _, a := range in.Deployment.Assignments {
		if a.Kind == ASAP {
			if at := in.asapAt(); at.After(in.Now) && in.satisfiedUntil().IsZero() {
				all = append(all, at)
			}
			continue
		}
		if !a.Timed() {
			continue
		}
		// An occurrence that came before the deployment is available is due when it becomes available (SCH-8).
		if last, ok := a.Last(earlierThan(available), in.zone()); ok && available.After(in.Now) &&
			!in.beforeCreation(a, last) && last.After(in.satisfiedUntil()) {
			all = append(all, available)
		}
		after := later(later(in.Now, earlierThan(available)), earlierThan(in.Deployment.CreatedAt))
		if !a.Recurring() {
			after = later(in.Now, earlierThan(available))
		}
		all = append(all, a.Next(after, in.zone(), n)...)
	}
	slices.SortFunc(all, time.Time.Compare)
	all = slices.CompactFunc(all, time.Time.Equal)
	if expires := in.expiresAt(); !expires.IsZero() {
		all = slices.DeleteFunc(all, func(t time.Time) bool { return !t.Before(expires) })
	}
	return all[:min(n, len(all))]
}

// earlierThan is the last instant before t.
func earlierThan(t time.Time) time.Time { return t.Add(-1) }

// downloadAt is SCH-16: when the whole content is fetched ahead of the run.
func (in Input) downloadAt(v *Verdict) time.Time {
	d := in.Deployment
	switch {
	case d.Option == DirectFromDP:
		v.because("SCH-16", "content is read in place")
		return time.Time{}
	case d.Purpose != Required && d.Precache:
		at := later(in.availableAt(), in.arrived())
		v.because("SCH-16", "content is downloaded ahead, from "+show(at))
		return at
	case d.Purpose != Required || d.Option != AllBefore:
		return time.Time{}
	}
	at, rule := in.availableAt(), "SCH-7"
	if first, ok := in.firstAssignment(); ok && first.Before(at) {
		at, rule = first, "SCH-8"
	}
	at = later(at, in.arrived())
	v.because(rule, "content is downloaded from "+show(at))
	return at
}

// firstAssignment is the first time any assignment ever comes due, availability aside.
func (in Input) firstAssignment() (first time.Time, ok bool) {
	for _, a := range in.Deployment.Assignments {
		at := in.arrived()
		switch {
		case a.Kind == ASAP:
		case a.Timed():
			after := time.Time{}
			if a.Recurring() {
				after = earlierThan(in.Deployment.CreatedAt)
			}
			next := a.Next(after, in.zone(), 1)
			if len(next) == 0 {
				continue
			}
			at = next[0]
		default:
			continue
		}
		if !ok || at.Before(first) {
			first, ok = at, true
		}
	}
	return first, ok
}

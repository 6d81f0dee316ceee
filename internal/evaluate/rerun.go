package evaluate

import "time"

// rerunRule is RRN-T1 to RRN-T4: may a due assignment run, given the device's history with this sequence?
func rerunRule(rerun Rerun, last *RunRecord) (run bool, reason Reason) {
	if last == nil {
		return true, Reason{Rule: "RRN-1", Text: "the device never ran this task sequence"}
	}
	outcome := "failed"
	if last.Succeeded {
		outcome = "succeeded"
	}
	outcome = "the last run " + outcome + " at " + show(last.Ended)
	switch rerun {
	case Never:
		return false, Reason{Rule: "RRN-T1", Text: "rerun behaviour is Never and " + outcome}
	case IfFailed:
		return !last.Succeeded, Reason{Rule: "RRN-T3", Text: "rerun behaviour is IfFailed and " + outcome}
	case IfSucceeded:
		return last.Succeeded, Reason{Rule: "RRN-T4", Text: "rerun behaviour is IfSucceeded and " + outcome}
	default:
		return true, Reason{Rule: "RRN-T2", Text: "rerun behaviour is Always and " + outcome}
	}
}

// lastRun is the newest ended run of the deployment's sequence by any deployment and any means (RRN-7, RRN-8).
func (in Input) lastRun() *RunRecord {
	var last *RunRecord
	for i := range in.History {
		r := &in.History[i]
		if r.Sequence == in.Deployment.Sequence && !r.Ended.IsZero() && (last == nil || r.Ended.After(last.Ended)) {
			last = r
		}
	}
	return last
}

// running is the run of this deployment that is under way.
func (in Input) running() *RunRecord {
	for i := range in.History {
		if r := &in.History[i]; r.Deployment == in.Deployment.ID && r.Ended.IsZero() {
			return r
		}
	}
	return nil
}

// satisfiedUntil is the end of the newest run of this deployment: it satisfies ASAP and every occurrence up to then, whoever
// started it and where (RRN-13). Zero when there was none.
func (in Input) satisfiedUntil() time.Time {
	var until time.Time
	for _, r := range in.History {
		if r.Deployment == in.Deployment.ID {
			until = later(until, r.Ended)
		}
	}
	return until
}

// show writes a time with its zone, to the minute.
func show(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }

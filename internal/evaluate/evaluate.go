package evaluate

import (
	"slices"
	"time"
)

// State sums a verdict up in one word.
type State string

// The states.
const (
	// StateAvailable: may be started by a user; nothing is due.
	StateAvailable State = "Available"
	// StateWaiting: a Required deployment whose next due time lies ahead.
	StateWaiting State = "Waiting"
	// StateDue: start it now.
	StateDue State = "Due"
	// StateRunning: a run is under way.
	StateRunning State = "Running"
	// StateDone: everything that was due is carried out and nothing more is to come.
	StateDone State = "Done"
	// StateNotYetAvailable and StateExpired: before and after the times of SCH-3 and SCH-5.
	StateNotYetAvailable State = "NotYetAvailable"
	StateExpired         State = "Expired"
	// StateWillNotRerun: due, but the rerun behaviour forbids it (RRN-9, delivery state 4).
	StateWillNotRerun State = "WillNotRerun"
	// StateWaitingForWindow: due, but outside every maintenance window with room; NeverFits: no such window will come.
	StateWaitingForWindow State = "WaitingForWindow"
	StateNeverFits        State = "NeverFits"
	// StateNotHere: not made available to this environment.
	StateNotHere State = "NotHere"
)

// NextCount is how many coming due times a verdict lists.
const NextCount = 10

// Reason is one step of the decision.
type Reason struct {
	// Rule is the id of the rule in docs/spec.
	Rule string
	// Text is for the administrator.
	Text string
}

// Verdict is the answer for one device and one deployment. Times are in the device's zone; zero means none.
type Verdict struct {
	State State
	// Offered: the deployment may run on the device now, by its schedule or by a user.
	Offered bool
	// Listed: users see it (Software Center, or the list in the boot environment).
	Listed bool
	// UserMayStart: a user may start it now (UX-2, UX-3); windows do not matter for that (MWN-19).
	UserMayStart bool
	// Due: it must start now, by itself.
	Due bool
	// DueSince is the due time, missed ones included, that Due, WillNotRerun and the window states speak of.
	DueSince time.Time
	// NextDue lists coming due times.
	NextDue []time.Time
	// WindowOpens is when a due run may start, with StateWaitingForWindow.
	WindowOpens time.Time
	// Alert: the client should tell that a window was too short (MWN-9).
	Alert bool
	// StartsContentDownloadAt is when the whole content is to be downloaded ahead of the run (SCH-16).
	StartsContentDownloadAt time.Time
	// Reasons tell how the answer came about, in order.
	Reasons []Reason
}

func (v *Verdict) because(rule, text string) { v.Reasons = append(v.Reasons, Reason{rule, text}) }

// Evaluate decides. It never fails: an assignment or a window that is not valid is left out, and the verdict says so.
func Evaluate(in Input) Verdict {
	in.Now = in.Now.In(in.zone())
	var v Verdict
	if !in.Deployment.MakeAvailableTo.Includes(in.Environment) {
		v.State = StateNotHere
		v.because("DEP-9", "made available to "+string(in.Deployment.MakeAvailableTo)+" only")
		return v
	}
	if in.Environment == WinPE {
		in.bootEnvironment(&v)
		return v
	}
	in.installed(&v)
	return v
}

// bootEnvironment is SCH-1: no schedule, no rerun rule (RRN-11); only windows (MWN-18).
func (in Input) bootEnvironment(v *Verdict) {
	d := in.Deployment
	v.because("SCH-1", "available, expire and deadline times are not looked at in the boot environment")
	v.Offered, v.Listed, v.UserMayStart = true, !d.hidden(), true
	v.State = StateAvailable
	if d.hidden() {
		v.because("DEP-50", "hidden: runs only when asked for by its id")
	}
	if d.Purpose != Required {
		return
	}
	if !in.IgnoreWindowsInWinPE && !d.InstallOutsideWindow {
		// MWN-18 asks only whether a window is open; how long the run may take is MWN-9, for installed systems.
		if r := in.roomFor(0); !r.now {
			*v = Verdict{State: StateWaitingForWindow, WindowOpens: r.opens, Reasons: v.Reasons}
			v.because("MWN-18", "Required and outside every maintenance window of the device: "+r.reason.Text)
			return
		}
	}
	v.State, v.Due = StateDue, true
	v.because("SCH-20", "Required deployments start at once in the boot environment")
}

// installed is the evaluation on an agent in an installed operating system.
func (in Input) installed(v *Verdict) {
	available, expires := in.availableAt(), in.expiresAt()
	in.reportInvalid(v)
	if r := in.running(); r != nil {
		v.State, v.Offered, v.Listed = StateRunning, true, true
		v.because("SCH-6", "a run is under way since "+show(r.Started.In(in.zone()))+"; it finishes whatever the schedule says")
		v.NextDue = in.nextDue(NextCount)
		return
	}
	if !expires.IsZero() && !in.Now.Before(expires) {
		v.State = StateExpired
		v.because("SCH-5", "expired at "+show(expires))
		return
	}
	v.StartsContentDownloadAt = in.downloadAt(v)
	v.NextDue = in.nextDue(NextCount)
	if in.Now.Before(available) {
		v.State = StateNotYetAvailable
		v.because("SCH-3", "becomes available at "+show(available))
		return
	}
	v.Offered, v.Listed = true, true
	v.UserMayStart = in.Deployment.Purpose != Required || !in.Deployment.NotIndependent
	if in.SignedInUsers > 1 {
		v.Listed, v.UserMayStart = false, false
		v.because("UX-5", "not listed while more than one user is signed in")
	}
	if in.Deployment.Purpose != Required {
		v.State = StateAvailable
		v.because("RRN-4", "Available: a user may start it at any time, as often as wanted")
		return
	}
	in.required(v)
}

// required decides whether a Required deployment that is available is due.
func (in Input) required(v *Verdict) {
	since, why, ok := in.pending()
	if !ok {
		v.State = StateDone
		if len(v.NextDue) > 0 {
			v.State = StateWaiting
			v.because("SCH-9", "next due at "+show(v.NextDue[0]))
		} else if in.waitsForEvent() {
			v.State = StateWaiting
			v.because("SCH-12", "waiting for the next sign-in or sign-out")
		} else {
			v.because("RRN-13", "everything that was due is carried out")
		}
		return
	}
	v.DueSince = since
	v.Reasons = append(v.Reasons, why)
	run, reason := rerunRule(in.Deployment.Rerun, in.lastRun())
	v.Reasons = append(v.Reasons, reason)
	if !run {
		v.State = StateWillNotRerun
		v.because("RRN-9", "will not rerun")
		return
	}
	if in.Deployment.InstallOutsideWindow {
		v.State, v.Due = StateDue, true
		v.because("MWN-12", "may run outside maintenance windows once its time has come")
		return
	}
	r := in.roomFor(in.Deployment.MaxRunTime)
	v.Reasons = append(v.Reasons, r.reason)
	v.Alert = r.alert
	switch {
	case r.now:
		v.State, v.Due = StateDue, true
	case r.opens.IsZero():
		v.State = StateNeverFits
	default:
		v.State, v.WindowOpens = StateWaitingForWindow, r.opens
	}
}

func (in Input) waitsForEvent() bool {
	return slices.ContainsFunc(in.Deployment.Assignments, func(a Assignment) bool { return a.Kind == LogOn || a.Kind == LogOff })
}

// reportInvalid tells of what is left out.
func (in Input) reportInvalid(v *Verdict) {
	for _, a := range in.Deployment.Assignments {
		if err := a.Validate(); err != nil {
			v.because("SCH-9", "left out: "+err.Error())
		}
	}
	for _, w := range in.Windows {
		if err := w.Validate(); err != nil {
			v.because("MWN-1", "left out: "+err.Error())
		}
	}
}

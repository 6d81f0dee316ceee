package evaluate

import "time"

// Purpose is the purpose of a deployment (TRM-6).
type Purpose string

// The purposes.
const (
	Available Purpose = "Available"
	Required  Purpose = "Required"
)

// Audience says to whom a deployment is made available (DEP-9).
type Audience string

// The four values of DEP-9.
const (
	Clients            Audience = "Clients"
	ClientsMediaAndPXE Audience = "ClientsMediaAndPxe"
	MediaAndPXE        Audience = "MediaAndPxe"
	MediaAndPXEHidden  Audience = "MediaAndPxeHidden"
)

// Includes says whether devices in the environment get the deployment. The zero value is Clients (DEP-9).
func (a Audience) Includes(environment Environment) bool {
	if environment == WinPE {
		return a == ClientsMediaAndPXE || a == MediaAndPXE || a == MediaAndPXEHidden
	}
	return a == Clients || a == ClientsMediaAndPXE || a == ""
}

// Option is the deployment option for content (DEP-24).
type Option string

// The options of DEP-24.
const (
	AsNeeded     Option = "AsNeeded"
	AllBefore    Option = "AllBefore"
	DirectFromDP Option = "DirectFromDP"
)

// Rerun is the rerun behaviour (DEP-15). The zero value is Always (RRN-3).
type Rerun string

// The behaviours of RRN-T1 to RRN-T4.
const (
	Never       Rerun = "Never"
	Always      Rerun = "Always"
	IfFailed    Rerun = "IfFailed"
	IfSucceeded Rerun = "IfSucceeded"
)

// Environment is where the device is.
type Environment string

// WinPE is any boot environment, Linux ones included; FullOS is an installed operating system with an agent.
const (
	WinPE  Environment = "winpe"
	FullOS Environment = "fullos"
)

// Deployment is what a decision needs to know of a deployment.
type Deployment struct {
	ID string
	// Sequence is the task sequence's id; history counts by it (RRN-7).
	Sequence        string
	Purpose         Purpose
	MakeAvailableTo Audience
	// Available and Expire may be nil: available from creation, never expires.
	Available, Expire *Moment
	Assignments       []Assignment
	Rerun             Rerun
	// NotIndependent is set when users may not start a Required deployment outside its schedule (DEP-16).
	NotIndependent       bool
	InstallOutsideWindow bool
	RestartOutsideWindow bool
	WakeUp               bool
	Precache             bool
	Option               Option
	// MaxRunTime of the sequence; 0 means unlimited (MWN-10).
	MaxRunTime time.Duration
	CreatedAt  time.Time
}

// hidden deployments are never listed (DEP-50).
func (d Deployment) hidden() bool { return d.MakeAvailableTo == MediaAndPXEHidden }

// RunRecord is one run on this device, of any task sequence, started by whatever means.
type RunRecord struct {
	Deployment, Sequence string
	Started              time.Time
	// Ended is zero while the run is under way.
	Ended     time.Time
	Succeeded bool
}

// Event is a sign-in or sign-out on the device.
type Event struct {
	// Kind is LogOn or LogOff.
	Kind Kind
	At   time.Time
}

// Input is everything a decision depends on.
type Input struct {
	Deployment Deployment
	// History holds the device's runs in any order; others than those of the deployment's sequence do not matter.
	History []RunRecord
	Now     time.Time
	// Zone is the device's; nil means UTC.
	Zone        *time.Location
	Environment Environment
	Windows     []Window
	// AllWindowsToo is the client setting of MWN-6: windows for all deployments count beside those for task sequences.
	AllWindowsToo bool
	// IgnoreWindowsInWinPE is the site switch windowsApplyInWinPE turned off (MWN-18).
	IgnoreWindowsInWinPE bool
	// PolicyArrived is when the device first got this deployment; zero means that it is not known or has not happened, and
	// the deployment's creation counts instead.
	PolicyArrived time.Time
	// Handled is up to when due times and events were carried out or skipped; zero means none is known to have been. The
	// agent keeps it, so that a skip is decided once.
	Handled time.Time
	// Events are sign-ins and sign-outs on the device, in any order.
	Events []Event
	// SignedInUsers is how many users are signed in (UX-5).
	SignedInUsers int
}

func (in Input) zone() *time.Location {
	if in.Zone == nil {
		return time.UTC
	}
	return in.Zone
}

// availableAt is the first instant at which the deployment may run.
func (in Input) availableAt() time.Time {
	if in.Deployment.Available == nil {
		return in.Deployment.CreatedAt.In(in.zone())
	}
	return later(in.Deployment.Available.In(in.zone()), in.Deployment.CreatedAt.In(in.zone()))
}

// expiresAt is the instant from which it may not start any more; zero means never.
func (in Input) expiresAt() time.Time {
	if in.Deployment.Expire == nil {
		return time.Time{}
	}
	return in.Deployment.Expire.In(in.zone())
}

// arrived is when the device got the policy, as far as known.
func (in Input) arrived() time.Time {
	if in.PolicyArrived.After(in.Deployment.CreatedAt) {
		return in.PolicyArrived.In(in.zone())
	}
	return in.Deployment.CreatedAt.In(in.zone())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

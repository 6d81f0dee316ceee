package wire

import "time"

// Purpose of a deployment (TRM-6).
type Purpose string

// The purposes.
const (
	Available Purpose = "Available"
	Required  Purpose = "Required"
)

// Availability says to whom a deployment is made available (DEP-9).
type Availability string

// The four availability values.
const (
	Clients            Availability = "Clients"
	ClientsMediaAndPXE Availability = "ClientsMediaAndPxe"
	MediaAndPXE        Availability = "MediaAndPxe"
	MediaAndPXEHidden  Availability = "MediaAndPxeHidden"
)

// IncludesMediaAndPXE reports whether boot environments see the deployment.
func (a Availability) IncludesMediaAndPXE() bool {
	return a == ClientsMediaAndPXE || a == MediaAndPXE || a == MediaAndPXEHidden
}

// IncludesClients reports whether installed agents see the deployment.
func (a Availability) IncludesClients() bool { return a == Clients || a == ClientsMediaAndPXE }

// Option is the deployment option for content (DEP-24).
type Option string

// The deployment options.
const (
	AsNeeded     Option = "AsNeeded"
	AllBefore    Option = "AllBefore"
	DirectFromDP Option = "DirectFromDP"
)

// Rerun is the rerun behaviour (DEP-15).
type Rerun string

// The rerun behaviours; Always is the default.
const (
	RerunNever       Rerun = "Never"
	RerunAlways      Rerun = "Always"
	RerunIfFailed    Rerun = "IfFailed"
	RerunIfSucceeded Rerun = "IfSucceeded"
)

// Moment is a time with the UTC flag (SCH-4). With UTC the instant of At
// counts; without it only At's wall clock counts, read in the device's zone.
type Moment struct {
	At  time.Time `json:"at"`
	UTC bool      `json:"utc"`
}

// AssignmentKind names the kinds of SCH-9.
type AssignmentKind string

// The assignment kinds.
const (
	Once             AssignmentKind = "once"
	Interval         AssignmentKind = "interval"
	Weekly           AssignmentKind = "weekly"
	MonthlyByDate    AssignmentKind = "monthlyByDate"
	MonthlyByWeekday AssignmentKind = "monthlyByWeekday"
	ASAP             AssignmentKind = "asap"
	LogOn            AssignmentKind = "logOn"
	LogOff           AssignmentKind = "logOff"
)

// Assignment is one schedule entry of a Required deployment (SCH-9). Fields
// that the kind does not use are zero.
type Assignment struct {
	Kind    AssignmentKind `json:"kind"`
	Start   *Moment        `json:"start,omitempty"`
	Days    int            `json:"days,omitempty"`    // interval: 0-31
	Hours   int            `json:"hours,omitempty"`   // interval: 0-23
	Minutes int            `json:"minutes,omitempty"` // interval: 0-59
	Weekday int            `json:"weekday,omitempty"` // Sunday=1..Saturday=7
	Day     int            `json:"day,omitempty"`     // monthly by date: 0 = last day
	Week    int            `json:"week,omitempty"`    // monthly by weekday: 0 = last
	Every   int            `json:"every,omitempty"`   // weeks 1-4 or months 1-12, default 1
	Offset  int            `json:"offset,omitempty"`  // days after the weekday
}

// Window is one maintenance window of the device (MWN-1). Recurrence uses the
// same kinds as an assignment; Minutes is its length, 5 to 1440 (MWN-2).
type Window struct {
	Name      string     `json:"name"`
	Schedule  Assignment `json:"schedule"`
	Length    int        `json:"lengthMinutes"`
	AppliesTo string     `json:"appliesTo"` // all, softwareUpdates, taskSequences
}

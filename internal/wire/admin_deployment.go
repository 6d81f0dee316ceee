package wire

import "time"

// DeploymentSpec is what a person chooses for a deployment (deployment.md,
// section 5). Zero values mean the documented default.
type DeploymentSpec struct {
	Name                 string       `json:"name,omitempty"`
	TaskSequence         string       `json:"taskSequence"`
	Collection           string       `json:"collection"`
	Comment              string       `json:"comment,omitempty"`
	Purpose              Purpose      `json:"purpose,omitempty"`
	MakeAvailableTo      Availability `json:"makeAvailableTo,omitempty"`
	WakeUp               bool         `json:"wakeUp,omitempty"`
	Available            *Moment      `json:"available,omitempty"`
	Expire               *Moment      `json:"expire,omitempty"`
	Assignments          []Assignment `json:"assignments,omitempty"`
	Rerun                Rerun        `json:"rerun,omitempty"`
	Independent          *bool        `json:"independent,omitempty"`
	ShowProgress         *bool        `json:"showProgress,omitempty"`
	InstallOutsideWindow bool         `json:"installOutsideWindow,omitempty"`
	RestartOutsideWindow bool         `json:"restartOutsideWindow,omitempty"`
	DeploymentOption     Option       `json:"deploymentOption,omitempty"`
	// Debug starts the sequence in the debugger (DBG-1).
	Debug bool `json:"debug,omitempty"`
}

// DeploymentCreate asks for a deployment. With DryRun nothing is made.
type DeploymentCreate struct {
	DeploymentSpec
	AcceptHighRisk bool `json:"acceptHighRisk,omitempty"`
	DryRun         bool `json:"dryRun,omitempty"`
}

// Deployment binds one sequence to one collection (TRM-4).
type Deployment struct {
	ID string `json:"id"`
	DeploymentSpec
	SequenceName   string    `json:"sequenceName"`
	CollectionName string    `json:"collectionName"`
	HighRisk       bool      `json:"highRisk"`
	Enabled        bool      `json:"enabled"`
	Created        time.Time `json:"created"`
	CreatedBy      string    `json:"createdBy,omitempty"`
}

// DeploymentResult answers a creation or a dry run. Deployment has no id after
// a dry run.
type DeploymentResult struct {
	Deployment  Deployment    `json:"deployment"`
	DryRun      bool          `json:"dryRun,omitempty"`
	HighRisk    bool          `json:"highRisk"`
	MemberCount int           `json:"memberCount"`
	Warnings    []Reason      `json:"warnings,omitempty"`
	Options     []OptionOffer `json:"options,omitempty"`
	Confirm     *Confirmation `json:"confirm,omitempty"`
}

// Occurrences are the next ten times at which a Required deployment comes due
// on a device in Zone; events such as a sign-in have no time (SCH-9).
type Occurrences struct {
	Zone string      `json:"zone"` // IANA name
	Next []time.Time `json:"next"`
}

// OptionOffer says whether a deployment option is offered, and what removed it
// (DOP-10).
type OptionOffer struct {
	Option  Option   `json:"option"`
	Offered bool     `json:"offered"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// DeployNow is `bootyard deploy DEVICE SEQUENCE --now`: a collection of one and
// a Required deployment in one request.
type DeployNow struct {
	Device         string `json:"device"`   // id, name, MAC or UUID
	Sequence       string `json:"sequence"` // id or name
	Wake           bool   `json:"wake,omitempty"`
	AcceptHighRisk bool   `json:"acceptHighRisk,omitempty"`
	DryRun         bool   `json:"dryRun,omitempty"`
}

// Considered is one deployment that the decision looked at.
type Considered struct {
	Deployment   string       `json:"deployment"`
	Sequence     string       `json:"sequence"`
	SequenceName string       `json:"sequenceName"`
	Collection   string       `json:"collection"`
	Purpose      Purpose      `json:"purpose"`
	Availability Availability `json:"makeAvailableTo"`
	Kept         bool         `json:"kept"`
	// Listed is true when a menu shows it; a hidden one is kept, not listed.
	Listed bool   `json:"listed"`
	Rule   string `json:"rule,omitempty"`
	Text   string `json:"text"`
}

// Decision is the one answer to "what may this machine boot or run, and why".
type Decision struct {
	Action     Action       `json:"action"`
	Device     string       `json:"device,omitempty"`
	DeviceName string       `json:"deviceName,omitempty"`
	Deployment string       `json:"deployment,omitempty"`
	BootImage  string       `json:"bootImage,omitempty"`
	ActiveRun  string       `json:"activeRun,omitempty"`
	Rule       string       `json:"rule,omitempty"`
	Reason     string       `json:"reason"`
	Considered []Considered `json:"considered"`
	// Notes are further reasons, e.g. why a UUID was not used (PXE-5).
	Notes []Reason `json:"notes,omitempty"`
}

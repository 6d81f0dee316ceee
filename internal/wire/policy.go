package wire

import "time"

// PolicyRequest asks what is meant for this device.
type PolicyRequest struct {
	Environment Environment `json:"environment"`
	// PreferredDeployment is SMSTSPreferredAdvertID from a medium or a
	// prestart command (PXE-24, PXE-26).
	PreferredDeployment string `json:"preferredDeployment,omitempty"`
	// Unattended is a medium's setting: no question may be asked (MED-1).
	Unattended bool `json:"unattended,omitempty"`
	// Chosen is the deployment picked in a boot menu by a person.
	Chosen string `json:"chosen,omitempty"`
}

// Action is what a boot environment does next.
type Action string

// The actions. Menu needs a person; Resume goes on with ActiveRun.
const (
	ActionRun     Action = "run"
	ActionMenu    Action = "menu"
	ActionResume  Action = "resume"
	ActionLocal   Action = "local-disk"
	ActionNothing Action = "nothing"
)

// Policy is the answer. In the boot environment the appliance has decided
// (Action, Deployment); in the installed OS the agent evaluates Candidates.
type Policy struct {
	Time       time.Time   `json:"time"`
	Action     Action      `json:"action"`
	Deployment string      `json:"deployment,omitempty"`
	ActiveRun  string      `json:"activeRun,omitempty"`
	Reasons    []Reason    `json:"reasons"`
	Candidates []Candidate `json:"candidates"`
	Windows    []Window    `json:"windows,omitempty"`
	History    []RunRecord `json:"history,omitempty"`
}

// Candidate is one deployment as the device receives it (TRM-14).
type Candidate struct {
	Deployment           string       `json:"deployment"`
	Sequence             string       `json:"sequence"`
	SequenceName         string       `json:"sequenceName"`
	Purpose              Purpose      `json:"purpose"`
	Availability         Availability `json:"makeAvailableTo"`
	Option               Option       `json:"deploymentOption"`
	Available            *Moment      `json:"available,omitempty"`
	Expire               *Moment      `json:"expire,omitempty"`
	Assignments          []Assignment `json:"assignments,omitempty"`
	Rerun                Rerun        `json:"rerun"`
	Independent          bool         `json:"independent"`
	ShowProgress         bool         `json:"showProgress"`
	InstallOutsideWindow bool         `json:"installOutsideWindow,omitempty"`
	RestartOutsideWindow bool         `json:"restartOutsideWindow,omitempty"`
	MaxRunMinutes        int          `json:"maxRunMinutes"`
	DeploysOS            bool         `json:"deploysOS"`
	Created              time.Time    `json:"created"`
	Packages             []string     `json:"packages,omitempty"`
}

// RunRecord is one earlier run of a sequence on the device (RRN-7).
type RunRecord struct {
	Deployment string     `json:"deployment"`
	Sequence   string     `json:"sequence"`
	Started    time.Time  `json:"started"`
	Ended      *time.Time `json:"ended,omitempty"`
	Succeeded  bool       `json:"succeeded"`
	LaunchMode LaunchMode `json:"launchMode"`
}

package wire

import "time"

// RunState is where a run stands.
type RunState string

// The states of a run. Stale is not stored: it is a running run whose machine
// has not been heard of for the site's limit.
const (
	RunRunning   RunState = "running"
	RunSucceeded RunState = "succeeded"
	RunFailed    RunState = "failed"
	RunCancelled RunState = "cancelled"
	RunStale     RunState = "stale"
)

// RunInfo is a run as people see it.
type RunInfo struct {
	ID           string         `json:"id"`
	Device       string         `json:"device"`
	DeviceName   string         `json:"deviceName"`
	Deployment   string         `json:"deployment"`
	Sequence     string         `json:"sequence"`
	SequenceName string         `json:"sequenceName"`
	State        RunState       `json:"state"`
	Firmware     Firmware       `json:"firmware,omitempty"`
	LaunchMode   LaunchMode     `json:"launchMode"`
	UserStarted  bool           `json:"userStarted,omitempty"`
	Awaits       Environment    `json:"awaits"`
	Boot         string         `json:"boot,omitempty"`
	Media        string         `json:"media,omitempty"`
	Started      time.Time      `json:"started"`
	LastContact  time.Time      `json:"lastContact"`
	Ended        *time.Time     `json:"ended,omitempty"`
	Step         string         `json:"step,omitempty"`
	Current      int            `json:"current,omitempty"`
	Total        int            `json:"total,omitempty"`
	Percent      int            `json:"percent,omitempty"`
	Phase        Phase          `json:"phase,omitempty"`
	LastMessage  string         `json:"lastMessage,omitempty"`
	ExitCode     uint32         `json:"exitCode,omitempty"`
	FailedStep   string         `json:"failedStep,omitempty"`
	Message      string         `json:"message,omitempty"`
	Remedy       string         `json:"remedy,omitempty"`
	Phases       []PhaseSeconds `json:"phases,omitempty"`
	Bytes        int64          `json:"bytes"`
	Hashes       int            `json:"hashes"`
	Events       int64          `json:"events"`
	LogSize      int64          `json:"logSize"`
	// Debugging says that the run is in debug mode (TS-173).
	Debugging bool `json:"debugging,omitempty"`
}

// PhaseSeconds is how long a phase took. Open is true while it lasts.
type PhaseSeconds struct {
	Phase   Phase   `json:"phase"`
	Seconds float64 `json:"seconds"`
	Open    bool    `json:"open,omitempty"`
}

// Boot is one firmware attempt with every answer that was given or withheld.
type Boot struct {
	ID         string       `json:"id"`
	Device     string       `json:"device,omitempty"`
	DeviceName string       `json:"deviceName,omitempty"`
	MAC        string       `json:"mac"`
	UUID       string       `json:"uuid,omitempty"`
	Firmware   Firmware     `json:"firmware,omitempty"`
	Arch       string       `json:"arch,omitempty"`
	Address    string       `json:"address,omitempty"`
	Started    time.Time    `json:"started"`
	Last       time.Time    `json:"last"`
	Action     Action       `json:"action,omitempty"`
	Deployment string       `json:"deployment,omitempty"`
	Run        string       `json:"run,omitempty"`
	Answers    []BootAnswer `json:"answers"`
}

// BootAnswer is one thing that a machine asked and what it got.
type BootAnswer struct {
	Time     time.Time `json:"time"`
	Stage    BootStage `json:"stage"`
	Protocol string    `json:"protocol"` // dhcp, proxydhcp, tftp, http, agent
	Asked    string    `json:"asked,omitempty"`
	Answer   string    `json:"answer"` // what was sent, or "nothing"
	Action   Action    `json:"action,omitempty"`
	Rule     string    `json:"rule,omitempty"`
	Reason   string    `json:"reason"`
	Bytes    int64     `json:"bytes,omitempty"`
}

// BootStage is how far a boot came. The order is that of a boot.
type BootStage string

// The stages of a boot.
const (
	StageDHCP   BootStage = "dhcp"
	StageLoader BootStage = "loader"
	StageScript BootStage = "script"
	StageKernel BootStage = "kernel"
	StageAgent  BootStage = "agent"
)

// MachineStatus is one line of the live page.
type MachineStatus struct {
	Device     string    `json:"device,omitempty"`
	Name       string    `json:"name"`
	MAC        string    `json:"mac,omitempty"`
	Firmware   Firmware  `json:"firmware,omitempty"`
	LastSeen   time.Time `json:"lastSeen"`
	Run        *RunInfo  `json:"run,omitempty"`
	Boot       *Boot     `json:"boot,omitempty"`
	ServedText string    `json:"served,omitempty"` // why it was or was not served
}

// DeploymentStatus counts the members of a deployment by STA-4 and lists them.
type DeploymentStatus struct {
	Deployment         string         `json:"deployment"`
	Name               string         `json:"name"`
	Purpose            Purpose        `json:"purpose"`
	Targeted           int            `json:"targeted"`
	Success            int            `json:"success"`
	InProgress         int            `json:"inProgress"`
	Error              int            `json:"error"`
	RequirementsNotMet int            `json:"requirementsNotMet"`
	Unknown            int            `json:"unknown"`
	Members            []MemberStatus `json:"members,omitempty"`
}

// MemberStatus is the state of one device under one deployment (STA-2, STA-5).
type MemberStatus struct {
	Device   string   `json:"device"`
	Name     string   `json:"name"`
	State    int      `json:"state"` // STA-2
	Category string   `json:"category"`
	Text     string   `json:"text,omitempty"`
	Run      *RunInfo `json:"run,omitempty"`
}

// StatusMessage is one entry of the site's record: audit, status or alert.
type StatusMessage struct {
	Number     int64     `json:"number"`
	Time       time.Time `json:"time"`
	Kind       string    `json:"kind"` // audit, status, alert
	Severity   string    `json:"severity"`
	Rule       string    `json:"rule,omitempty"`
	Actor      string    `json:"actor,omitempty"`
	Device     string    `json:"device,omitempty"`
	Deployment string    `json:"deployment,omitempty"`
	Run        string    `json:"run,omitempty"`
	Text       string    `json:"text"`
}

// Alert is a condition that somebody should look at (ALR-2).
type Alert struct {
	Key      string    `json:"key"`
	State    string    `json:"state"` // active, canceled
	Severity string    `json:"severity"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Count    int       `json:"count"`
	Text     string    `json:"text"`
}

// WakeRecord is one magic packet, or why none was sent (WOL-10).
type WakeRecord struct {
	Number     int64     `json:"number"`
	Time       time.Time `json:"time"`
	Device     string    `json:"device"`
	DeviceName string    `json:"deviceName"`
	Deployment string    `json:"deployment,omitempty"`
	MAC        string    `json:"mac,omitempty"`
	Target     string    `json:"target,omitempty"`
	Reason     string    `json:"reason"`
	Error      string    `json:"error,omitempty"`
}

// WakeResult answers a request to wake devices now (WOL-7).
type WakeResult struct {
	Records []WakeRecord `json:"records"`
}

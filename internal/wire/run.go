package wire

import "time"

// ClaimRequest takes a deployment for this device: the run exists from here on
// and the PXE ledger is written (PXE-16a). Key makes the claim idempotent: the
// same key gives the same run.
type ClaimRequest struct {
	Deployment  string      `json:"deployment"`
	Key         string      `json:"key"`
	Environment Environment `json:"environment"`
	LaunchMode  LaunchMode  `json:"launchMode"`
	UserStarted bool        `json:"userStarted,omitempty"`
}

// Run is one attempt of one deployment on one device, as the agent sees it.
type Run struct {
	ID           string            `json:"id"`
	Deployment   string            `json:"deployment"`
	SequenceID   string            `json:"sequenceId"`
	SequenceName string            `json:"sequenceName"`
	SequenceXML  string            `json:"sequenceXml"`
	Children     map[string]string `json:"children,omitempty"` // package id -> XML
	// DisabledChildren are children that are disabled at the site: the run fails
	// at them (TS-46).
	DisabledChildren []string `json:"disabledChildren,omitempty"`
	BootImage        string   `json:"bootImage,omitempty"`
	Option           Option   `json:"deploymentOption"`
	ShowProgress     bool     `json:"showProgress"`
	// Debug starts the sequence in the debugger (DBG-1).
	Debug bool `json:"debug,omitempty"`
	// Variables are media, collection and device variables already merged
	// by TS-82, lowest first applied; Secret names those to mask (COL-13).
	Variables  map[string]string `json:"variables,omitempty"`
	Secret     []string          `json:"secret,omitempty"`
	Packages   []string          `json:"packages,omitempty"`
	LaunchMode LaunchMode        `json:"launchMode"`
	Awaits     Environment       `json:"awaits"`
	Checkpoint *Checkpoint       `json:"checkpoint,omitempty"`
	// NextEvent is the number that the next event must carry.
	NextEvent int64     `json:"nextEvent"`
	LogSize   int64     `json:"logSize"`
	Started   time.Time `json:"started"`
	// ComputerName is what the new OS is to be called unless the sequence
	// sets OSDComputerName.
	ComputerName string `json:"computerName"`
	// Organisation is what the progress on the screen is headed with (TS-170).
	Organisation string `json:"organisation,omitempty"`
}

// Checkpoint is the engine's state (TS-115, TS-117a). A number that is not
// higher than the stored one is ignored, so a repeated write is harmless.
type Checkpoint struct {
	Number int64       `json:"number"`
	Awaits Environment `json:"awaits"`
	State  []byte      `json:"state"` // at most 32 MiB
}

// EventKind names what an event says.
type EventKind string

// The kinds of events.
const (
	EventPhase    EventKind = "phase"    // Phase began
	EventStep     EventKind = "step"     // a node started, ended or was skipped
	EventProgress EventKind = "progress" // Percent of the current step
	EventContent  EventKind = "content"  // a package arrived: Bytes, Hashes
	EventMessage  EventKind = "message"  // text for the operator
	EventRestart  EventKind = "restart"
)

// Phase of a deployment as the phase table shows it. The phases before kernel
// are the appliance's own observations.
type Phase string

// The phases in their order.
const (
	PhaseDHCP     Phase = "dhcp"
	PhaseLoader   Phase = "loader"
	PhaseKernel   Phase = "kernel"
	PhaseAgent    Phase = "agent"
	PhaseDownload Phase = "download"
	PhaseApply    Phase = "apply"
	PhaseRestart  Phase = "restart"
	PhaseFinish   Phase = "finish"
	PhaseDone     Phase = "done"
)

// Event is one append-only status record, numbered by the agent from 1.
type Event struct {
	Number    int64     `json:"number"`
	Time      time.Time `json:"time"`
	Kind      EventKind `json:"kind"`
	MessageID int       `json:"messageId,omitempty"` // task-sequence.md section 11
	Severity  string    `json:"severity,omitempty"`  // info, warning, error
	Phase     Phase     `json:"phase,omitempty"`
	Pointer   int       `json:"pointer"`
	Step      string    `json:"step,omitempty"`
	Group     string    `json:"group,omitempty"`
	Result    string    `json:"result,omitempty"` // started, succeeded, failed, ignored, skipped
	ExitCode  uint32    `json:"exitCode,omitempty"`
	Current   int       `json:"current,omitempty"` // step number of Total (TS-171)
	Total     int       `json:"total,omitempty"`
	Percent   int       `json:"percent,omitempty"` // of the step, 0-100
	Bytes     int64     `json:"bytes,omitempty"`
	Hashes    int       `json:"hashes,omitempty"`
	Package   string    `json:"package,omitempty"`
	Text      string    `json:"text,omitempty"`
}

// Events is a batch; at most 500 in one request.
type Events struct {
	Events []Event `json:"events"`
}

// LogChunk is a piece of smsts.log; Offset counts bytes from the start.
type LogChunk struct {
	Offset int64  `json:"offset"`
	Data   []byte `json:"data"` // at most 1 MiB
}

// Finish ends a run.
type Finish struct {
	Succeeded bool      `json:"succeeded"`
	ExitCode  uint32    `json:"exitCode"`
	Step      string    `json:"step,omitempty"`
	Message   string    `json:"message,omitempty"`
	Remedy    string    `json:"remedy,omitempty"`
	Time      time.Time `json:"time"`
}

// ResumeToken lets the applied OS open its first session for the run.
type ResumeToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// MaxProgramPiece bounds a piece of a program, in bytes.
const MaxProgramPiece = 1 << 20

// ProgramPiece is a part of the agent's program for another system.
type ProgramPiece struct {
	Data   []byte `json:"data"`
	Pieces int    `json:"pieces"` // of the whole program
	SHA256 string `json:"sha256"` // of the whole program, lower-case hex
}

// Message is something an agent says when no run exists, e.g. that there was
// no task sequence for it.
type Message struct {
	Time     time.Time `json:"time"`
	Severity string    `json:"severity"`
	Text     string    `json:"text"`
	Log      []byte    `json:"log,omitempty"` // tail of the log, at most 1 MiB
	// Deployment is what the message is about, and Delivery its state of STA-2
	// where that is news: DeliveryWillNotRerun is the only one that is no run's.
	Deployment string `json:"deployment,omitempty"`
	Delivery   int    `json:"delivery,omitempty"`
}

// DeliveryWillNotRerun is the delivery state of a due time that the rerun
// behaviour keeps from being carried out (RRN-9, STA-2).
const DeliveryWillNotRerun = 4

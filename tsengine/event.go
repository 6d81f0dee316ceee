package tsengine

import (
	"fmt"
	"time"
)

// Kind is what an event is about.
type Kind string

// The kinds of event.
const (
	SequenceStarted Kind = "sequence-started"
	SequenceResumed Kind = "sequence-resumed"
	SequenceEnded   Kind = "sequence-ended"
	GroupStarted    Kind = "group-started"
	GroupCompleted  Kind = "group-completed"
	GroupFailed     Kind = "group-failed"
	StepStarted     Kind = "step-started"
	StepSucceeded   Kind = "step-succeeded"
	StepFailed      Kind = "step-failed"
	FailureIgnored  Kind = "failure-ignored" // follows StepFailed or GroupFailed
	NodeSkipped     Kind = "node-skipped"
	StepProgress    Kind = "step-progress"
	ScriptMessage   Kind = "script-message" // a script's, for the person in front of the machine (TS-95)
	RestartAsked    Kind = "restart"
	DebuggerPaused  Kind = "debugger-paused"  // before the node, or at its failure
	DebuggerCommand Kind = "debugger-command" // a person's, with who
)

// Severities of status messages (section 11).
const (
	Information int32 = 1073741824
	Caution     int32 = -2147483648
	Failure     int32 = -1073741824
)

// Event is one thing that happened, for status, progress and the screen. It holds no secrets.
type Event struct {
	Kind      Kind      `json:"kind"`
	Time      time.Time `json:"time"`
	MessageID int       `json:"messageId,omitempty"` // of section 11; 0 for progress
	Severity  int32     `json:"severity,omitempty"`
	Pointer   int       `json:"pointer"` // node in document order with child sequences in place (TS-152); -1 for the sequence
	NodeKind  string    `json:"nodeKind,omitempty"`
	Name      string    `json:"name,omitempty"`
	Group     string    `json:"group,omitempty"` // around the node
	Type      string    `json:"type,omitempty"`
	ExitCode  uint32    `json:"exitCode"`
	Output    string    `json:"output,omitempty"` // end of what the step printed
	Reason    string    `json:"reason,omitempty"` // why skipped or failed
	Because   string    `json:"-"`                // why a node that was started runs: its condition with the values that decided; empty without a condition

	Step    int   `json:"step,omitempty"`    // number of the step, from 1 (TS-171)
	Steps   int   `json:"steps,omitempty"`   // how many there are
	Current int64 `json:"current,omitempty"` // the step's own progress (TS-172)
	Total   int64 `json:"total,omitempty"`

	Restart *Restart `json:"restart,omitempty"`

	// What the variables of the run say about the screen at this moment: nothing is to be shown (TSDisableProgressUI, TS-170),
	// and the progress in the form of TSProgressInfoLevel, empty without one (TS-171).
	Hidden   bool   `json:"-"`
	Progress string `json:"-"`
}

// Reporter gets the events of a run, in order. Report must not block: queue what takes time. It is called from the
// goroutine of Run, and for StepProgress and ScriptMessage from any other.
type Reporter interface{ Report(Event) }

// ReporterFunc makes a function a Reporter.
type ReporterFunc func(Event)

// Report implements Reporter.
func (f ReporterFunc) Report(e Event) { f(e) }

// Message ids of section 11.
const (
	msgGroupFailure    = 11122
	msgGroupStarted    = 11124
	msgGroupCompleted  = 11127
	msgStepDisabled    = 11128
	msgGroupDisabled   = 11129
	msgStepSkipped     = 11130
	msgGroupSkipped    = 11131
	msgStepSucceeded   = 11134
	msgStepFailed      = 11135
	msgFailureIgnored  = 11138
	msgSequenceStarted = 11140
	msgSequenceFailed  = 11141
	msgRestart         = 11142
	msgSequenceDone    = 11143
	msgStartedNoClient = 11144
)

// ProgressText is the "2 of 10 (20% complete)" of an event, in the form that TSProgressInfoLevel asks for: 1, 2 or 3;
// empty for other levels and for events without a step (TS-171).
func ProgressText(e Event, level int) string {
	if e.Steps == 0 || e.Step == 0 {
		return ""
	}
	percent := fmt.Sprintf("(%d%% complete)", 100*e.Step/e.Steps)
	switch level {
	case 1:
		return fmt.Sprintf("%d of %d", e.Step, e.Steps)
	case 2:
		return fmt.Sprintf("%d of %d %s", e.Step, e.Steps, percent)
	case 3:
		return percent
	}
	return ""
}

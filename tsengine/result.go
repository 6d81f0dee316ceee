package tsengine

import (
	"time"

	"github.com/bootyard/bootyard/tsengine/step"
)

// Outcome is how a run, or the present part of it, ended.
type Outcome string

// The outcomes.
const (
	Succeeded        Outcome = "succeeded"
	Failed           Outcome = "failed"
	RestartRequested Outcome = "restart" // the state is saved; restart, and make a new engine with the checkpoint
	Cancelled        Outcome = "cancelled"
)

// Result is what Run gives back. Texts hold no secrets.
type Result struct {
	Outcome  Outcome  `json:"outcome"`
	ExitCode uint32   `json:"exitCode"`          // of the step that failed the sequence (TS-47); 0 on success
	Error    string   `json:"error,omitempty"`   // why, and what to do
	Pointer  int      `json:"pointer"`           // of that step; -1 when there is none
	Step     string   `json:"step,omitempty"`    // its name
	Group    string   `json:"group,omitempty"`   // the group it is in
	Restart  *Restart `json:"restart,omitempty"` // with RestartRequested
}

// Restart is what the caller has to do after RestartRequested: wait for Delay while showing Message, then restart into
// Target (HD or WinPE).
type Restart struct {
	Target  step.Target   `json:"target"`
	Message string        `json:"message,omitempty"`
	Delay   time.Duration `json:"delay,omitempty"`
	// PowerOff: the machine is to be switched off, not started anew.
	PowerOff bool `json:"powerOff,omitempty"`
}

// LastAction is the result of the last step that ran (TS-31).
type LastAction struct {
	Name      string `json:"name,omitempty"`
	Code      uint32 `json:"code"`
	Succeeded bool   `json:"succeeded"`
}

package simulate

import (
	"fmt"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// Result is what would become of a node.
type Result string

// The results of nodes.
const (
	Run        Result = "run"            // a step that succeeds; a group that was entered and does not fail (TS-44)
	Skipped    Result = "skipped"        // disabled, condition false, or inside such a group (TS-20, TS-22)
	Failed     Result = "failed"         // a step, or the group around it, whose failure nobody ignored at that level
	Ignored    Result = "failed-ignored" // failed, and continue on error is set on this very node (TS-41, TS-43)
	NotReached Result = "not-reached"    // something before it failed (TS-42)
)

// Outcomes of a simulation.
const (
	Success = "success"
	Failure = "failure"
)

// Trace is the answer to a simulation. It holds no secrets.
type Trace struct {
	Outcome     string            `json:"outcome"`
	Error       *string           `json:"error"`       // nil on success
	Environment string            `json:"environment"` // where it began: winpe or fullos
	Variables   map[string]string `json:"variables"`   // all global ones at the end, secrets masked
	Nodes       []Node            `json:"nodes"`
	Warnings    []string          `json:"warnings"` // what the simulation had to assume, and facts that fit nothing
}

// Node is one node of the trace.
type Node struct {
	Pointer  int     `json:"pointer"` // in document order from 0, child sequences in place (TS-120, TS-152)
	Name     string  `json:"name"`
	Kind     string  `json:"kind"` // group, step, subtasksequence
	Type     string  `json:"type"` // as written; empty for groups
	Result   Result  `json:"result"`
	ExitCode *uint32 `json:"exitCode"` // of steps that ran or failed, of children that could not be started; nil for other nodes
	Reason   string  `json:"reason"`
	Depth    int     `json:"depth"`              // 0 at the root
	Sequence string  `json:"sequence,omitempty"` // package id of the child sequence the node belongs to
}

// recorder builds the trace from the events of the engine.
type recorder struct {
	nodes   []Node
	places  []tsengine.Place
	because map[int]string
	origin  int // node whose failure is on its way outwards; -1 when there is none
	mask    func(string) string
	notes   func(pointer int) string // what the simulated step says about itself
}

func (r *recorder) begin(places []tsengine.Place) {
	r.places, r.nodes = places, make([]Node, len(places))
	for i, p := range places {
		n := Node{Pointer: i, Name: r.mask(p.Node.Name), Kind: p.Node.Kind.String(), Type: p.Node.Type, Sequence: p.Child}
		if p.Parent >= 0 {
			n.Depth = r.nodes[p.Parent].Depth + 1
		}
		r.nodes[i] = n
	}
}

// Report implements tsengine.Reporter.
func (r *recorder) Report(e tsengine.Event) {
	if e.Pointer < 0 {
		return
	}
	n := &r.nodes[e.Pointer]
	switch e.Kind {
	case tsengine.StepStarted, tsengine.GroupStarted:
		r.origin = -1
		r.because[e.Pointer] = e.Because
		n.Result, n.Reason, n.ExitCode = Run, e.Because, nil
		if note := r.notes(e.Pointer); note != "" && n.Kind != sequence.Step.String() {
			n.Reason = join(e.Because, note)
		}
	case tsengine.StepSucceeded:
		n.Result, n.Reason = Run, join(r.because[e.Pointer], r.notes(e.Pointer))
		n.ExitCode = code(e.ExitCode)
	case tsengine.StepFailed:
		r.origin = e.Pointer
		n.Result, n.Reason = Failed, join(r.because[e.Pointer], e.Reason)
		n.ExitCode = code(e.ExitCode)
	case tsengine.GroupFailed:
		r.groupFailed(e)
	case tsengine.FailureIgnored:
		n.Result, n.Reason = Ignored, join(n.Reason, "ignored: continue on error is set")
		r.origin = -1
	case tsengine.NodeSkipped:
		r.skipped(e)
	case tsengine.RestartAsked:
		n.Reason = join(n.Reason, fmt.Sprintf("restart to %s", e.Restart.Target))
	}
}

func (r *recorder) groupFailed(e tsengine.Event) {
	n := &r.nodes[e.Pointer]
	n.Result = Failed
	if r.origin < 0 { // it could not even be started
		r.origin = e.Pointer
		n.Reason = e.Reason
		if n.Kind == sequence.SubSequence.String() && e.ExitCode != 0 {
			n.ExitCode = code(e.ExitCode)
		}
	} else {
		n.Reason = join(r.because[e.Pointer], fmt.Sprintf("%q (pointer %d) in it failed", r.nodes[r.origin].Name, r.origin))
	}
	r.unreached(e.Pointer+1, r.places[e.Pointer].End, fmt.Sprintf("%q (pointer %d) failed before it", r.nodes[r.origin].Name, r.origin))
}

func (r *recorder) skipped(e tsengine.Event) {
	n := &r.nodes[e.Pointer]
	n.Result, n.Reason, n.ExitCode = Skipped, e.Reason, nil
	for i := e.Pointer + 1; i < r.places[e.Pointer].End; i++ {
		r.nodes[i].Result = Skipped
		r.nodes[i].Reason = fmt.Sprintf("group %q (pointer %d) is skipped with all it contains: %s", n.Name, e.Pointer, e.Reason)
	}
}

// unreached marks what has no result between two pointers.
func (r *recorder) unreached(from, to int, reason string) {
	for i := from; i < to; i++ {
		if r.nodes[i].Result == "" {
			r.nodes[i].Result, r.nodes[i].Reason = NotReached, reason
		}
	}
}

func code(c uint32) *uint32 { return &c }

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

package tsengine

import (
	"context"
	"fmt"
	"slices"

	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

// Debugger is the line to the people who debug a run (TS-173). It is asked only while the run is in debug mode, from the
// goroutine of Run.
type Debugger interface {
	// Next is told where the run stands and returns the next command whose number is above at.Taken. With at.Paused it
	// waits for one; else it returns at once, with the zero command when there is none. An error ends Run like that of a
	// checkpoint: the run has not ended.
	Next(ctx context.Context, at Standing) (DebugCommand, error)
}

// DebugAction is what a person tells the debugger to do.
type DebugAction string

// The actions (DBG-3, DBG-4).
const (
	DebugStep     DebugAction = "step"      // run the node and stop before the next; after a failure, run the step again
	DebugRun      DebugAction = "run"       // run to a break, a failure or the end; after a failure, from the failed step
	DebugGoto     DebugAction = "goto"      // Set Current: go on at Pointer, which skips or repeats
	DebugBreak    DebugAction = "break"     // Set Break at Pointer
	DebugClear    DebugAction = "clear"     // Clear Break at Pointer
	DebugClearAll DebugAction = "clear-all" // Clear All Breaks
	DebugRetry    DebugAction = "retry"     // run the failed step again and stop after it
	DebugSkip     DebugAction = "skip"      // go behind the node without running it; a failure counts as ignored
	DebugFail     DebugAction = "fail"      // let the failure take its course
	DebugCancel   DebugAction = "cancel"    // fail the sequence
	DebugQuit     DebugAction = "quit"      // detach: the sequence goes on by itself
	DebugAbandon  DebugAction = "abandon"   // nobody attached for an hour: the sequence fails (DBG-6)
)

// DebugCommand is one order of a person. Numbers rise; one that was taken is not taken again, so a repeated delivery is
// harmless. DebugAbandon has no number.
type DebugCommand struct {
	Number  uint64
	Action  DebugAction
	Pointer int    // of DebugGoto, DebugBreak and DebugClear
	By      string // who, for status and log
}

// Standing is where a run in debug mode stands.
type Standing struct {
	Pointer int // of the node that runs next
	Paused  bool
	Failed  *DebugFailure // the node at Pointer has failed and waits for a decision
	Breaks  []int
	Taken   uint64 // number of the last command that was taken
	Refused string // why that one was not carried out; empty when it was
	Left    bool   // the run has left debug mode; the answer does not matter
}

// DebugFailure is the failure that a paused run stands at (TS-50).
type DebugFailure struct {
	Code   uint32 `json:"code"`
	Reason string `json:"reason,omitempty"`
	Fatal  bool   `json:"fatal,omitempty"`
}

// DebugState is the debugger's part of a checkpoint: breaks and mode survive restarts (DBG-7, OPN-8).
type DebugState struct {
	On      bool          `json:"on,omitempty"`
	Running bool          `json:"running,omitempty"` // to a break, a failure or the end
	Quit    bool          `json:"quit,omitempty"`    // somebody detached: not again in this run
	Breaks  []int         `json:"breaks,omitempty"`
	Taken   uint64        `json:"taken,omitempty"`
	Failed  *DebugFailure `json:"failed,omitempty"`
}

// debugging is the engine's side of the debugger.
type debugging struct {
	DebugState
	refused string
	giving  bool // the failure takes its course
}

// TreeNode is a node as the debugger shows it. Its pointer is its index in the tree.
type TreeNode struct {
	Depth    int    `json:"depth"`
	Kind     string `json:"kind"` // group, step or subtasksequence
	Name     string `json:"name"`
	Type     string `json:"type,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
}

// Tree lists the nodes in document order with child sequences in place; a node's index is its pointer (TS-152, DBG-5).
func (e *Engine) Tree() []TreeNode {
	out := make([]TreeNode, len(e.program.code))
	for i := range e.program.code {
		in := &e.program.code[i]
		out[i] = TreeNode{Kind: in.node.Kind.String(), Name: e.variables.Mask(in.node.Name), Type: in.node.ShortType(), Disabled: in.off}
		if in.parent >= 0 {
			out[i].Depth = out[in.parent].Depth + 1
		}
	}
	return out
}

// beginDebug starts the debugger when the run is to begin in it (DBG-1, DBG-2).
func (e *Engine) beginDebug() {
	if !e.config.Debug && !e.variables.True("TSDebugMode") {
		return
	}
	if e.config.Debugger == nil {
		e.log(smstslog.Warning, "Debug mode is asked for, but nobody can attach a debugger here: the task sequence runs without it (DBG-2)")
		return
	}
	e.debug.On = true
	e.log(smstslog.Info, "The task sequence starts in the debugger")
}

// stand stops before the next node where the debugger wants that, and carries out what people say. A result ends Run.
func (e *Engine) stand(ctx context.Context) (*Result, error) {
	d := &e.debug
	if !d.On || e.config.Debugger == nil || e.interrupted {
		return nil, nil // what became of an interrupted step is settled first
	}
	if d.Running && slices.Contains(d.Breaks, e.next) {
		d.Running = false
		e.log(smstslog.Info, fmt.Sprintf("The debugger stops at the break at pointer %d", e.next))
	}
	told := d.Running
	for e.next < len(e.program.code) {
		if !d.Running && d.Failed == nil && e.program.code[e.next].off && !slices.Contains(d.Breaks, e.next) {
			return nil, nil // disabled nodes do nothing: no stop
		}
		if !told {
			told = true
			e.reportDebug(DebuggerPaused, e.pausedText())
		}
		command, err := e.config.Debugger.Next(ctx, e.standing())
		if err != nil {
			return nil, err
		}
		if command.Action == "" && d.Running {
			return nil, nil
		}
		if command.Action == "" || command.Number <= d.Taken && command.Action != DebugAbandon {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue
		}
		before := e.next
		goes, result, err := e.obey(ctx, command)
		if goes || result != nil || err != nil {
			return result, err
		}
		told = told && before == e.next
	}
	return nil, nil
}

// obey carries out one command. goes says that the node at the pointer runs now.
func (e *Engine) obey(ctx context.Context, c DebugCommand) (goes bool, result *Result, err error) {
	d := &e.debug
	d.Taken, d.refused = max(d.Taken, c.Number), e.refusal(c)
	if d.refused != "" {
		e.reportDebug(DebuggerCommand, fmt.Sprintf("%s: %s refused: %s", c.By, c.words(), d.refused))
		return false, nil, e.save(ctx, nil)
	}
	if c.Action != DebugAbandon {
		e.log(smstslog.Info, fmt.Sprintf("Debugger: %s by %s at pointer %d", c.words(), e.variables.Mask(c.By), e.next))
		e.reportDebug(DebuggerCommand, fmt.Sprintf("%s by %s", c.words(), c.By))
	}
	switch c.Action {
	case DebugStep, DebugRetry:
		d.Failed, d.Running, goes = nil, false, true
	case DebugRun:
		d.Failed, d.Running, goes = nil, true, true
	case DebugGoto:
		d.Failed, e.next, e.entered = nil, c.Pointer, e.ancestors(c.Pointer)
	case DebugBreak:
		if !slices.Contains(d.Breaks, c.Pointer) {
			d.Breaks = append(d.Breaks, c.Pointer)
			slices.Sort(d.Breaks)
		}
	case DebugClear:
		d.Breaks = slices.DeleteFunc(d.Breaks, func(at int) bool { return at == c.Pointer })
	case DebugClearAll:
		d.Breaks = nil
	case DebugSkip:
		e.debugSkip(c.By)
	case DebugFail:
		result, err = e.giveUp(ctx)
		return false, result, err
	case DebugCancel:
		result, err = e.debugEnd(ctx, "the task sequence was cancelled in the debugger by "+c.By)
		return false, result, err
	case DebugQuit:
		d.On, d.Quit, d.Running = false, true, false
		if d.Failed != nil {
			result, err = e.giveUp(ctx)
			return false, result, err
		}
		if err := e.save(ctx, nil); err != nil {
			return false, nil, err
		}
		_, err = e.config.Debugger.Next(ctx, Standing{Pointer: e.next, Taken: d.Taken, Left: true})
		return true, nil, err
	case DebugAbandon:
		e.log(smstslog.Error, "Nobody attached to the debugger for an hour (DBG-6)")
		if d.Failed != nil {
			result, err = e.giveUp(ctx)
		} else {
			result, err = e.debugEnd(ctx, "the task sequence waited in the debugger and nobody attached for an hour (DBG-6); attach with `bootyard run debug`, or deploy it without debugging")
		}
		return false, result, err
	}
	return goes, nil, e.save(ctx, nil)
}

// refusal says why a command makes no sense now.
func (e *Engine) refusal(c DebugCommand) string {
	running := e.debug.Running
	switch c.Action {
	case DebugStep, DebugRun, DebugClearAll, DebugCancel, DebugQuit, DebugAbandon:
		return ""
	case DebugGoto, DebugBreak, DebugClear:
		if c.Pointer < 0 || c.Pointer >= len(e.program.code) {
			return fmt.Sprintf("the sequence has the pointers 0 to %d", len(e.program.code)-1)
		}
		if c.Action == DebugGoto && running {
			return "the sequence is running; stop it with step or a break first"
		}
	case DebugRetry, DebugFail:
		if e.debug.Failed == nil {
			return "no step has failed here"
		}
	case DebugSkip:
		if running {
			return "the sequence is running; stop it with step or a break first"
		}
	default:
		return "this engine does not know the command"
	}
	return ""
}

func (c DebugCommand) words() string {
	switch c.Action {
	case DebugGoto, DebugBreak, DebugClear:
		return fmt.Sprintf("%s %d", c.Action, c.Pointer)
	}
	return string(c.Action)
}

func (e *Engine) debugSkip(by string) {
	i := e.next
	if f := e.debug.Failed; f != nil {
		e.reportNode(Event{Kind: FailureIgnored, MessageID: msgFailureIgnored, Severity: Caution, ExitCode: f.Code, Reason: "skipped in the debugger by " + by}, i)
	} else {
		e.reportNode(Event{Kind: NodeSkipped, Severity: Information, Reason: "skipped in the debugger by " + by}, i)
	}
	e.debug.Failed = nil
	e.next = e.program.code[i].end
	e.leaveGroups(e.next)
}

// holds stops at a failure that would end the sequence, in debug mode or with TSDebugOnError (TS-50, DBG-2, DBG-4).
func (e *Engine) holds(i int, f failure) bool {
	d := &e.debug
	if e.config.Debugger == nil || d.giving || d.Quit || !d.On && !e.variables.True("TSDebugOnError") {
		return false
	}
	for up := i; up >= 0 && !f.fatal; up = e.program.code[up].parent {
		if e.program.code[up].node.ContinueOnError {
			return false
		}
	}
	d.On, d.Running = true, false
	d.Failed = &DebugFailure{Code: f.code, Reason: e.variables.Mask(f.reason), Fatal: f.fatal}
	e.next, e.entered = i, e.ancestors(i)
	e.log(smstslog.Warning, fmt.Sprintf("The failure of (%s) would end the task sequence; it waits in the debugger (TS-50)", e.program.code[i].node.Name))
	return true
}

// giveUp lets the failure that the run stands at take its course.
func (e *Engine) giveUp(ctx context.Context) (*Result, error) {
	f := e.debug.Failed
	e.debug.Failed, e.debug.giving = nil, true
	defer func() { e.debug.giving = false }()
	return e.fail(ctx, e.next, failure{e.next, f.Code, f.Reason, f.Fatal})
}

// debugEnd fails the sequence where it stands.
func (e *Engine) debugEnd(ctx context.Context, why string) (*Result, error) {
	e.log(smstslog.Error, why)
	r, err := e.finish(ctx, Result{
		Outcome: Failed, ExitCode: step.CodeCancelled, Error: e.variables.Mask(why), Pointer: e.next,
		Step: e.variables.Mask(e.program.code[e.next].node.Name), Group: e.variables.Mask(e.program.group(e.next)),
	}, msgSequenceFailed, Failure)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

func (e *Engine) standing() Standing {
	d := &e.debug
	return Standing{Pointer: e.next, Paused: !d.Running, Failed: d.Failed, Breaks: slices.Clone(d.Breaks), Taken: d.Taken, Refused: d.refused}
}

func (e *Engine) pausedText() string {
	if f := e.debug.Failed; f != nil {
		return fmt.Sprintf("paused in the debugger: the step failed with code 0x%08X: %s", f.Code, f.Reason)
	}
	return "paused in the debugger before this node"
}

func (e *Engine) reportDebug(kind Kind, text string) {
	severity := Information
	if e.debug.Failed != nil && kind == DebuggerPaused {
		severity = Caution
	}
	i := e.next
	e.reportNode(Event{Kind: kind, Severity: severity, Reason: text}, i)
}

// debugState is the debugger's part of a checkpoint, nil when there was none.
func (e *Engine) debugState() *DebugState {
	if !e.debug.On && !e.debug.Quit {
		return nil
	}
	state := e.debug.DebugState
	state.Breaks = slices.Clone(state.Breaks)
	return &state
}

// restoreDebug takes up the debugger's part of a checkpoint. Breaks that are outside the sequence are left out.
func (e *Engine) restoreDebug(state *DebugState) {
	if state == nil {
		return
	}
	e.debug.DebugState = *state
	e.debug.Breaks = slices.DeleteFunc(slices.Clone(state.Breaks), func(at int) bool { return at < 0 || at >= len(e.program.code) })
}

package tsengine

import (
	"context"
	"errors"
	"fmt"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

// Run executes the sequence from its start or its checkpoint until it ends, fails, is cancelled or wants a restart. The
// error is not about the sequence but about the machinery around it, such as a checkpoint that could not be saved: the
// run has not ended then. Either call Run again, which goes on where it stood and repeats nothing, or make a new engine
// from the last checkpoint that was saved.
func (e *Engine) Run(ctx context.Context) (Result, error) {
	if e.done != nil {
		return *e.done, nil // resumed after the end: nothing runs twice
	}
	if err := e.begin(ctx); err != nil {
		return Result{}, err
	}
	defer e.showScripts()()
	if e.refused != nil {
		if ctx.Err() != nil {
			return e.cancelled(ctx), nil
		}
		r, err := e.failed(ctx, *e.refused)
		return *r, err
	}
	if e.ending != nil {
		r, err := e.ending(ctx)
		if err != nil {
			return Result{}, err
		}
		return *r, nil
	}
	for e.next < len(e.program.code) {
		if ctx.Err() != nil {
			return e.cancelled(ctx), nil
		}
		result, err := e.stand(ctx)
		if result == nil && err == nil && e.next < len(e.program.code) {
			result, err = e.node(ctx, e.next)
		}
		if err != nil {
			if ctx.Err() != nil {
				return e.cancelled(ctx), nil
			}
			return Result{}, err
		}
		if result != nil {
			return *result, nil
		}
	}
	e.log(smstslog.Info, "Successfully completed the task sequence")
	return e.finish(ctx, Result{Outcome: Succeeded, Pointer: -1}, msgSequenceDone, Information)
}

func (e *Engine) begin(ctx context.Context) error {
	if e.begun {
		return nil
	}
	e.begun = true
	e.savedAt = e.config.Now()
	resumed := e.config.Checkpoint != nil
	if !resumed {
		e.setGlobals()
	}
	if err := e.setIdentity(); err != nil {
		return err
	}
	if resumed {
		e.log(smstslog.Info, fmt.Sprintf("The task sequence goes on at pointer %d after checkpoint %d", e.next, e.number))
		e.report(Event{Kind: SequenceResumed, Pointer: -1, MessageID: msgSequenceStarted, Severity: Information, Name: e.config.Sequence.Name})
		e.refused = e.firstInterrupted()
		return nil
	}
	e.log(smstslog.Info, fmt.Sprintf("Starting task sequence '%s' (%s) with %d steps in %s", e.config.Sequence.Name, e.packageID(), e.program.steps, e.config.Environment))
	e.beginDebug()
	var err error
	if e.refused, err = e.terms(ctx); err != nil {
		e.begun = false // the program that is to run first was not begun, and Run may be called again
		return err
	}
	id := msgSequenceStarted
	if e.config.Environment == WinPE {
		id = msgStartedNoClient
	}
	e.report(Event{Kind: SequenceStarted, Pointer: -1, MessageID: id, Severity: Information, Name: e.config.Sequence.Name, Steps: e.program.steps})
	if e.refused != nil {
		return nil // nothing to go on from but the end: whoever resumed would run the steps
	}
	return e.save(ctx, nil)
}

// node runs the instruction at i and moves on. A result ends this Run.
func (e *Engine) node(ctx context.Context, i int) (*Result, error) {
	in := &e.program.code[i]
	n := in.node
	e.log(smstslog.Info, fmt.Sprintf("Start executing an instruction. Instruction name: '%s'.  Pointer: %d. Type: '%s'. Disabled: %d", n.Name, i, n.Type, bit(n.Disabled)))
	if e.interrupted {
		e.interrupted = false
		if e.entersOS {
			e.log(smstslog.Warning, fmt.Sprintf("The action (%s) was interrupted, but the operating system it set up is running", n.Name))
			e.agentOnDisk = true
			return e.stepEnded(ctx, i, step.Outcome{})
		}
		switch {
		case e.triesLeft(n):
			e.tries++
		case !e.implementation(i).Contract().Repeatable:
			err := errors.New("the machine or the agent went down while the step was running; it is not run again because its effects are unknown (TS-112a)")
			return e.stepEnded(ctx, i, step.Failure(step.CodeInterrupted, err))
		}
		e.log(smstslog.Warning, fmt.Sprintf("The action (%s) was interrupted and is run again", n.Name))
		e.repeated = true
		return e.step(ctx, i, "")
	}
	goesOn := e.continues == i+1
	e.continues = 0
	if goesOn { // it has begun: neither its condition nor what it changed itself is asked again
		return e.step(ctx, i, "")
	}
	if in.off { // also a node of a disabled group, to which only the debugger's Set Current leads
		e.skip(i, true, "it is disabled")
		return nil, e.saveSoon(ctx)
	}
	verdict, err := e.evaluator.Evaluate(ctx, n.Condition)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && n.Kind == sequence.Step:
		return e.stepEnded(ctx, i, step.Failure(step.CodeFailed, fmt.Errorf("its condition cannot be evaluated: %w", err)))
	case err != nil:
		return e.groupFailed(ctx, i, failure{i, step.CodeFailed, "its condition cannot be evaluated: " + err.Error(), false})
	case !verdict.Holds:
		e.skip(i, false, verdict.Reason)
		return nil, e.saveSoon(ctx)
	}
	because := ""
	if n.Condition != nil && len(n.Condition.Operands) > 0 {
		because = verdict.Reason
	}
	if n.Kind != sequence.Step {
		return e.enter(ctx, i, because)
	}
	// After the condition: real sequences protect a step for one environment by a condition on it (TS-21).
	if err := e.checkEnvironment(i); err != nil {
		return e.stepEnded(ctx, i, step.Failure(step.CodeEnvironment, err))
	}
	return e.step(ctx, i, because)
}

// triesLeft says whether a step that was interrupted is run again because of its retry count (TS-113), which only the two
// steps that install over restarts have.
func (e *Engine) triesLeft(n *sequence.Node) bool {
	switch n.ShortType() {
	case "InstallApplicationAction", "InstallUpdateAction":
		return e.tries < min(n.RetryCount, 5)
	}
	return false
}

func (e *Engine) checkEnvironment(i int) error {
	for _, where := range []sequence.RunIn{e.program.code[i].node.RunIn, step.Where(e.implementation(i), e.program.code[i].node)} {
		if where == sequence.WinPE && e.config.Environment != WinPE || where == sequence.FullOS && e.config.Environment != FullOS {
			return fmt.Errorf("the step runs only in %s and this is %s; give it a condition on _SMSTSInWinPE (TS-21)", where, e.config.Environment)
		}
	}
	return nil
}

func (e *Engine) skip(i int, disabled bool, reason string) {
	in := &e.program.code[i]
	id, word := msgStepSkipped, "action"
	if in.node.Kind != sequence.Step {
		id, word = msgGroupSkipped, "group"
	}
	if disabled {
		id -= msgStepSkipped - msgStepDisabled
		e.log(smstslog.Info, fmt.Sprintf("The %s (%s) has been skipped because it is disabled", word, in.node.Name))
	} else {
		e.log(smstslog.Info, fmt.Sprintf("The %s (%s) has been skipped because the condition was evaluated to be false: %s", word, in.node.Name, reason))
	}
	e.reportNode(Event{Kind: NodeSkipped, MessageID: id, Severity: Information, Reason: reason}, i)
	e.next = in.end
	e.leaveGroups(e.next)
}

// enter starts a group or a child sequence. A disabled child fails the deployment whatever its flags (TS-46, TS-120).
func (e *Engine) enter(ctx context.Context, i int, because string) (*Result, error) {
	in := &e.program.code[i]
	if in.child != nil {
		if in.child.Disabled {
			return e.groupFailed(ctx, i, failure{i, step.CodeFailed, fmt.Sprintf("child task sequence %s is disabled; enable it or disable the step (TS-120)", in.child.PackageID), true})
		}
		e.log(smstslog.Info, fmt.Sprintf("Starting child task sequence '%s'", in.child.Name))
	}
	if in.node.Kind == sequence.SubSequence && in.child == nil {
		if code, err := e.config.Absent(i, in.node); err != nil || code != 0 {
			return e.groupFailed(ctx, i, failure{i, code, failureText(in.node, step.Outcome{Code: code, Err: err}), false})
		}
	}
	e.log(smstslog.Info, fmt.Sprintf("The group (%s) has been successfully started", in.node.Name))
	e.reportNode(Event{Kind: GroupStarted, MessageID: msgGroupStarted, Severity: Information, Because: because}, i)
	e.entered = append(e.entered, i)
	e.next = i + 1
	e.leaveGroups(e.next) // an empty group
	return nil, e.saveSoon(ctx)
}

// leaveGroups ends the groups that do not reach as far as next.
func (e *Engine) leaveGroups(next int) {
	for len(e.entered) > 0 {
		i := e.entered[len(e.entered)-1]
		if e.program.code[i].end > next {
			return
		}
		e.entered = e.entered[:len(e.entered)-1]
		e.log(smstslog.Info, fmt.Sprintf("The group (%s) has been successfully completed", e.program.code[i].node.Name))
		e.reportNode(Event{Kind: GroupCompleted, MessageID: msgGroupCompleted, Severity: Information}, i)
	}
}

func (e *Engine) ancestors(i int) []int {
	var out []int
	for up := e.program.code[i].parent; up >= 0; up = e.program.code[up].parent {
		out = append([]int{up}, out...)
	}
	return out
}

type failure struct {
	origin int // the node whose error it is (TS-47)
	code   uint32
	reason string
	fatal  bool // continue on error does not help (TS-46)
}

// fail propagates a failure from node i outwards until somebody continues on error (TS-41 to TS-44).
func (e *Engine) fail(ctx context.Context, i int, f failure) (*Result, error) {
	if e.holds(i, f) {
		return nil, nil
	}
	for {
		in := &e.program.code[i]
		if in.node.ContinueOnError && !f.fatal {
			e.log(smstslog.Warning, fmt.Sprintf("The failure of (%s) is ignored: continue on error is set", in.node.Name))
			e.reportNode(Event{Kind: FailureIgnored, MessageID: msgFailureIgnored, Severity: Caution, ExitCode: f.code, Reason: f.reason}, i)
			e.next = in.end
			return nil, nil
		}
		i = in.parent
		if i < 0 {
			return e.failed(ctx, f)
		}
		if len(e.entered) > 0 {
			e.entered = e.entered[:len(e.entered)-1]
		}
		name := e.program.code[i].node.Name
		e.log(smstslog.Error, fmt.Sprintf("The execution of the group (%s) has failed and the execution has been aborted. An action failed.", name))
		e.reportNode(Event{Kind: GroupFailed, MessageID: msgGroupFailure, Severity: Failure, ExitCode: f.code, Reason: f.reason}, i)
	}
}

// groupFailed is fail for a group or child sequence that could not even be started.
func (e *Engine) groupFailed(ctx context.Context, i int, f failure) (*Result, error) {
	e.log(smstslog.Error, fmt.Sprintf("The group (%s) cannot be started: %s", e.program.code[i].node.Name, f.reason))
	e.reportNode(Event{Kind: GroupFailed, MessageID: msgGroupFailure, Severity: Failure, ExitCode: f.code, Reason: f.reason}, i)
	result, err := e.fail(ctx, i, f)
	if result == nil && err == nil {
		e.leaveGroups(e.next)
		err = e.saveSoon(ctx)
	}
	return result, err
}

func (e *Engine) failed(ctx context.Context, f failure) (*Result, error) {
	e.log(smstslog.Error, "Task Sequence Engine failed! Code: enExecutionFail")
	r := Result{Outcome: Failed, ExitCode: f.code, Error: e.variables.Mask(f.reason), Pointer: f.origin}
	if f.origin >= 0 {
		r.Step, r.Group = e.variables.Mask(e.program.code[f.origin].node.Name), e.variables.Mask(e.program.group(f.origin))
	}
	r, err := e.finish(ctx, r, msgSequenceFailed, Failure)
	return &r, err
}

// finish makes the end durable before it is reported, so that a resumed run does not end twice.
func (e *Engine) finish(ctx context.Context, r Result, id int, severity int32) (Result, error) {
	e.next = len(e.program.code)
	e.ending = func(ctx context.Context) (*Result, error) {
		if err := e.save(ctx, func(c *Checkpoint) { c.Result = &r }); err != nil {
			return nil, err
		}
		e.done, e.ending = &r, nil
		e.logExit(r.ExitCode)
		e.report(Event{Kind: SequenceEnded, Pointer: -1, MessageID: id, Severity: severity, Name: e.config.Sequence.Name, ExitCode: r.ExitCode, Reason: r.Error})
		return &r, nil
	}
	if _, err := e.ending(ctx); err != nil {
		return Result{}, err
	}
	return r, nil
}

func (e *Engine) cancelled(ctx context.Context) Result {
	text := "the run was cancelled"
	if cause := context.Cause(ctx); cause != nil {
		text += ": " + cause.Error()
	}
	e.log(smstslog.Error, text)
	r := Result{Outcome: Cancelled, ExitCode: step.CodeCancelled, Error: e.variables.Mask(text), Pointer: -1}
	if e.next < len(e.program.code) {
		r.Pointer, r.Step = e.next, e.variables.Mask(e.program.code[e.next].node.Name)
	}
	return r
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

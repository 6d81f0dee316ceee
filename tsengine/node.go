package tsengine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// step runs a step whose condition holds (TS-24 to TS-36).
func (e *Engine) step(ctx context.Context, i int, because string) (*Result, error) {
	in := &e.program.code[i]
	n := in.node
	implementation := e.implementation(i)
	contract := implementation.Contract()
	e.log(smstslog.Info, "Expand a string: "+n.RunIn.String())
	if err := e.variables.Set("_SMSTSCurrentActionName", n.Name); err != nil {
		return nil, err
	}
	if e.config.Log != nil { // it may have moved to the disk (TS-154)
		if err := e.variables.Set("_SMSTSLogPath", e.config.Log.Dir()); err != nil {
			return nil, err
		}
	}
	if contract.Effect {
		if err := e.save(ctx, func(c *Checkpoint) { c.Started, c.Tries = true, e.tries }); err != nil {
			return nil, err
		}
	}
	e.reportNode(Event{Kind: StepStarted, Severity: Information, Because: because}, i)
	e.variables.EnterStep(stepDefaults(n))
	outcome := e.perform(ctx, implementation, i)
	e.variables.LeaveStep()
	if ctx.Err() != nil && outcome.Err != nil {
		return nil, ctx.Err() // cancelled in the middle: the started record stands
	}
	outcome.Fatal = outcome.Fatal || contract.Fatal
	return e.stepEnded(ctx, i, outcome)
}

// stepDefaults are the defaults that enter the step-local scope: those not hidden (TS-85).
func stepDefaults(n *sequence.Node) []variable.Assignment {
	var out []variable.Assignment
	for _, v := range n.Defaults {
		if !v.Hidden {
			out = append(out, variable.Assignment{Name: v.Name, Value: v.Value})
		}
	}
	return out
}

// perform calls the step and turns a panic into its failure: one broken step must not leave a machine without report.
func (e *Engine) perform(ctx context.Context, s step.Step, i int) step.Outcome {
	e.setScripted(scripted{i, true})
	defer e.setScripted(scripted{})
	return e.performNode(ctx, s, e.program.code[i].node, e.progress(i))
}

func (e *Engine) performNode(ctx context.Context, s step.Step, n *sequence.Node, progress machine.Progress) (out step.Outcome) {
	e.setComponent(s.Contract().Component)
	defer e.setComponent(smstslog.TSManager)
	defer func() {
		if p := recover(); p != nil {
			e.config.Logger.Error("step panicked", "step", e.variables.Mask(n.Name), "type", n.Type, "stack", e.variables.Mask(string(debug.Stack())))
			out = step.Failure(step.CodeFailed, fmt.Errorf("internal error in step type %s; please report it with smsts.log", n.ShortType()))
		}
	}()
	return s.Run(ctx, &step.Context{
		Node: n, Variables: e.variables, Machine: e.config.Machine, Volumes: &e.volumes,
		Environment: e.config.Environment, UEFI: e.config.Hardware.UEFI, AgentOnDisk: &e.agentOnDisk,
		Progress: progress, Repeated: e.repeated,
		Log: e.log, Evaluate: e.evaluator.Evaluate, Instances: e.instances(),
	})
}

// instances is how a step asks for a class of the machine, nil where its facts can only judge conditions.
func (e *Engine) instances() func(ctx context.Context, class string) []fact.Instance {
	if facts, ok := e.config.Facts.(interface {
		Instances(ctx context.Context, class string) []fact.Instance
	}); ok {
		return facts.Instances
	}
	return nil
}

// progressEvery is how often a step's own progress is reported at most; capabilities may tell theirs for every block.
const progressEvery = 200 * time.Millisecond

func (e *Engine) progress(i int) machine.Progress {
	var mu sync.Mutex
	var last time.Time
	return func(current, total int64, text string) {
		mu.Lock()
		now := e.config.Now()
		drop := !last.IsZero() && now.Sub(last) < progressEvery && (total <= 0 || current < total)
		if !drop {
			last = now
		}
		mu.Unlock()
		if !drop {
			e.reportNode(Event{Kind: StepProgress, Current: current, Total: total, Reason: text}, i)
		}
	}
}

// stepEnded judges a step, sets the result variables, honours restarts and moves on.
func (e *Engine) stepEnded(ctx context.Context, i int, out step.Outcome) (*Result, error) {
	in := &e.program.code[i]
	n := in.node
	succeeded := out.Err == nil && slices.Contains(n.SuccessCodes, out.Code)
	e.stepsDone++
	e.tries, e.repeated = 0, false
	e.last = LastAction{Name: e.variables.Mask(n.Name), Code: out.Code, Succeeded: succeeded}
	err := errors.Join(
		e.variables.Set("_SMSTSLastActionName", n.Name),
		e.variables.Set("_SMSTSLastActionRetCode", strconv.FormatUint(uint64(out.Code), 10)),
		e.variables.Set("_SMSTSLastActionSucceeded", strconv.FormatBool(succeeded)))
	if err != nil {
		return nil, err
	}
	restart, err := e.restartWanted(&out, succeeded)
	if err != nil && !succeeded {
		e.log(smstslog.Warning, "The restart that the failed step asked for does not happen: "+err.Error())
		restart = nil
	} else if err != nil {
		succeeded, out.Err, out.Fatal = false, err, true
		out.Code, restart = step.CodeNoBootTarget, nil
		e.last.Code, e.last.Succeeded = out.Code, false
		_ = e.variables.Set("_SMSTSLastActionRetCode", strconv.FormatUint(uint64(out.Code), 10))
		_ = e.variables.Set("_SMSTSLastActionSucceeded", "false")
	}
	// A step that goes on after its own restart does so whoever chose the target; one that has ended leaves nothing behind
	// that a later step of its type would take for its own.
	if restart != nil && succeeded && out.Restart != nil && out.Restart.Again {
		restart.Again, e.continues = true, i+1
	} else if err := step.Forget(e.variables); err != nil {
		return nil, err
	}
	if succeeded {
		e.log(smstslog.Info, fmt.Sprintf("Successfully completed the action (%s) with the exit win32 code %d", n.Name, out.Code))
		e.reportNode(Event{Kind: StepSucceeded, MessageID: msgStepSucceeded, Severity: Information, ExitCode: out.Code, Output: out.Output}, i)
		e.next = in.end
	} else {
		reason := failureText(n, out)
		e.log(smstslog.Error, fmt.Sprintf("Failed to run the action: %s. %s (Error: %08X; Source: Windows)", n.Name, reason, out.Code))
		e.reportNode(Event{Kind: StepFailed, MessageID: msgStepFailed, Severity: Failure, ExitCode: out.Code, Output: out.Output, Reason: reason}, i)
		result, err := e.fail(ctx, i, failure{i, out.Code, reason, out.Fatal})
		if result != nil || err != nil {
			return result, err
		}
	}
	if restart == nil || !restart.Again {
		e.leaveGroups(e.next)
	}
	if restart != nil {
		return e.restart(ctx, i, restart)
	}
	if e.implementation(i).Contract().Effect {
		return nil, e.save(ctx, nil)
	}
	return nil, e.saveSoon(ctx)
}

func failureText(n *sequence.Node, out step.Outcome) string {
	if out.Err != nil {
		return out.Err.Error()
	}
	codes := make([]string, len(n.SuccessCodes))
	for i, c := range n.SuccessCodes {
		codes[i] = strconv.FormatUint(uint64(c), 10)
	}
	return fmt.Sprintf("exit code %d is not in the success codes %s (TS-29)", out.Code, strings.Join(codes, " "))
}

// restartWanted decides whether a restart follows the step: SMSTSRebootRequested first, then what the step itself asks,
// then a successful 3010 (TS-30, TS-35, TS-111). The request variables are cleared when honoured (TS-112).
func (e *Engine) restartWanted(out *step.Outcome, succeeded bool) (*step.Restart, error) {
	var r *step.Restart
	requested := strings.TrimSpace(e.variables.Value("SMSTSRebootRequested"))
	switch {
	case requested != "":
		var err error
		if r, err = e.requestedRestart(requested); err != nil {
			return nil, err
		}
	case !succeeded:
		return nil, nil
	case out.Restart != nil:
		copied := *out.Restart
		r = &copied
	case out.Code == step.CodeRestart:
		r = &step.Restart{}
	default:
		return nil, nil
	}
	if r.Target == step.SameTarget {
		r.Target = step.HD
		if e.config.Environment == WinPE {
			r.Target = step.BootImage
		}
	}
	return r, e.checkTarget(r.Target)
}

func (e *Engine) requestedRestart(requested string) (*step.Restart, error) {
	r := &step.Restart{Message: e.variables.Expand(e.variables.Value("SMSTSRebootMessage"))}
	switch strings.ToUpper(requested) {
	case "HD":
		r.Target = step.HD
	case "WINPE":
		r.Target = step.BootImage
	default:
		return nil, fmt.Errorf("SMSTSRebootRequested is %q; HD and WinPE exist (TS-111)", requested)
	}
	delay := strings.TrimSpace(e.variables.Value("SMSTSRebootDelay"))
	if seconds, err := strconv.ParseUint(delay, 10, 20); err == nil {
		r.Delay = time.Duration(seconds) * time.Second
	}
	r.Again = e.variables.Value("SMSTSRetryRequested") != ""
	next := e.variables.Value("SMSTSRebootDelayNext")
	return r, errors.Join(
		e.variables.Set("SMSTSRebootRequested", ""), e.variables.Set("SMSTSRetryRequested", ""),
		e.variables.Set("SMSTSRebootMessage", ""), e.variables.Set("SMSTSRebootDelay", next))
}

// Why a restart does not happen.
var (
	ErrNoBootImage = errors.New("no boot image is assigned to the task sequence, so it cannot restart to WinPE; assign one or choose HD (TS-110)")
	ErrNoSystem    = errors.New("no operating system was applied, so there is nothing to restart into; choose WinPE or apply an image first (TS-46)")
	ErrNoAgent     = errors.New("the operating system on the disk has no agent, so the sequence could not go on in it; put a Setup Windows and ConfigMgr step before the restart (TS-118a)")
)

// checkTarget refuses a restart that would not come back (TS-46, TS-110, TS-118a).
func (e *Engine) checkTarget(t step.Target) error {
	switch {
	case e.config.CanRestart != nil:
		return e.config.CanRestart(t)
	case t == step.BootImage && e.bootImage() == "":
		return ErrNoBootImage
	case t == step.HD && e.config.Environment == WinPE && e.volumes.System() == nil && !e.agentOnDisk:
		return ErrNoSystem
	case t == step.HD && !e.agentOnDisk:
		return ErrNoAgent
	case e.config.Store == nil:
		return errors.New("no checkpoint store is configured, so the sequence could not go on after a restart (TS-116)")
	}
	return nil
}

// restart saves the state and hands the restart to the caller (TS-36, TS-115).
func (e *Engine) restart(ctx context.Context, i int, r *step.Restart) (*Result, error) {
	n := e.program.code[i].node
	if r.Again {
		e.next = i
		e.entered = e.ancestors(i)
	}
	e.log(smstslog.Info, fmt.Sprintf("The action (%s) initiated a reboot request", n.Name))
	// Before the state is saved, so that the log that moves with it to a new system is whole.
	e.log(smstslog.Info, "Execution engine result code: Reboot (2)")
	e.logExit(managerReboot)
	out := &Restart{Target: r.Target, Message: e.variables.Mask(e.variables.Expand(r.Message)), Delay: r.Delay, PowerOff: r.PowerOff}
	e.ending = func(ctx context.Context) (*Result, error) {
		if err := e.save(ctx, func(c *Checkpoint) { c.Awaits = awaits(r.Target) }); err != nil {
			return nil, err
		}
		e.reportNode(Event{Kind: RestartAsked, MessageID: msgRestart, Severity: Information, Restart: out}, i)
		return &Result{Outcome: RestartRequested, Pointer: i, Step: e.variables.Mask(n.Name), Group: e.variables.Mask(e.program.group(i)), Restart: out}, nil
	}
	return e.ending(ctx)
}

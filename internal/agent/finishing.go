package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
)

const (
	termsFile   = "terms.json"
	restartFile = "restart"
)

// terms are the conditions under which a run was begun by its schedule; they decide about restarts (MWN-13).
type terms struct {
	Candidate wire.Candidate `json:"candidate"`
	Windows   []wire.Window  `json:"windows,omitempty"`
	User      bool           `json:"user,omitempty"`
}

func keepTerms(dir string, t terms) error {
	data, err := json.Marshal(t)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, termsFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the terms of the run: %w", err)
	}
	return nil
}

// resume goes on with the run whose folder is there; none is no error. It needs no network (TS-118a).
func (a *Agent) resume(ctx context.Context) error {
	dir := a.kit.runDir()
	run, err := readRun(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, restartFile)); err == nil {
		if a.givenUp(ctx, run.ID) {
			a.config.Console.Say("run %s was cancelled on the appliance: the restart that it waited for is not carried out", run.ID)
			a.kit.clearContent()
			return clearRun(dir)
		}
		return a.restart(ctx)
	}
	key, from, err := readState(dir)
	if err != nil {
		return err
	}
	job, err := a.kit.newJob(run, key, from)
	if err != nil {
		return err
	}
	return a.execute(ctx, job)
}

// execute runs a job to its end or to a restart, and closes it.
func (a *Agent) execute(ctx context.Context, j *job) error {
	defer j.close()
	a.setRunning(j.run.SequenceName)
	defer a.setRunning("")
	defer a.doing(j.run.Deployment, stateRunning)()
	j.phases.watch = func(p wire.Phase) {
		state := stateRunning
		if p == wire.PhaseDownload {
			state = stateDownloading
		}
		a.doing(j.run.Deployment, state)
	}
	say := a.config.Console.Say
	fromBoot := j.from != nil && j.from.Environment == tsengine.WinPE
	switch {
	case j.from != nil && j.from.Result != nil: // only its status is missing
	case fromBoot:
		say("%s", wire.MarkInstalledOS)
		j.phase(wire.PhaseFinish)
	default:
		say("%s: %s (deployment %s, run %s)", wire.MarkRunStarted, j.run.SequenceName, j.run.Deployment, j.run.ID)
	}
	a.kit.console.quietly(!j.run.ShowProgress)
	result, err := j.execute(ctx)
	a.kit.console.quietly(false)
	switch {
	case errors.Is(err, tsengine.ErrWrongEnvironment):
		return a.stranded(ctx, j, err)
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		result = failedResult(err)
	case result.Outcome == tsengine.Cancelled:
		return errors.New(result.Error)
	case result.Outcome == tsengine.RestartRequested:
		return a.restartAfter(ctx, j, result)
	}
	return a.ended(ctx, j, result)
}

func (a *Agent) ended(ctx context.Context, j *job, result tsengine.Result) error {
	succeeded := result.Outcome == tsengine.Succeeded
	told := j.from != nil && j.from.Result != nil // by an agent before this one; only the delivery is left
	finish := wire.Finish{Succeeded: succeeded, ExitCode: result.ExitCode, Step: result.Step, Message: cut(result.Error)}
	switch {
	case told:
	case succeeded:
		j.phase(wire.PhaseDone)
		a.config.Console.Say("%s: %s (run %s)", wire.MarkRunSucceeded, j.run.SequenceName, j.run.ID)
	default:
		a.config.Console.Say("%s: step %q, code 0x%08X: %s", wire.MarkRunFailed, result.Step, result.ExitCode, result.Error)
	}
	j.usualPower(ctx)
	j.logEnds()
	if !succeeded {
		finish.Remedy = "read smsts.log (the appliance has it), correct the cause and start it again"
	}
	a.mu.Lock()
	a.memory.Last = lastRun{Name: j.run.SequenceName, Deployment: j.run.Deployment, Ended: a.config.Clock.Now().UTC(), Succeeded: succeeded,
		Step: result.Step, ExitCode: result.ExitCode, Message: finish.Message}
	err := a.saveMemory()
	a.mu.Unlock()
	if err != nil {
		return err
	}
	if a.config.Ended != nil && j.run.LaunchMode != wire.LaunchSMS {
		if err := a.config.Ended(); err != nil {
			a.config.Logger.Warn("marks of the run stay on the disk", "err", err)
		}
	}
	if err := j.finish(ctx, finish, tryCheckpoint); err != nil {
		// The folder stays, and the next round tries again; nothing of the run is done twice.
		return fmt.Errorf("the run has ended, its status is queued: %w", err)
	}
	if err := clearRun(a.kit.runDir()); err != nil {
		return err
	}
	a.kit.clearContent()
	j.postAction()
	return nil
}

// switchOff is what the file of a due restart holds when the machine is to be switched off.
const switchOff = "off"

// noteRestart makes a restart durable before anything of it happens, its delay included: an agent that is killed in between
// finds the state of the run already behind it and would else go on without the restart.
func noteRestart(dir string, r *tsengine.Restart) error {
	var how []byte
	if r != nil && r.PowerOff {
		how = []byte(switchOff)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("note the restart: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, restartFile), how, 0o600); err != nil {
		return fmt.Errorf("note the restart: %w", err)
	}
	return nil
}

// restartAfter restarts now, or when a window allows it (MWN-13). The engine has saved the state.
func (a *Agent) restartAfter(ctx context.Context, j *job, result tsengine.Result) error {
	if err := noteRestart(a.kit.runDir(), result.Restart); err != nil {
		return err
	}
	j.phase(wire.PhaseRestart)
	if r := result.Restart; r != nil && r.Delay > 0 {
		a.config.Console.Say("restart in %s: %s", r.Delay, r.Message)
		if err := a.config.Clock.Sleep(ctx, r.Delay); err != nil {
			return err
		}
	}
	flush, cancel := context.WithTimeout(ctx, tryCheckpoint)
	defer cancel()
	if err := j.outbox.Flush(flush); err != nil {
		a.config.Logger.Warn("status is queued over the restart", "err", err)
	}
	return a.restart(ctx)
}

// restart carries out a restart that is due, if it is allowed now.
func (a *Agent) restart(ctx context.Context) error {
	if data, err := os.ReadFile(filepath.Join(a.kit.runDir(), termsFile)); err == nil {
		var t terms
		if err := json.Unmarshal(data, &t); err != nil {
			return fmt.Errorf("read the terms of the run: %w", err)
		}
		now := a.config.Clock.Now()
		a.mu.Lock()
		in := a.input(t.Candidate, wire.Policy{Windows: t.Windows}, now)
		a.mu.Unlock()
		if allowed, opens, reason := evaluate.MayRestart(in); !allowed && !t.User {
			next := now.Add(watchPause)
			if !opens.IsZero() {
				next = opens
			}
			a.setNext(next)
			return fmt.Errorf("the restart of the run waits: %s (%s)", reason.Text, reason.Rule)
		}
	}
	how, err := os.ReadFile(filepath.Join(a.kit.runDir(), restartFile))
	if err != nil {
		return fmt.Errorf("begin the restart: %w", err)
	}
	restart := a.config.Machine.Restart
	if string(how) == switchOff {
		restart = a.config.Machine.PowerOff
	}
	// Gone before the restart: whoever finds the folder without it has restarted.
	if err := os.Remove(filepath.Join(a.kit.runDir(), restartFile)); err != nil {
		return fmt.Errorf("begin the restart: %w", err)
	}
	a.config.Console.Say("%s", wire.MarkRunRestart)
	if err := restart(ctx); err != nil {
		// Still due; without the file the next round would take this system for the restarted one.
		keep := atomicfile.Write(filepath.Join(a.kit.runDir(), restartFile), how, 0o600)
		return errors.Join(fmt.Errorf("restart: %w", err), keep)
	}
	return ErrRestarting
}

// givenUp says whether the appliance answers and no longer has the run in progress. One that cannot be asked has given up
// nothing (TS-118a).
func (a *Agent) givenUp(ctx context.Context, run string) bool {
	ctx, cancel := context.WithTimeout(ctx, tryCheckpoint)
	defer cancel()
	var policy wire.Policy
	if err := a.session.Do(ctx, http.MethodPost, wire.PathPolicy, wire.PolicyRequest{Environment: wire.FullOS}, &policy); err != nil {
		a.config.Logger.Warn("the appliance was not asked whether the run goes on", "run", run, "err", err)
		return false
	}
	return policy.ActiveRun != run
}

// stranded is a run that waits for a boot environment while the machine came up from its disk. It is given up only when
// the appliance has given it up.
func (a *Agent) stranded(ctx context.Context, j *job, cause error) error {
	var run wire.Policy
	if err := a.session.Do(ctx, "POST", wire.PathPolicy, wire.PolicyRequest{Environment: wire.FullOS}, &run); err != nil {
		return errors.Join(cause, err)
	}
	if run.ActiveRun == j.run.ID {
		return fmt.Errorf("run %s: %w", j.run.ID, cause)
	}
	return clearRun(a.kit.runDir())
}

func (a *Agent) setRunning(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = name
}

// States of a line of List while something is done for it (UX-2); package evaluate has the others.
const (
	stateDownloading = "Downloading"
	stateRunning     = string(evaluate.StateRunning)
)

// doing notes what is done for a deployment, until the function that it returns is called.
func (a *Agent) doing(deployment, state string) (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy, a.busyState = deployment, state
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.busy, a.busyState = "", ""
	}
}

// List is what a user sees, by the last policy.
func (a *Agent) List() ([]Item, Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := Status{Running: a.running, LastName: a.memory.Last.Name}
	if last := a.memory.Last; last.Name != "" {
		status.LastText = fmt.Sprintf("succeeded at %s", last.Ended.In(a.zone).Format(time.RFC1123))
		if !last.Succeeded {
			status.LastText = fmt.Sprintf("failed at %s, step %q, code 0x%08X: %s", last.Ended.In(a.zone).Format(time.RFC1123), last.Step, last.ExitCode, last.Message)
		}
	}
	if len(a.memory.Users) > 1 {
		status.Hidden = "the list is empty while more than one user is signed in (UX-5)"
	}
	var items []Item
	now := a.config.Clock.Now()
	for _, c := range a.policy.Candidates {
		v := evaluate.Evaluate(a.input(c, a.policy, now))
		if !v.Listed {
			continue
		}
		item := Item{Deployment: c.Deployment, Name: c.SequenceName, Purpose: c.Purpose, State: string(v.State), MayStart: v.UserMayStart}
		if c.Deployment == a.busy {
			item.State = a.busyState
		}
		if len(v.NextDue) > 0 {
			item.Due = v.NextDue[0]
		}
		for _, r := range v.Reasons {
			item.Reasons = append(item.Reasons, r.Text)
		}
		items = append(items, item)
	}
	return items, status
}

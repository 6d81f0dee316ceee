package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
)

const (
	// networkPatience is how long a boot environment waits for an address. It is long, because nobody may be there to
	// start the machine again when the switch is back.
	networkPatience = time.Hour
	// appliancePatience bounds every wait for an appliance that does not answer.
	appliancePatience = time.Hour
	// policyPatience bounds the wait for something to run.
	policyPatience = 24 * time.Hour
	policyPause    = 30 * time.Second
	// sendPatience is how long the agent of a run that failed stays for what the appliance does not have yet.
	sendPatience = 10 * time.Minute
	// sendQuietly is how long delivery may take before a person is told what the machine waits for.
	sendQuietly = 15 * time.Second
	// localPause lets a person read why the machine leaves for its disk.
	localPause = 5 * time.Second
)

// errLeaving says that the machine was told to restart.
var errLeaving = errors.New("the machine restarts")

// BootConfig is what a boot environment's agent is made of. Boot, Machine, Clock and Console are required.
type BootConfig struct {
	Boot      Boot
	Machine   host.Machine
	Clock     link.Clock
	Console   *Console
	Keys      Keys // of the person at the machine; nil: nobody
	Logger    *slog.Logger
	Dir       string // state in RAM, 0700
	Build     string
	NewTarget func(TargetRequest) Target // nil: no disks here
	Transport http.RoundTripper          // nil: the pinned one
	Commands  machine.Commands           // nil: the engine's own
	// Local is what the machine can do besides what Target can.
	Local machine.Capabilities
	Logs  LogPlaces
	// Facts gathers the fact sheet at the start of a run; nil: expressions that need Windows are false with a warning.
	Facts   func() *fact.Sheet
	Backoff link.Backoff // zero: one second to half a minute, for an hour
	Retry   client.Retry // of downloads; zero: DOP-19
	// DebugHold is how long the appliance may hold a request of a run that is paused in the debugger; zero: 20 seconds.
	DebugHold time.Duration
	// Quietly and Patience bound the delivery of a failed run's status: until the person at the machine is told, and until
	// it is given up. Zero: 15 seconds and ten minutes.
	Quietly, Patience time.Duration
}

// TargetRequest is what the disks need to know of a run. Files prepare the agent for the operating system; Say shows a line
// to the person at the machine.
type TargetRequest struct {
	Run   wire.Run
	Files AgentFiles
	Say   func(format string, args ...any)
}

// BootAgent is the agent of a boot environment.
type BootAgent struct {
	config   BootConfig
	kit      *kit
	verifier *link.Verifier
	session  *session
	resumed  bool // the run was begun by an earlier boot or agent
	attended bool // somebody at the machine chose or confirmed what runs
}

// NewBootAgent checks the configuration; nothing is sent yet.
func NewBootAgent(c BootConfig) (*BootAgent, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Backoff.First <= 0 {
		c.Backoff = link.Backoff{First: time.Second, Max: 30 * time.Second, For: appliancePatience}
	}
	c.Quietly, c.Patience = cmp.Or(c.Quietly, sendQuietly), cmp.Or(c.Patience, sendPatience)
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the agent's folder: %w", err)
	}
	verifier, line, transport, err := trustedLine(c.Boot.URL, c.Boot.CAPEM, c.Boot.CASPKI, c.Clock.Now, c.Transport)
	if err != nil {
		return nil, err
	}
	a := &BootAgent{config: c, verifier: verifier}
	a.session = &session{client: line, request: a.sessionRequest, opened: a.sessionOpened, file: filepath.Join(c.Dir, "session.json")}
	a.kit = &kit{environment: wire.WinPE, line: a.session, client: line, http: &http.Client{Transport: transport}, machine: c.Machine,
		clock: c.Clock, console: c.Console, log: c.Logger, backoff: c.Backoff, dir: c.Dir, build: c.Build, commands: c.Commands, local: c.Local, facts: c.Facts, retry: c.Retry,
		debugHold: c.DebugHold, logs: c.Logs}
	return a, nil
}

// Run does everything from the network on. It returns nil after the machine was told to restart or to switch off, and an
// error when the machine is to stay as it is, with its screen.
func (a *BootAgent) Run(ctx context.Context) error {
	say := a.config.Console.Say
	network, cancel := context.WithTimeout(ctx, networkPatience)
	defer cancel()
	if err := a.config.Machine.ConnectNetwork(network, a.config.Boot.MAC, func(line string) { say("network: %s", line) }); err != nil {
		return failure{err: err, remedy: "check cable, switch port and DHCP server, then restart the machine"}
	}
	say("appliance: %s", a.config.Boot.URL)
	if err := a.connect(ctx); errors.Is(err, errLeaving) {
		return nil
	} else if err != nil {
		return failure{err: err, remedy: link.Remedy(err, "check that the appliance runs and that this network reaches it; then start the machine from the network again")}
	}
	answer := a.session.answer()
	a.kit.site, a.kit.device = answer.SiteCode, answer.DeviceID
	say("this machine is %s (%s)", answer.DeviceName, answer.DeviceID)
	if answer.PasswordNeeded {
		if err := a.unlock(ctx); err != nil {
			return err
		}
	}
	run, err := a.choose(ctx)
	if err != nil || run == nil {
		return err
	}
	return a.execute(ctx, *run)
}

// connect opens the session, or goes on with that of an agent that was killed in this boot.
func (a *BootAgent) connect(ctx context.Context) error {
	if !a.session.load() {
		// Only the first handshake of a boot may overlook the time (DESIGN.md, "clock").
		a.verifier.IgnoreTime(true)
	}
	lost := false
	err := link.Retry(ctx, a.config.Clock, a.config.Backoff, func(err error, wait time.Duration) {
		lost = true
		a.config.Console.Say("the appliance does not answer: %v; next try in %s", err, wait.Round(time.Second))
	}, func(ctx context.Context) error {
		_, err := a.session.token(ctx, "")
		return err
	})
	a.verifier.IgnoreTime(false)
	if lost && a.config.Boot.Media == nil && link.Status(err) == http.StatusUnauthorized {
		// The appliance was away for longer than a boot token lives, and only the loader gets another.
		a.config.Console.Say("the boot token is no longer good; the machine starts anew to get another")
		if err := a.config.Clock.Sleep(ctx, policyPause); err != nil {
			return err
		}
		if err := a.config.Machine.Restart(ctx); err != nil {
			return err
		}
		return errLeaving
	}
	return err
}

func (a *BootAgent) sessionRequest(ctx context.Context) (wire.SessionRequest, error) {
	b := a.config.Boot
	identity, err := a.config.Machine.Identity(ctx, b.MAC)
	if err != nil {
		return wire.SessionRequest{}, err
	}
	r := wire.SessionRequest{Protocol: wire.Protocol, Build: a.config.Build, Environment: wire.WinPE, LaunchMode: b.launchMode(), Identity: identity}
	if b.Media != nil {
		r.MediaID, r.MediaToken = b.Media.ID, b.Media.Token
		return r, nil
	}
	r.BootToken = b.Token
	r.Nonce, err = sessionNonce(filepath.Join(a.config.Dir, "nonce"))
	return r, err
}

// sessionOpened sets the clock by the authenticated answer and has everything that follows checked in full, on new
// connections.
func (a *BootAgent) sessionOpened(response wire.SessionResponse) error {
	off := a.config.Clock.Now().Sub(response.Time)
	if off < -2*time.Second || off > 2*time.Second {
		if err := a.config.Machine.SetClock(response.Time); err != nil {
			return failure{err: err, remedy: "set the machine's clock in its firmware setup"}
		}
		a.config.Console.Say("clock set to %s, it was off by %s", response.Time.UTC().Format(time.RFC3339), off.Round(time.Second))
	}
	a.verifier.IgnoreTime(false)
	if t, ok := a.kit.http.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return nil
}

// execute runs a claimed or resumed run to its end on this side of a restart.
func (a *BootAgent) execute(ctx context.Context, run wire.Run) error {
	if a.config.NewTarget != nil {
		a.kit.target = a.config.NewTarget(TargetRequest{Run: run, Files: a.agentFiles(run), Say: a.config.Console.Say})
		defer a.kit.target.Close()
	}
	key, from, err := a.latestState(ctx, run)
	if err != nil {
		return failure{err: err, remedy: "deploy the machine again: bootyard deploy"}
	}
	if from != nil && from.Result == nil && from.Awaits == tsengine.FullOS {
		return a.toDisk(ctx, run, key, *from)
	}
	if from == nil {
		if err := a.ask(ctx, &run); err != nil {
			return err
		}
	}
	job, err := a.kit.newJob(run, key, from)
	if err != nil {
		return err
	}
	defer job.close()
	if how, err := os.ReadFile(filepath.Join(a.kit.runDir(), restartFile)); err == nil && from != nil && from.Result == nil {
		// The folder is in RAM, so this is still the boot that asked for the restart: its agent was killed before it happened.
		return a.restart(ctx, job, tsengine.Result{Restart: &tsengine.Restart{PowerOff: string(how) == switchOff}})
	}
	a.config.Console.Say("%s: %s (deployment %s, run %s)", wire.MarkRunStarted, run.SequenceName, run.Deployment, run.ID)
	job.phase(wire.PhaseAgent)
	result, err := job.execute(ctx)
	switch {
	case err != nil:
		if ctx.Err() != nil {
			return err
		}
		return a.runFailed(ctx, job, failedResult(err), err)
	case result.Outcome == tsengine.RestartRequested:
		return a.restart(ctx, job, result)
	case result.Outcome == tsengine.Succeeded:
		return a.runSucceeded(ctx, job)
	case result.Outcome == tsengine.Cancelled:
		return errors.New(result.Error)
	}
	return a.runFailed(ctx, job, result, nil)
}

func (a *BootAgent) restart(ctx context.Context, job *job, result tsengine.Result) error {
	r := result.Restart
	if err := noteRestart(a.kit.runDir(), r); err != nil {
		a.config.Console.Say("%v", err) // RAM that is full does not stop a restart
	}
	job.phase(wire.PhaseRestart)
	if r != nil && r.Delay > 0 {
		a.config.Console.Say("restart in %s: %s", r.Delay, r.Message)
		if err := a.config.Clock.Sleep(ctx, r.Delay); err != nil {
			return err
		}
	}
	flush, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := job.outbox.Flush(flush); err != nil {
		a.config.Console.Say("status that is not delivered before the restart: %v", err)
	}
	a.config.Console.Say("%s: run %s", wire.MarkRunRestart, job.run.ID)
	if r != nil && r.PowerOff {
		return a.leave(ctx, job, a.config.Machine.PowerOff)
	}
	return a.leave(ctx, job, a.config.Machine.Restart)
}

func (a *BootAgent) leave(ctx context.Context, job *job, how func(context.Context) error) error {
	err := job.close()
	if a.kit.target != nil {
		err = errors.Join(err, a.kit.target.Close())
	}
	if err != nil {
		a.config.Console.Say("before the restart: %v", err)
	}
	return how(ctx)
}

func (a *BootAgent) runSucceeded(ctx context.Context, job *job) error {
	job.phase(wire.PhaseDone)
	err := job.finish(ctx, wire.Finish{Succeeded: true}, a.config.Quietly)
	if link.Temporary(err) && ctx.Err() == nil {
		a.config.Console.Say("The run succeeded; the machine waits up to %s for the appliance to take the result (%v).", appliancePatience, err)
		err = job.flush(ctx, appliancePatience)
	}
	if err != nil {
		return failure{err: fmt.Errorf("the run succeeded, but the appliance does not take the result: %w", err), remedy: "restart the machine when the appliance is back"}
	}
	a.config.Console.Say("%s: %s (run %s)", wire.MarkRunSucceeded, job.run.SequenceName, job.run.ID)
	job.logToRAM()
	if a.kit.target != nil {
		err = a.kit.target.Clean() // TS-122
	}
	if err := errors.Join(err, clearRun(a.kit.runDir())); err != nil {
		a.config.Console.Say("%v", err)
	}
	job.postAction()
	return a.leave(ctx, job, a.config.Machine.Restart)
}

// runFailed tells everybody and keeps the machine as it is: its screen, and a shell, which the boot environment opens when
// the agent ends with an error. There is no restart, so nothing fails in circles. cause is nil when a step failed.
func (a *BootAgent) runFailed(ctx context.Context, job *job, result tsengine.Result, cause error) error {
	remedy := "read smsts.log (the appliance has it), correct the cause and deploy the machine again"
	if errors.Is(cause, errSessionOver) {
		remedy = "start the machine from the network again: the run goes on where it was, unless it was cancelled on the appliance"
	}
	a.config.Console.Say("%s: step %q, code 0x%08X", wire.MarkRunFailed, result.Step, result.ExitCode)
	finish := wire.Finish{ExitCode: result.ExitCode, Step: result.Step, Message: cut(result.Error), Remedy: remedy}
	job.logToRAM()
	told := failure{mark: true, step: result.Step, code: result.ExitCode, err: errors.New(result.Error), remedy: remedy, dialog: job.dialog}
	err := job.finish(ctx, finish, a.config.Quietly)
	if link.Temporary(err) && ctx.Err() == nil {
		// The run lives in RAM: when this program ends, nobody delivers its log and its result any more.
		Explain(a.config.Console, told)
		a.config.Console.Say("The appliance does not have the log and the result yet (%v).", err)
		a.config.Console.Say("This machine tries to deliver them for up to %s; then there is a shell.", a.config.Patience)
		if err = job.flush(ctx, a.config.Patience); err == nil {
			a.config.Console.Say("The appliance has the log and the result now.")
		}
	}
	if err != nil {
		a.config.Console.Say("The appliance does not know of the failure: %v", err)
	}
	job.postAction()
	return told
}

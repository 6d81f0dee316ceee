package agent

import (
	"context"
	"errors"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
)

// oneTry says whether status is not sent again after a failure until the machine restarts (TS-162).
func (j *job) oneTry() bool {
	engine := j.engine.Load()
	return engine != nil && engine.Variables().True("SMSTSDisableStatusRetry")
}

// Messages of the task sequence manager, which is the agent, on how the deployment ended (TS-161).
const (
	messageNotCompleted = 11170
	messageCompleted    = 11171
)

// managed tells how the deployment ended, once.
func (j *job) managed(ctx context.Context, result tsengine.Result, err error) {
	event := wire.Event{Time: j.clock.Now().UTC(), Kind: wire.EventMessage, Pointer: -1, ExitCode: result.ExitCode}
	switch {
	case j.from != nil && j.from.Result != nil: // by an agent before this one
		return
	case err != nil && (ctx.Err() != nil || errors.Is(err, tsengine.ErrWrongEnvironment)):
		return
	case err != nil || result.Outcome == tsengine.Failed:
		event.MessageID, event.Severity, event.Text = messageNotCompleted, "error", "the task sequence manager could not complete the task sequence"
	case result.Outcome == tsengine.Succeeded:
		event.MessageID, event.Severity, event.Text = messageCompleted, "info", "the task sequence manager completed the task sequence"
	default:
		return
	}
	j.outbox.Post(event)
}

// postAction starts what the sequence wants to be started last. Nobody waits for it, and what becomes of it is nowhere
// recorded (TS-122).
func (j *job) postAction() {
	if j.post == "" {
		return
	}
	commands := j.commands
	if commands == nil {
		commands = process.Runner{}
	}
	detacher, ok := commands.(machine.Detacher)
	if !ok {
		j.console.Say("SMSTSPostAction is not started: programs cannot be left alone here")
		return
	}
	if err := detacher.Detach(j.post); err != nil {
		j.console.Say("SMSTSPostAction is not started: %v", err)
	}
}

package agent

import (
	"context"
	"errors"
	"strings"

	"github.com/bootyard/bootyard/internal/wire"
)

// confirm waits until somebody presses Enter: what a medium that is not unattended is about to do needs a person (UX-13,
// MED-1), also when the medium names the deployment. Only the patience of a day bounds the wait.
func (a *BootAgent) confirm(ctx context.Context, policy wire.Policy) error {
	remedy := "start the machine again and press Enter, or make the medium with --unattended"
	if a.config.Keys == nil {
		return failure{err: errors.New("this medium asks before it starts anything, and here is no keyboard (MED-1)"), remedy: remedy}
	}
	say := a.config.Console.Say
	say("This machine was started from the medium %q.", a.config.Boot.Media.Label)
	preferred := strings.ToUpper(a.config.Boot.variable(preferredVariable))
	switch id := policy.Deployment; {
	case id != "" && policy.Action == wire.ActionRun:
		say("It is about to run deployment %s%s.", id, sequenceName(policy, id))
	case preferred != "":
		say("It is about to run deployment %s%s.", preferred, sequenceName(policy, preferred))
	default:
		say("It is about to show the task sequences that are offered to this machine.")
	}
	a.config.Keys.Drop()
	say("Press Enter to go on")
	waiting, cancel := context.WithTimeout(ctx, policyPatience)
	defer cancel()
	if _, err := a.config.Keys.Line(waiting); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return failure{err: errors.New("nobody pressed Enter for a day"), remedy: remedy}
	}
	return nil
}

// sequenceName is the name behind a deployment in brackets, if the appliance told it.
func sequenceName(policy wire.Policy, deployment string) string {
	for _, c := range policy.Candidates {
		if c.Deployment == deployment && c.SequenceName != "" {
			return " (" + c.SequenceName + ")"
		}
	}
	return ""
}

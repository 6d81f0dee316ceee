package step

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// RestartComputer is Restart Computer (TS-110). The restart itself is the engine's: it saves the state first.
type RestartComputer struct{}

// Contract implements Step.
func (RestartComputer) Contract() Contract {
	return Contract{Type: "RebootAction", Component: "TSManager"}
}

// Run implements Step.
func (RestartComputer) Run(_ context.Context, c *Context) Outcome {
	target, err := restartTarget(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	r := &Restart{Target: target}
	// MDT names the variables without prefix.
	if r.Message = c.Input("SMSRebootMessage"); r.Message == "" {
		r.Message = c.Argument("Message")
	}
	name := "SMSRebootTimeout"
	if c.Input(name) == "" && c.Argument("MessageTimeout") != "" {
		name = "MessageTimeout"
	}
	seconds, err := c.InputInt(name, 0, 1<<20, 0)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	r.Delay = time.Duration(seconds) * time.Second
	return Outcome{Restart: r}
}

func restartTarget(c *Context) (Target, error) {
	text := c.Argument("SMSRebootTarget")
	if text == "" {
		text = c.Argument("Target")
	}
	mdt := false
	if text == "" {
		if _, rest, ok := strings.Cut(c.Variables.Expand(c.Node.Action), "/target:"); ok {
			text, _, _ = strings.Cut(rest, " ")
			mdt = true
		}
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "hd":
		return HD, nil
	case "winpe":
		if mdt {
			return whateverIsNext(c)
		}
		return BootImage, nil
	case "":
		return SameTarget, nil
	}
	return "", fmt.Errorf("restart target %q is unknown; HD and WinPE exist (TS-110)", text)
}

// whateverIsNext is the target of MDT's restart, which always says WinPE (section 14): the boot environment when a step
// has asked for it, the system that was applied when it goes on with the sequence, else where the machine is now.
func whateverIsNext(c *Context) (Target, error) {
	switch asked := Target(c.Variables.Value(nextStart)); {
	case asked != SameTarget:
		return asked, c.Variables.Set(nextStart, "")
	case c.Environment == machine.WinPE && *c.AgentOnDisk && c.Volumes.System() != nil:
		return HD, nil
	}
	return SameTarget, nil
}

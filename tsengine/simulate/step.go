package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/step"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// simulated is a step without effects outside the engine. What the type demands of its environment stays.
type simulated struct {
	world   *world
	pointer int
	real    step.Step
}

func (w *world) step(pointer int, n *sequence.Node) step.Step {
	return simulated{w, pointer, step.Find(n)}
}

// Contract implements step.Step.
func (s simulated) Contract() step.Contract {
	c := s.real.Contract()
	c.Effect = false                  // nothing to make durable
	c.RunIn = sequence.WinPEAndFullOS // the step's own word counts (TS-21); elsewhere says what the type demands
	return c
}

// Run implements step.Step. A step that fails has no effect; one that succeeds has those that can be told in advance.
func (s simulated) Run(ctx context.Context, c *step.Context) step.Outcome {
	code, given := s.world.code(s.pointer, c.Node)
	note := fmt.Sprintf("exit code %d, its first success code", code)
	if given {
		note = fmt.Sprintf("exit code %d as the facts say", code)
	}
	s.world.note[s.pointer] = note
	if !slices.Contains(c.Node.SuccessCodes, code) {
		return step.Outcome{Code: code}
	}
	out, effect := s.effect(ctx, c)
	s.world.note[s.pointer] = join(join(effect, s.elsewhere(c)), note)
	if out.Err == nil {
		out.Code = code
	}
	return out
}

// elsewhere warns of a step whose type bootyard runs only in the other environment although its runIn allows this one.
func (s simulated) elsewhere(c *step.Context) string {
	only := step.Where(s.real, c.Node)
	if only == sequence.WinPEAndFullOS || (only == sequence.WinPE) == (c.Environment == machine.WinPE) {
		return ""
	}
	s.world.warn("%q (pointer %d) allows %s, but bootyard runs its type only in %s: on a machine it would fail here (TS-21)", c.Node.Name, s.pointer, c.Node.RunIn, only)
	return "on a machine it would fail: bootyard runs its type only in " + only.String()
}

// effect is what a successful step does that later nodes can see, with words for it.
func (s simulated) effect(ctx context.Context, c *step.Context) (step.Outcome, string) {
	switch c.Node.ShortType() {
	case "SetVariableAction":
		return s.setVariable(ctx, c)
	case "SetDynamicVariablesAction":
		before := values(c)
		out := s.real.Run(ctx, c)
		return out, changes(before, values(c))
	case "RebootAction":
		return s.reboot(ctx, c), ""
	case "PartitionDiskAction":
		return s.partition(ctx, c)
	case "ApplyOperatingSystemAction":
		s.world.disk = diskBare
		return step.Outcome{}, ""
	case "SetupWindowsAndSMSAction":
		s.world.disk = diskReady
		return step.Outcome{Restart: &step.Restart{Target: step.HD}}, ""
	case "PrepareOSAction":
		if c.Variables.True("OSDShutdownPreparedOs") {
			return step.Outcome{}, ""
		}
		return step.Outcome{Restart: &step.Restart{Target: step.BootImage}}, ""
	}
	switch real := s.real.(type) {
	case step.NextPhase:
		before := one(c, "PHASE")
		out := real.Run(ctx, c)
		return out, changes(before, one(c, "PHASE"))
	case step.ToolkitStep:
		return s.toolkit(ctx, c, real)
	}
	if _, unknown := s.real.(step.Unsupported); unknown {
		return step.Outcome{}, "this version cannot run its type and takes it to succeed"
	}
	return step.Outcome{}, ""
}

// setVariable looks at the one variable the step names: comparing all of them would make a simulation's time grow with
// the square of their number. Only an old export, whose step names it in the action, is compared as a whole.
func (s simulated) setVariable(ctx context.Context, c *step.Context) (step.Outcome, string) {
	look := values
	if input, ok := c.Node.Input("VariableName"); ok {
		name := strings.TrimSpace(c.Variables.Expand(input))
		look = func(c *step.Context) map[string]string { return one(c, name) }
	}
	before := look(c)
	out := s.real.Run(ctx, c)
	return out, changes(before, look(c))
}

// toolkit is a script of MDT or PSD: what decides where the machine starts next, and the letters of a new disk.
func (s simulated) toolkit(ctx context.Context, c *step.Context, real step.ToolkitStep) (step.Outcome, string) {
	switch real.Means() {
	case step.MeansPartition:
		return s.partition(ctx, c)
	case step.MeansInstallOS: // it goes on in the system by itself
		s.world.disk = diskReady
	case step.MeansBootImage:
		if c.Environment == tsengine.FullOS {
			s.world.staged = true
			return step.Outcome{}, "its restart leads to the boot environment"
		}
	}
	return step.Outcome{}, ""
}

// reboot is the real step, except that MDT's "whatever is next" is the disk once a system was applied.
func (s simulated) reboot(ctx context.Context, c *step.Context) step.Outcome {
	out := s.real.Run(ctx, c)
	if out.Restart == nil || out.Restart.Target != step.SameTarget {
		return out
	}
	switch {
	case s.world.staged:
		out.Restart.Target, s.world.staged = step.BootImage, false
	case c.Environment == tsengine.WinPE && s.world.disk == diskReady:
		out.Restart.Target = step.HD
	}
	return out
}

// partition lets the real step lay out a disk that is not there, for the letters and their variables. A layout that it
// would refuse is told and does not fail the simulation, which knows nothing of the disks.
func (s simulated) partition(ctx context.Context, c *step.Context) (step.Outcome, string) {
	s.world.disk = diskEmpty
	c.Machine.Disks = imaginedDisks{}
	before := values(c)
	if out := s.real.Run(ctx, c); out.Err != nil {
		return step.Outcome{}, "its letter variables are unknown: " + out.Err.Error()
	}
	return step.Outcome{}, changes(before, values(c))
}

// imaginedDisks are as large as needed.
type imaginedDisks struct{}

// Partition implements machine.Disks.
func (imaginedDisks) Partition(_ context.Context, r machine.DiskRequest, _ machine.Progress) ([]machine.Volume, error) {
	disk := 0
	if r.Disk != nil {
		disk = *r.Disk
	}
	out := make([]machine.Volume, len(r.Partitions))
	for i := range out {
		out[i] = machine.Volume{Disk: disk, Partition: i + 1}
	}
	return out, nil
}

// values are the global variables as they may be shown.
func values(c *step.Context) map[string]string {
	out := map[string]string{}
	for _, v := range c.Variables.List() {
		out[v.Name] = v.Value
	}
	return out
}

// one is what values has of one variable.
func one(c *step.Context, name string) map[string]string {
	value, ok := c.Variables.LookupGlobal(name)
	switch {
	case !ok:
		return nil
	case c.Variables.Secret(name):
		value = variable.Mask
	}
	return map[string]string{name: value}
}

// maxChanges bounds how many variables one reason names.
const maxChanges = 20

func changes(before, after map[string]string) string {
	var out []string
	for name, value := range after {
		if before[name] != value {
			out = append(out, fmt.Sprintf("sets %s to '%s'", name, value))
		}
	}
	for name := range before {
		if _, still := after[name]; !still {
			out = append(out, "deletes "+name)
		}
	}
	slices.Sort(out)
	if len(out) > maxChanges {
		out = append(out[:maxChanges], fmt.Sprintf("and %d more", len(out)-maxChanges))
	}
	return strings.Join(out, ", ")
}

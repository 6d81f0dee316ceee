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
	case "SetVariableAction", "SetDynamicVariablesAction":
		return changing(c, func() step.Outcome { return s.real.Run(ctx, c) })
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
		return changing(c, func() step.Outcome { return real.Run(ctx, c) })
	case step.ToolkitStep:
		return s.toolkit(ctx, c, real)
	}
	if _, unknown := s.real.(step.Unsupported); unknown {
		return step.Outcome{}, "this version cannot run its type and takes it to succeed"
	}
	return step.Outcome{}, ""
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
	out, changes := changing(c, func() step.Outcome { return s.real.Run(ctx, c) })
	if out.Err != nil {
		return step.Outcome{}, "its letter variables are unknown: " + out.Err.Error()
	}
	return step.Outcome{}, changes
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

// maxChanges bounds how many variables one reason names.
const maxChanges = 20

// changing is what a step does and which variables it changes.
func changing(c *step.Context, run func() step.Outcome) (out step.Outcome, words string) {
	var list []string
	for _, v := range c.Variables.Changes(func() { out = run() }) {
		if v.Deleted {
			list = append(list, "deletes "+v.Name)
		} else {
			list = append(list, fmt.Sprintf("sets %s to '%s'", v.Name, v.Value))
		}
	}
	slices.Sort(list)
	if len(list) > maxChanges {
		list = append(list[:maxChanges], fmt.Sprintf("and %d more", len(list)-maxChanges))
	}
	return out, strings.Join(list, ", ")
}

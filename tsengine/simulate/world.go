package simulate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/step"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// world stands in for the machine.
type world struct {
	sequence    *sequence.Sequence
	variables   *variable.Environment
	environment tsengine.Environment
	began       tsengine.Environment
	codes       map[string]uint32
	used        map[string]bool // names of nodes
	note        map[int]string  // by pointer: what the simulated step did
	again       map[int]int
	recorder    *recorder
	checkpoint  *tsengine.Checkpoint
	warnings    []string
	disk        diskState
	staged      bool // MDT's next restart leads to the boot environment
}

// diskState is what a restart to the disk would find.
type diskState int

const (
	diskUnknown diskState = iota // nobody touched it: it is taken to hold a system with an agent
	diskEmpty                    // partitioned, nothing applied
	diskBare                     // a system without an agent
	diskReady                    // a system that goes on with the sequence
)

// Save implements tsengine.CheckpointStore.
func (w *world) Save(_ context.Context, c tsengine.Checkpoint) error {
	w.checkpoint = &c
	return nil
}

func (w *world) warn(format string, args ...any) {
	if len(w.warnings) < 1000 {
		w.warnings = append(w.warnings, fmt.Sprintf(format, args...))
	}
}

func (w *world) names(nodes []*sequence.Node) {
	for _, n := range nodes {
		if n.Kind != sequence.Group {
			w.used[n.Name] = true
		}
	}
}

// code is what a step ends with, and whether the facts say so. A key that is the name of a step means that, else it is a
// pointer, else the name in another case.
func (w *world) code(pointer int, n *sequence.Node) (uint32, bool) {
	if c, ok := w.codes[n.Name]; ok {
		return c, true
	}
	key := strconv.Itoa(pointer)
	if c, ok := w.codes[key]; ok && !w.used[key] {
		return c, true
	}
	for _, name := range slices.Sorted(maps.Keys(w.codes)) { // at most a handful; of two spellings the same one each time
		if !w.used[name] && strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(n.Name)) {
			return w.codes[name], true
		}
	}
	if len(n.SuccessCodes) == 0 {
		return 0, false
	}
	return n.SuccessCodes[0], false
}

func (w *world) known(key string, nodes int) bool {
	for name := range w.used {
		if strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(key)) {
			return true
		}
	}
	pointer, err := strconv.Atoi(key)
	return err == nil && pointer >= 0 && pointer < nodes
}

// absent is a Run Task Sequence whose child is not at hand.
func (w *world) absent(pointer int, n *sequence.Node) (uint32, error) {
	code, given := w.code(pointer, n)
	if given && !slices.Contains(n.SuccessCodes, code) {
		return code, nil
	}
	w.note[pointer] = fmt.Sprintf("child task sequence %s is not at hand: its nodes are not simulated and it is taken to succeed", n.ChildID())
	w.warn("child task sequence %s (%q, pointer %d) is not at hand and taken to succeed; hand it in to see its nodes", n.ChildID(), n.Name, pointer)
	return 0, nil
}

// canRestart implements the checks of TS-46, TS-110 and TS-118a for what is known.
func (w *world) canRestart(t step.Target) error {
	if t == step.BootImage {
		// A bare document cannot say which boot image it has; an exported object can.
		if len(w.sequence.Properties) > 0 && w.sequence.BootImageID == "" && w.variables.Value("_SMSTSBootImageID") == "" {
			return tsengine.ErrNoBootImage
		}
		return nil
	}
	switch {
	case w.environment == tsengine.FullOS || w.disk == diskReady:
		return nil
	case w.disk == diskEmpty:
		return tsengine.ErrNoSystem
	case w.disk == diskBare:
		return tsengine.ErrNoAgent
	}
	w.warn("the disk is taken to hold an operating system with an agent, because the sequence did not change it before a restart to HD")
	return nil
}

// restarted moves to the environment the restart leads to.
func (w *world) restarted(r tsengine.Result) {
	before := w.environment
	w.environment = tsengine.WinPE
	if r.Restart.Target == step.HD {
		w.environment = tsengine.FullOS
	}
	if n := &w.recorder.nodes[r.Pointer]; before != w.environment {
		n.Reason = join(n.Reason, "the environment is "+name(w.environment)+" from here on")
	}
}

type noFiles struct{}

// Stat implements condition.Files.
func (noFiles) Stat(string) (condition.Info, error) { return condition.Info{}, fs.ErrNotExist }

// askedFacts and askedFiles warn of what the machine's description does not speak of, once for each class or kind: the
// conditions that ask for it are false (TS-76).
type askedFacts struct {
	condition.Facts
	world *world
}

func (w *world) facts(of condition.Facts) condition.Facts {
	if of == nil {
		return nil
	}
	return askedFacts{of, w}
}

// Holds implements condition.Facts.
func (a askedFacts) Holds(ctx context.Context, x *sequence.Expression) (condition.Verdict, error) {
	v, err := a.Facts.Holds(ctx, x)
	if errors.Is(err, condition.ErrUnknown) {
		a.world.unknown(err)
	}
	return v, err
}

type askedFiles struct {
	condition.Files
	world *world
}

// Stat implements condition.Files.
func (a askedFiles) Stat(path string) (condition.Info, error) {
	info, err := a.Files.Stat(path)
	if errors.Is(err, condition.ErrUnknown) {
		a.world.unknown(fmt.Errorf("%w: no list of files", err))
	}
	return info, err
}

func (w *world) unknown(err error) {
	text := fmt.Sprintf("%v; conditions that ask for it are false (TS-76)", err)
	if !slices.Contains(w.warnings, text) {
		w.warn("%s", text)
	}
}

type noCommands struct{}

// Run implements machine.Commands.
func (noCommands) Run(context.Context, machine.Command) (machine.Exit, error) {
	return machine.Exit{}, errors.New("a simulation runs no commands")
}

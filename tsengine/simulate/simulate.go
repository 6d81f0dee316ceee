package simulate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// maxAgain bounds how often one step may be run again after restarts (TS-112): more would never end.
const maxAgain = 10

// Options is what to simulate. Sequence is required.
type Options struct {
	Sequence *sequence.Sequence
	Children map[string]*sequence.Sequence // by package id; one that is missing is taken to succeed
	Machine  Machine
	Set      []variable.Assignment // over the machine's variables
}

// Machine is the machine in question. The zero value knows nothing.
type Machine struct {
	Environment tsengine.Environment // empty: see Begins
	Variables   map[string]string
	ExitCodes   map[string]uint32 // by the name or the pointer of a step; others end with their first success code
	Hardware    tsengine.Hardware
	Facts       condition.Facts // nil: what needs Windows is false (TS-76)
	Files       condition.Files // nil: there are none
}

// Walk simulates. A sequence that fails is no error, it is the trace's outcome; errors are facts that make no sense and
// a cancelled context.
func Walk(ctx context.Context, o Options) (*Trace, error) {
	if o.Sequence == nil {
		return nil, errors.New("no task sequence to simulate")
	}
	w, err := newWorld(o)
	if err != nil {
		return nil, err
	}
	engine, err := tsengine.New(w.config(o))
	if err != nil {
		return w.refused(o.Sequence, err), nil
	}
	w.recorder.begin(engine.Outline())
	result, err := w.run(ctx, engine)
	if err != nil {
		return nil, err
	}
	return w.trace(result), nil
}

// Begins is the environment a simulation starts in when the facts name none: what _SMSTSInWinPE says if it is given;
// else the boot environment for a sequence with a boot image or a step that installs an operating system from there;
// else the full operating system. Child sequences that are at hand count like the nodes of s (TS-120).
func Begins(s *sequence.Sequence, children map[string]*sequence.Sequence, inWinPE string) tsengine.Environment {
	switch strings.ToLower(strings.TrimSpace(inWinPE)) {
	case "true":
		return tsengine.WinPE
	case "false":
		return tsengine.FullOS
	}
	c := beginning{children: children, seen: map[*sequence.Sequence]bool{}, boots: s.BootImageID != ""}
	c.look(s)
	if c.boots && !c.upgrades {
		return tsengine.WinPE
	}
	return tsengine.FullOS
}

// beginning looks for steps that only make sense from one of the two environments.
type beginning struct {
	children        map[string]*sequence.Sequence
	seen            map[*sequence.Sequence]bool
	boots, upgrades bool
}

func (b *beginning) look(s *sequence.Sequence) {
	if s == nil || b.seen[s] {
		return
	}
	b.seen[s] = true
	for _, n := range s.All() {
		if !n.Enabled() {
			continue
		}
		switch {
		case n.Kind == sequence.SubSequence:
			b.look(b.children[n.ChildID()])
		case n.Kind == sequence.Group:
		case n.ShortType() == "UpgradeOperatingSystemAction":
			b.upgrades = true
		default:
			switch n.ShortType() {
			case "PartitionDiskAction", "ApplyOperatingSystemAction", "BDD_InstallOS", "SetupWindowsAndSMSAction":
				b.boots = true
			}
		}
	}
}

func newWorld(o Options) (*world, error) {
	w := &world{sequence: o.Sequence, codes: o.Machine.ExitCodes, used: map[string]bool{}, note: map[int]string{}, again: map[int]int{}}
	w.variables = variable.New()
	given := make([]variable.Assignment, 0, len(o.Machine.Variables)+len(o.Set))
	for _, name := range slices.Sorted(maps.Keys(o.Machine.Variables)) { // of two spellings the same one each time
		given = append(given, variable.Assignment{Name: name, Value: o.Machine.Variables[name]})
	}
	for _, a := range append(given, o.Set...) {
		set := w.variables.Set
		if a.Secret {
			set = w.variables.SetSecret
		}
		if err := set(a.Name, a.Value); err != nil {
			return nil, fmt.Errorf("variable of the machine: %w", err)
		}
	}
	w.environment = o.Machine.Environment
	if w.environment == "" {
		w.environment = Begins(o.Sequence, o.Children, w.variables.Value("_SMSTSInWinPE"))
	}
	w.began = w.environment
	w.names(o.Sequence.All())
	for _, child := range o.Children {
		w.names(child.All())
	}
	w.recorder = &recorder{because: map[int]string{}, origin: -1, mask: w.variables.Mask, notes: func(i int) string { return w.note[i] }}
	return w, nil
}

func (w *world) config(o Options) tsengine.Config {
	files := o.Machine.Files
	if files == nil {
		files = noFiles{}
	}
	files = askedFiles{files, w}
	hardware := o.Machine.Hardware
	hardware.UEFI = hardware.UEFI || w.variables.True("_SMSTSBootUEFI")
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	sealer, _ := tsengine.NewSealer(key)
	return tsengine.Config{
		Sequence: o.Sequence, Children: o.Children, Environment: w.environment, Variables: w.variables,
		Identity: tsengine.Identity{
			PackageID: w.variables.Value("_SMSTSPackageID"), PackageName: w.variables.Value("_SMSTSPackageName"),
			DownloadOnDemand: w.variables.True("_SMSTSDownloadOnDemand"), UserStarted: w.variables.True("_SMSTSUserStarted"),
		},
		Hardware: w.overrideHardware(hardware),
		Machine:  machine.Capabilities{Commands: noCommands{}}, Facts: w.facts(o.Machine.Facts), Files: files,
		Steps: w.step, Absent: w.absent, CanRestart: w.canRestart,
		Store: w, Sealer: sealer, Reporter: w.recorder,
	}
}

// overrideHardware leaves out what the variables of the machine say already.
func (w *world) overrideHardware(hw tsengine.Hardware) tsengine.Hardware {
	for name, field := range map[string]*string{
		"_SMSTSMake": &hw.Make, "_SMSTSModel": &hw.Model, "_SMSTSSerialNumber": &hw.SerialNumber, "_SMSTSAssetTag": &hw.AssetTag,
		"_SMSTSUUID": &hw.UUID, "_TSSecureBoot": &hw.SecureBoot,
	} {
		if w.variables.Value(name) != "" {
			*field = ""
		}
	}
	for name, field := range map[string]*[]string{
		"_SMSTSMacAddresses": &hw.MACAddresses, "_SMSTSIPAddresses": &hw.IPAddresses, "_SMSTSDefaultGateways": &hw.DefaultGateways,
	} {
		if w.variables.Value(name) != "" {
			*field = nil
		}
	}
	return hw
}

// run goes through the restarts until the end.
func (w *world) run(ctx context.Context, engine *tsengine.Engine) (tsengine.Result, error) {
	for {
		result, err := engine.Run(ctx)
		switch {
		case err != nil:
			return result, err
		case result.Outcome == tsengine.Cancelled:
			return result, context.Cause(ctx)
		case result.Outcome != tsengine.RestartRequested:
			return result, nil
		}
		if w.checkpoint.Next == result.Pointer {
			if w.again[result.Pointer]++; w.again[result.Pointer] > maxAgain {
				return w.endless(result), nil
			}
		}
		w.restarted(result)
		if engine, err = engine.Resume(w.checkpoint, w.environment); err != nil {
			return result, err
		}
	}
}

// endless ends a step that asks to be run again after each restart.
func (w *world) endless(r tsengine.Result) tsengine.Result {
	n := &w.recorder.nodes[r.Pointer]
	n.Result = Failed
	n.Reason = fmt.Sprintf("the step asks for a restart and to be run again each time (SMSTSRetryRequested, TS-112); the simulation gave up after %d times", maxAgain)
	return tsengine.Result{Outcome: tsengine.Failed, Pointer: r.Pointer, Step: r.Step, Error: n.Reason}
}

// trace closes the books.
func (w *world) trace(r tsengine.Result) *Trace {
	t := &Trace{Outcome: Success, Environment: name(w.began), Variables: map[string]string{}, Nodes: w.recorder.nodes, Warnings: w.warnings}
	if r.Outcome == tsengine.Failed {
		text := r.Error
		if r.Step != "" {
			text = fmt.Sprintf("%q (pointer %d): %s", r.Step, r.Pointer, r.Error)
		}
		t.Outcome, t.Error = Failure, &text
		w.recorder.unreached(0, len(t.Nodes), fmt.Sprintf("the task sequence failed at %q (pointer %d)", r.Step, r.Pointer))
	}
	for _, v := range w.variables.List() {
		t.Variables[v.Name] = v.Value
	}
	for i := range t.Nodes {
		t.Nodes[i].Name, t.Nodes[i].Reason = w.variables.Mask(t.Nodes[i].Name), w.variables.Mask(t.Nodes[i].Reason)
	}
	for key := range w.codes {
		if !w.known(key, len(t.Nodes)) {
			t.Warnings = append(t.Warnings, fmt.Sprintf("exit code for %q: no node has this name or pointer", key))
		}
	}
	for i := range t.Warnings {
		t.Warnings[i] = w.variables.Mask(t.Warnings[i])
	}
	slices.Sort(t.Warnings)
	t.Warnings = slices.Compact(t.Warnings)
	if t.Warnings == nil {
		t.Warnings = []string{}
	}
	return t
}

// refused is the trace of a sequence that does not even start.
func (w *world) refused(s *sequence.Sequence, err error) *Trace {
	var places []tsengine.Place
	for i, n := range s.All() {
		p := tsengine.Place{Pointer: i, Parent: -1, End: i + 1, Node: n}
		if n.Parent != nil {
			p.Parent = n.Parent.Pointer
		}
		places = append(places, p)
	}
	w.recorder.begin(places)
	w.recorder.unreached(0, len(places), "the task sequence does not start")
	return w.trace(tsengine.Result{Outcome: tsengine.Failed, Error: err.Error()})
}

func name(e tsengine.Environment) string {
	if e == tsengine.FullOS {
		return "fullos"
	}
	return "winpe"
}

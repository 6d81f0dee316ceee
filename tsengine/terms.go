package tsengine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

// terms are the properties of the sequence that decide before the first step whether it may run on this machine, and what
// must have run there. They hold only for a start in a full operating system, not under PXE and from boot media (TS-8).
// An error is a record that could not be written, without which the program is not begun.
func (e *Engine) terms(ctx context.Context) (*failure, error) {
	if e.config.Environment != FullOS || e.config.Identity.LaunchMode != "SMS" {
		return nil, nil
	}
	if err := e.supported(ctx); err != nil {
		return &failure{origin: -1, code: step.CodeEnvironment, reason: err.Error()}, nil
	}
	id, program, ok := e.config.Sequence.RunFirst()
	if !ok || e.hasRun(id, program) {
		return nil, nil
	}
	if err := ctx.Err(); err != nil { // before the record, which would say that it was begun
		return &failure{origin: -1, code: step.CodeCancelled, reason: err.Error()}, nil
	}
	// As before a step with effects: one that takes the machine down would else be begun again after each restart (TS-112a).
	if err := e.save(ctx, func(c *Checkpoint) { c.RunFirst = true }); err != nil {
		return nil, err
	}
	e.log(smstslog.Info, fmt.Sprintf("Program %q of package %s is to run first (TS-8)", program, id))
	n := &sequence.Node{Kind: sequence.Step, Type: sequence.TypePrefix + "InstallSoftwareAction", Name: "Run another program first", SuccessCodes: []uint32{0},
		Defaults: []sequence.Variable{{Name: "PackageID", Value: id, Hidden: true}, {Name: "_SMSSWDProgramName", Value: program, Hidden: true}}}
	out := e.performNode(ctx, step.InstallPackage{}, n, func(int64, int64, string) {})
	switch {
	case out.Err != nil:
		return &failure{origin: -1, code: out.Code, reason: fmt.Sprintf("the program that is to run first failed, and no step was run: %v", out.Err)}, nil
	case out.Restart != nil:
		e.log(smstslog.Warning, "The program that ran first wants a restart, which comes with the sequence's own")
	}
	return nil, nil
}

// firstInterrupted is the failure of a run that was resumed at the program that is to run first, nil for every other one,
// and for one whose program is known to have ended well (TS-8, TS-112a).
func (e *Engine) firstInterrupted() *failure {
	id, program, ok := e.config.Sequence.RunFirst()
	if !e.firstBegun || !ok || e.hasRun(id, program) {
		return nil
	}
	return &failure{origin: -1, code: step.CodeInterrupted, reason: fmt.Sprintf("the machine or the agent went down while program %q of package %s, which is to run first, was running; no step was run, and it is not run again because its effects are unknown: put a program that restarts the machine into a step of the sequence (TS-8, TS-112a)", program, id)}
}

func (e *Engine) hasRun(id, program string) bool {
	software := e.config.Machine.Software
	return software != nil && software.HasRun(id, program)
}

// supported compares the machine with the platforms that the sequence lists.
func (e *Engine) supported(ctx context.Context) error {
	list := e.config.Sequence.Platforms()
	if len(list) == 0 {
		return nil
	}
	windows := e.config.Machine.Programs != nil && e.config.Machine.Programs.Windows()
	if !windows {
		return errors.New("the sequence supports the platforms that its properties list, all of them Windows, and this is not Windows; choose \"any platform\" in its properties (TS-8)")
	}
	if e.config.Machine.Readiness == nil {
		return errors.New("the sequence supports certain platforms only, and what runs here is not known (TS-8)")
	}
	facts, err := e.config.Machine.Readiness.Readiness(ctx)
	if err != nil {
		return fmt.Errorf("find out whether the platform is supported: %w", err)
	}
	for _, p := range list {
		if platformHolds(p, facts) {
			return nil
		}
	}
	return fmt.Errorf("Windows %s (%d bit) is none of the %d platforms that the sequence supports; add it in the sequence's properties (TS-8)", facts.OSVersion, facts.Architecture, len(list)) //nolint:staticcheck // a name begins it
}

func platformHolds(p sequence.Platform, facts machine.ReadinessFacts) bool {
	architecture := map[string]int{"x64": 64, "i386": 32, "x86": 32}[strings.ToLower(p.Architecture)]
	return (architecture == 0 || architecture == facts.Architecture) &&
		(p.MinimumVersion == "" || compareVersions(facts.OSVersion, p.MinimumVersion) >= 0) &&
		(p.MaximumVersion == "" || compareVersions(facts.OSVersion, p.MaximumVersion) <= 0)
}

// compareVersions compares numbers between dots; what is missing is 0.
func compareVersions(a, b string) int {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(left), len(right)) {
		var x, y uint64
		if i < len(left) {
			x, _ = strconv.ParseUint(left[i], 10, 32)
		}
		if i < len(right) {
			y, _ = strconv.ParseUint(right[i], 10, 32)
		}
		if x != y {
			return map[bool]int{true: 1, false: -1}[x > y]
		}
	}
	return 0
}

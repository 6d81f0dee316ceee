package tsengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// checkpointVersion is that of the format below.
const checkpointVersion = 1

// Checkpoint is the state of a run between two nodes, or within one step with effects (TS-112a, TS-115). It marshals to
// JSON; secrets are sealed.
type Checkpoint struct {
	Version      int                        `json:"version"`
	Number       uint64                     `json:"number"` // rises by one with each save of a run; writing the same number again is harmless
	Time         time.Time                  `json:"time"`
	SequenceID   string                     `json:"sequenceId,omitempty"`
	SequenceHash string                     `json:"sequenceHash"`
	Environment  Environment                `json:"environment"`      // where it was made
	Awaits       Environment                `json:"awaits,omitempty"` // a restart into this environment was asked for
	Next         int                        `json:"next"`             // pointer of the node to run next
	Started      bool                       `json:"started,omitempty"`
	Tries        int                        `json:"tries,omitempty"`     // how often the started step was run again (TS-113)
	Continues    bool                       `json:"continues,omitempty"` // the step itself asked to go on after a restart
	RunFirst     bool                       `json:"runFirst,omitempty"`  // the program that runs before the first step was begun (TS-8)
	StepName     string                     `json:"stepName,omitempty"`  // of that node, for people
	Last         LastAction                 `json:"last"`
	StepsDone    int                        `json:"stepsDone"`
	AgentOnDisk  bool                       `json:"agentOnDisk,omitempty"` // a restart to HD finds an agent
	Variables    []variable.Entry           `json:"variables"`
	Volumes      []machine.Volume           `json:"volumes,omitempty"`
	Capabilities map[string]json.RawMessage `json:"capabilities,omitempty"` // state of those that are machine.Stateful
	Result       *Result                    `json:"result,omitempty"`       // the run has ended
	Debug        *DebugState                `json:"debug,omitempty"`        // of a run in debug mode (DBG-7)
}

// CheckpointStore keeps the state of a run.
type CheckpointStore interface {
	// Save makes a checkpoint durable before it returns; a later one replaces all earlier ones. The same number may come
	// twice, with the same content. An error stops the run before the next step with effects (TS-117a), so a store with
	// two places reports one only when both fail. Retrying and waiting is the store's business.
	Save(ctx context.Context, c Checkpoint) error
}

// Sealer encrypts the secrets of checkpoints.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Errors of resuming.
var (
	ErrOtherSequence    = errors.New("the checkpoint belongs to another version of the task sequence")
	ErrWrongEnvironment = errors.New("the run does not go on in this environment")
)

// Between two nodes without effects a checkpoint is written after so many nodes or so much time: they run again in the
// same way from the earlier one (TS-112a).
const (
	saveNodes = 256
	saveEvery = time.Second
	lateSave  = 10 * time.Second
)

func (e *Engine) seal(plain []byte) ([]byte, error) {
	if e.config.Sealer == nil {
		return nil, errors.New("no sealer is configured and secrets are not stored in clear")
	}
	return e.config.Sealer.Seal(plain)
}

func (e *Engine) open(sealed []byte) ([]byte, error) {
	if e.config.Sealer == nil {
		return nil, errors.New("no sealer is configured")
	}
	return e.config.Sealer.Open(sealed)
}

// save writes a checkpoint; change fills in what is special about it.
func (e *Engine) save(ctx context.Context, change func(*Checkpoint)) error {
	if e.config.Store == nil {
		return nil
	}
	entries, err := e.variables.Snapshot(e.seal)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	c := Checkpoint{
		Version: checkpointVersion, Number: e.number + 1, Time: e.config.Now().UTC(),
		SequenceID: e.packageID(), SequenceHash: e.program.hash, Environment: e.config.Environment,
		Next: e.next, Continues: e.continues == e.next+1, Last: e.last, StepsDone: e.stepsDone, AgentOnDisk: e.agentOnDisk,
		Variables: entries, Volumes: e.Volumes(), Debug: e.debugState(),
	}
	if e.next < len(e.program.code) {
		c.StepName = e.variables.Mask(e.program.code[e.next].node.Name)
	}
	if c.Capabilities, err = e.capabilityStates(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if change != nil {
		change(&c)
	}
	if ctx.Err() != nil {
		// What a step finished just before the run was cancelled is still worth recording, for a short while.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lateSave)
		defer cancel()
	}
	if err := e.config.Store.Save(ctx, c); err != nil {
		return fmt.Errorf("save checkpoint %d: %w", c.Number, err)
	}
	e.number, e.unsaved, e.savedAt = c.Number, 0, e.config.Now()
	return nil
}

// saveSoon is save for nodes without effects.
func (e *Engine) saveSoon(ctx context.Context) error {
	e.unsaved++
	if e.config.Store == nil || e.unsaved < saveNodes && e.config.Now().Sub(e.savedAt) < saveEvery {
		return nil
	}
	return e.save(ctx, nil)
}

func (e *Engine) capabilities() map[string]any {
	m := e.config.Machine
	return map[string]any{"disks": m.Disks, "images": m.Images, "osSetup": m.OSSetup, "content": m.Content, "commands": m.Commands}
}

func (e *Engine) capabilityStates() (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	for name, capability := range e.capabilities() {
		s, ok := capability.(machine.Stateful)
		if !ok {
			continue
		}
		state, err := s.State()
		if err != nil {
			return nil, fmt.Errorf("state of %s: %w", name, err)
		}
		if out == nil {
			out = map[string]json.RawMessage{}
		}
		out[name] = state
	}
	// What the present environment has no capability for must survive until one that has.
	if e.config.Checkpoint != nil {
		for name, state := range e.config.Checkpoint.Capabilities {
			if _, have := out[name]; !have {
				if out == nil {
					out = map[string]json.RawMessage{}
				}
				out[name] = state
			}
		}
	}
	return out, nil
}

// restore takes up a checkpoint.
func (e *Engine) restore(c *Checkpoint) error {
	if c.Version != checkpointVersion {
		return fmt.Errorf("checkpoint format %d is not supported; this version reads %d", c.Version, checkpointVersion)
	}
	if c.SequenceHash != e.program.hash {
		return fmt.Errorf("%w; hand in the one the run was started with", ErrOtherSequence)
	}
	if c.Next < 0 || c.Next > len(e.program.code) || c.Started && c.Next == len(e.program.code) {
		return fmt.Errorf("checkpoint position %d is outside the sequence", c.Next)
	}
	if c.Result == nil {
		expected := c.Environment
		if c.Awaits != "" {
			expected = c.Awaits
		}
		if c.Started && e.config.Environment == FullOS && e.implementation(c.Next).Contract().EntersOS {
			expected = FullOS
		}
		if expected != e.config.Environment {
			return fmt.Errorf("%w: it waits for %s and this is %s; start the machine from %s", ErrWrongEnvironment, expected, e.config.Environment, bootPlace(expected))
		}
	}
	if err := e.variables.Restore(c.Variables, e.open); err != nil {
		return err
	}
	for name, capability := range e.capabilities() {
		s, ok := capability.(machine.Stateful)
		state := c.Capabilities[name]
		if !ok || state == nil {
			continue
		}
		if err := s.Restore(state); err != nil {
			return fmt.Errorf("checkpoint: state of %s: %w", name, err)
		}
	}
	e.volumes.Volumes = append([]machine.Volume(nil), c.Volumes...)
	e.number, e.next, e.last, e.stepsDone, e.agentOnDisk = c.Number, c.Next, c.Last, c.StepsDone, c.AgentOnDisk
	e.interrupted, e.done, e.tries, e.firstBegun = c.Started, c.Result, c.Tries, c.RunFirst
	if c.Continues && !c.Started {
		e.continues = c.Next + 1
	}
	e.restoreDebug(c.Debug)
	e.entersOS = c.Started && c.Environment == WinPE && e.config.Environment == FullOS
	if e.next < len(e.program.code) {
		e.entered = e.ancestors(e.next)
	}
	return nil
}

func bootPlace(env Environment) string {
	if env == FullOS {
		return "its disk"
	}
	return "the network or the boot medium"
}

// awaits translates a restart target into the environment that goes on.
func awaits(t step.Target) Environment {
	if t == step.HD {
		return FullOS
	}
	return WinPE
}

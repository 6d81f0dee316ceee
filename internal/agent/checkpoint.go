package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/agent/outbox"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
)

const (
	stateFile = "state.json" // last checkpoint
	keyFile   = "key"        // seals the secrets in it
	runFile   = "run.json"   // the run as the appliance gave it
	idFile    = "id"         // the run's id, beside a copy of its state
	keySize   = 32
	// maxState bounds a checkpoint (wire.Checkpoint).
	maxState = 32 << 20
	// tryCheckpoint is how long a step waits for an appliance that does not answer; the run goes on without it.
	tryCheckpoint = 10 * time.Second
)

// sealedState is a checkpoint as the appliance keeps it. The key travels with it, because a machine that lost its memory
// has nothing else; the appliance holds the run's secrets anyway.
type sealedState struct {
	Key        []byte               `json:"key"`
	Checkpoint *tsengine.Checkpoint `json:"checkpoint"`
}

func newKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return key
}

// checkpoints is the engine's store (TS-117a). In the boot environment the appliance has the last word and the folders
// are copies; in an installed system the folder is what counts.
type checkpoints struct {
	line        outbox.Line
	run         string
	key         []byte
	environment wire.Environment
	clock       link.Clock
	backoff     link.Backoff // for a restart that has to wait for the appliance
	say         func(format string, args ...any)
	// folders are the places on this machine as of now, RAM first. Only what outlives a restart counts as a copy.
	folders func() (volatile, durable []string)
	// report, if not nil, delivers the status that is queued. In the boot environment the appliance gets it before the
	// checkpoint, since a power cut takes the queue along and the checkpoint keeps the steps from running again.
	report func(ctx context.Context)
	// moving puts the state into the applied operating system when a restart leads there (TS-118a).
	moving func(ctx context.Context, c tsengine.Checkpoint) error

	behind bool // the appliance lacks the last checkpoint
}

// Save implements tsengine.CheckpointStore.
func (s *checkpoints) Save(ctx context.Context, c tsengine.Checkpoint) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	volatile, durable := s.folders()
	inRAM, err := s.copies(volatile, data)
	onDisk, diskErr := s.copies(durable, data)
	localErr := errors.Join(err, diskErr)
	kept := onDisk > 0
	if s.environment == wire.FullOS {
		if !kept {
			return fmt.Errorf("keep the state of the run: %w", localErr)
		}
		if c.Awaits == tsengine.WinPE {
			// The machine comes back by the network, and only the appliance can hand the state over there.
			return s.send(ctx, c, true)
		}
		return nil
	}
	if c.Awaits == tsengine.FullOS && s.moving != nil {
		if err := s.moving(ctx, c); err != nil {
			return fmt.Errorf("put the state of the run into the new operating system: %w", err)
		}
		kept = true
	}
	if s.report != nil && !s.behind {
		limited, cancel := context.WithTimeout(ctx, tryCheckpoint)
		s.report(limited)
		cancel()
	}
	err = s.send(ctx, c, c.Awaits != "" && !kept)
	switch {
	case err == nil:
		return nil
	case c.Awaits != "" && !kept, !link.Temporary(err):
		return err
	case kept || inRAM > 0:
		return nil // TS-117a: goes on with the local copy
	}
	return errors.Join(err, localErr)
}

// send brings a checkpoint to the appliance. must is for one without which the machine cannot restart: that waits.
func (s *checkpoints) send(ctx context.Context, c tsengine.Checkpoint, must bool) error {
	state, err := json.Marshal(sealedState{Key: s.key, Checkpoint: &c})
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	if len(state) > maxState {
		return fmt.Errorf("the state of the run has %d bytes, more than the appliance keeps: use fewer or shorter variables", len(state))
	}
	awaits := c.Environment
	if c.Awaits != "" {
		awaits = c.Awaits
	}
	message := wire.Checkpoint{Number: int64(c.Number), Awaits: wireEnvironment(awaits), State: state}
	try := func(ctx context.Context) error {
		return s.line.Do(ctx, http.MethodPut, link.Path(wire.PathCheckpoint, "run", s.run), message, nil)
	}
	if must {
		err = link.Retry(ctx, s.clock, s.backoff, func(err error, wait time.Duration) {
			s.say("the appliance must have the state of the run before this machine restarts, but: %v; next try in %s", err, wait.Round(time.Second))
		}, try)
	} else {
		limited, cancel := context.WithTimeout(ctx, tryCheckpoint)
		err = try(limited)
		cancel()
	}
	if err == nil && s.behind {
		s.say("the appliance is back and has the state of the run")
	}
	if err != nil && !s.behind {
		s.say("the appliance does not take the state of the run: %v", err)
	}
	s.behind = err != nil
	if err != nil {
		return fmt.Errorf("send checkpoint %d: %w", c.Number, err)
	}
	return nil
}

// copies writes the state to each folder and counts where that worked.
func (s *checkpoints) copies(dirs []string, data []byte) (n int, err error) {
	for _, dir := range dirs {
		if e := writeState(dir, s.run, s.key, data); e != nil {
			err = errors.Join(err, e)
			continue
		}
		n++
	}
	return n, err
}

func writeState(dir, run string, key, checkpoint []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writeSecret(filepath.Join(dir, idFile), []byte(run)); err != nil {
		return err
	}
	if err := writeSecret(filepath.Join(dir, keyFile), key); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, stateFile), checkpoint, 0o600)
}

// writeSecret leaves a file alone that holds the same already.
func writeSecret(name string, data []byte) error {
	if old, err := os.ReadFile(name); err == nil && string(old) == string(data) {
		return nil
	}
	return atomicfile.Write(name, data, 0o600)
}

// readState reads what writeState wrote. No state is no error: the run was claimed and not begun.
func readState(dir string) (key []byte, c *tsengine.Checkpoint, err error) {
	key, err = os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return newKey(), nil, nil
	}
	if err == nil && len(key) != keySize {
		err = fmt.Errorf("key has %d bytes", len(key))
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(filepath.Join(dir, stateFile))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return key, nil, nil
	}
	if err == nil {
		c = &tsengine.Checkpoint{}
		err = json.Unmarshal(data, c)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the state of the run in %s: %w", dir, err)
	}
	return key, c, nil
}

// openState reads a checkpoint of the appliance.
func openState(w *wire.Checkpoint) (key []byte, c *tsengine.Checkpoint, err error) {
	if w == nil || len(w.State) == 0 {
		return newKey(), nil, nil
	}
	var s sealedState
	if err := json.Unmarshal(w.State, &s); err != nil {
		return nil, nil, fmt.Errorf("read the state of the run from the appliance: %w", err)
	}
	if len(s.Key) != keySize || s.Checkpoint == nil {
		return nil, nil, errors.New("the state of the run on the appliance is incomplete: deploy the machine again")
	}
	return s.Key, s.Checkpoint, nil
}

func wireEnvironment(e tsengine.Environment) wire.Environment {
	if e == tsengine.FullOS {
		return wire.FullOS
	}
	return wire.WinPE
}

func engineEnvironment(e wire.Environment) tsengine.Environment {
	if e == wire.FullOS {
		return tsengine.FullOS
	}
	return tsengine.WinPE
}

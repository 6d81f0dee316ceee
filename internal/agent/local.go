package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// ErrEnded says that the run of a folder has come to its end.
var ErrEnded = errors.New("the run in this folder has ended")

// LocalRun is a task sequence that runs on this machine without an appliance: to try one, and for tests. Packages, disks
// and images need an appliance. All fields but Logger and Facts are required.
type LocalRun struct {
	XML         []byte // of the sequence, in any form that sequence.Parse reads
	Dir         string // state and smsts.log, 0700; a run that was interrupted goes on from there
	Environment wire.Environment
	Variables   []variable.Assignment
	Machine     host.Machine
	Local       machine.Capabilities
	Facts       func() *fact.Sheet
	Out         io.Writer // gets a line for each step
	Logger      *slog.Logger
}

// Execute runs the sequence to its end or to the first restart it asks for, which is left to the caller. ErrEnded when it
// came to its end before.
func (r LocalRun) Execute(ctx context.Context) (tsengine.Result, error) {
	s, err := sequence.Parse(r.XML)
	if err != nil {
		return tsengine.Result{}, fmt.Errorf("read the task sequence: %w", err)
	}
	state := filepath.Join(r.Dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return tsengine.Result{}, fmt.Errorf("make the folder of the run: %w", err)
	}
	key, from, err := readState(state)
	if err != nil {
		return tsengine.Result{}, fmt.Errorf("read the state of the run: %w", err)
	}
	if from != nil && from.Result != nil {
		return *from.Result, fmt.Errorf("%w; remove %s to run the sequence again", ErrEnded, r.Dir)
	}
	engine, log, err := r.engine(ctx, s, key, from)
	if err != nil {
		return tsengine.Result{}, err
	}
	result, err := engine.Run(ctx)
	return result, errors.Join(err, log.Close())
}

func (r LocalRun) engine(ctx context.Context, s *sequence.Sequence, key []byte, from *tsengine.Checkpoint) (*tsengine.Engine, *smstslog.Writer, error) {
	variables := variable.New()
	for _, a := range r.Variables {
		if err := variables.Assign(a); err != nil {
			return nil, nil, fmt.Errorf("variable %s: %w", a.Name, err)
		}
	}
	identity, err := r.Machine.Identity(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	sealer, err := tsengine.NewSealer(key)
	if err != nil {
		return nil, nil, err
	}
	var sheet *fact.Sheet
	if r.Facts != nil {
		sheet = r.Facts()
	}
	log, err := smstslog.Open(r.Dir, smstslog.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	engine, err := tsengine.New(tsengine.Config{
		Sequence: s, Environment: engineEnvironment(r.Environment), Variables: variables, Hardware: hardware(identity, sheet),
		Identity: tsengine.Identity{PackageName: s.Name, MachineName: identity.HostName}, Machine: r.Local, Facts: answers(sheet, r.Environment),
		Checkpoint: from, Store: localStore{filepath.Join(r.Dir, "state"), key}, Sealer: sealer,
		Reporter: tsengine.ReporterFunc(r.report), Log: log, Logger: r.Logger,
	})
	if err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	return engine, log, nil
}

// report shows each step that ended.
func (r LocalRun) report(e tsengine.Event) {
	switch e.Kind {
	case tsengine.StepSucceeded, tsengine.StepFailed:
		fmt.Fprintf(r.Out, "step %d of %d: %s: %s (code %d)\n", e.Step, e.Steps, e.Name, e.Kind, e.ExitCode)
	case tsengine.ScriptMessage:
		fmt.Fprintf(r.Out, "message: %s\n", e.Reason)
	case tsengine.StepProgress:
		if e.Total > 0 && e.Reason != "" {
			fmt.Fprintf(r.Out, "  %d of %d: %s\n", e.Current, e.Total, e.Reason)
		}
	}
}

// localStore keeps the state of a run in a folder.
type localStore struct {
	dir string
	key []byte
}

// Save implements tsengine.CheckpointStore.
func (s localStore) Save(_ context.Context, c tsengine.Checkpoint) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return writeState(s.dir, "local", s.key, data)
}

package agent

import (
	"context"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
)

// searchPatience bounds the search of the machine's volumes.
const searchPatience = 2 * time.Minute

// latestState is the newest state of a run by its number: the appliance's checkpoint, what an agent that was killed in
// this boot left in RAM, or what a run that was reset left on a volume while the appliance was away (TS-117a).
func (a *BootAgent) latestState(ctx context.Context, run wire.Run) ([]byte, *tsengine.Checkpoint, error) {
	key, from, err := openState(run.Checkpoint)
	if err != nil {
		return nil, nil, err
	}
	newer := func(place, dir string) {
		k, c, err := readState(dir)
		if err != nil {
			a.config.Console.Say("the state of the run %s is left out: %v", place, err)
			return
		}
		if c != nil && (from == nil || c.Number > from.Number) {
			a.config.Console.Say("the run goes on from its state %s: the appliance missed the last one", place)
			key, from = k, c
		}
	}
	if left, err := readRun(a.kit.runDir()); err == nil && left.ID == run.ID {
		newer("in memory", a.kit.runDir())
	} else if err := clearRun(a.kit.runDir()); err != nil {
		return nil, nil, err
	}
	if !a.resumed || a.kit.target == nil {
		return key, from, nil
	}
	ctx, cancel := context.WithTimeout(ctx, searchPatience)
	defer cancel()
	err = a.kit.target.States(ctx, func(dir string) {
		if runOf(dir) == run.ID {
			newer("on the disk", dir)
		}
	})
	if err != nil {
		// The appliance's state stands; a disk that cannot be read is no reason to stop.
		a.config.Console.Say("the machine's volumes were not searched for newer state: %v", err)
	}
	return key, from, nil
}

// runOf is the run whose state a folder holds, empty for none.
func runOf(dir string) string {
	if id, err := readSmall(filepath.Join(dir, idFile)); err == nil {
		return string(id)
	}
	if run, err := readRun(dir); err == nil {
		return run.ID
	}
	return ""
}

// toDisk is for a machine that came here although its run goes on in the installed system: the appliance did not hear of
// that, and hears of it now.
func (a *BootAgent) toDisk(ctx context.Context, run wire.Run, key []byte, from tsengine.Checkpoint) error {
	store := &checkpoints{line: a.session, run: run.ID, key: key, environment: wire.WinPE, clock: a.config.Clock, backoff: a.config.Backoff,
		say: a.config.Console.Say}
	if err := store.send(ctx, from, true); err != nil {
		return failure{err: err, remedy: "start this machine from its disk"}
	}
	a.config.Console.Say("the run goes on in the installed system; the machine starts from its disk")
	if err := a.config.Clock.Sleep(ctx, localPause); err != nil {
		return err
	}
	return a.config.Machine.Restart(ctx)
}

package site

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const stateKeySize = 32 // AES-256

// RequestState makes a state store for the run, or finds the one that its device may restore from (USM-2, USM-3). What is
// restored are secrets of people, so the device must be one that may have secrets (USM-5).
func (s *Service) RequestState(ctx context.Context, who Session, run string, r wire.StateRequest) (out wire.StateStore, err error) {
	if s.StateDir == "" {
		return out, refusal(503, "USM-1", "state", "this appliance keeps no user state", "set its state folder")
	}
	if r.State != "" {
		return s.stateAgain(ctx, who, run, r.State)
	}
	var old []string
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		own, err := activeRun(tx, who, run)
		if err != nil {
			return err
		}
		if !r.Restore { // a capture that begins anew gives up what came before it
			if old, err = dropIncomplete(tx, own.ID); err != nil {
				return err
			}
		}
		set, err := settings(tx)
		if err != nil {
			return err
		}
		out.MaxBytes = set.StateMaxBytes
		if r.Restore {
			return s.stateToRestore(tx, who, own, &out)
		}
		if err := s.roomForState(set, wire.MaxStatePiece); err != nil {
			return err
		}
		return s.stateToCapture(ctx, tx, own, &out)
	})
	for _, id := range old {
		if err == nil {
			err = s.removePieces(id)
		}
	}
	return out, err
}

// stateAgain gives a store to capture into to the run that requested it: between Request State Store and the capture the
// machine may have started anew, and the key is kept nowhere but here. A store that is complete comes without its key.
func (s *Service) stateAgain(ctx context.Context, who Session, run, id string) (out wire.StateStore, err error) {
	return out, s.Store.View(ctx, func(tx *store.Tx) error {
		own, err := activeRun(tx, who, run)
		if err != nil {
			return err
		}
		none := missing("state", "this run has no such state store to capture into", "request one")
		st, err := tx.UserState(id)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && st.Run != own.ID:
			return none
		case err != nil:
			return err
		}
		set, err := settings(tx)
		if err != nil {
			return err
		}
		out.ID, out.MaxBytes, out.Pieces = st.ID, set.StateMaxBytes, st.Pieces
		if st.Completed != nil {
			return nil
		}
		out.Key, err = tx.UserStateKey(st.ID)
		return err
	})
}

// maxStates bounds how many states one run may capture.
const maxStates = 8

func dropIncomplete(tx *store.Tx, run string) (dropped []string, err error) {
	list, err := tx.UserStatesOf(run)
	if err != nil {
		return nil, err
	}
	for _, st := range list {
		if st.Completed != nil {
			continue
		}
		if err := tx.DeleteUserState(st.ID); err != nil {
			return nil, err
		}
		dropped = append(dropped, st.ID)
	}
	if len(list)-len(dropped) >= maxStates {
		return nil, refusal(409, "USM-1", "state", fmt.Sprintf("this run has captured %d user states already", maxStates), "delete some with `bootyard state delete`")
	}
	return dropped, nil
}

func activeRun(tx *store.Tx, who Session, id string) (store.Run, error) {
	run, err := ownRun(tx, who, id)
	if err == nil && run.State != wire.RunRunning {
		err = ended(run)
	}
	return run, err
}

func (s *Service) stateToCapture(ctx context.Context, tx *store.Tx, run store.Run, out *wire.StateStore) error {
	now := s.Now().UTC()
	st := wire.UserState{ID: s.newID(), Source: run.Device, SourceName: run.DeviceName, Target: run.Device, TargetName: run.DeviceName, Run: run.ID, Created: now}
	if target, err := tx.StateAssociation(run.Device); err == nil {
		d, err := tx.Device(target)
		if err != nil {
			return orMissing(err, "device", "the device that this one's user state is for is gone", "associate another with `bootyard state associate`")
		}
		st.Target, st.TargetName = d.ID, d.Name
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	// Given up until it is complete: a capture that fails leaves nothing behind.
	expires := now.Add(incompleteState)
	st.Expires = &expires
	key := make([]byte, stateKeySize)
	if _, err := io.ReadFull(s.Random, key); err != nil {
		return fmt.Errorf("key of the user state: %w", err)
	}
	if err := tx.AddUserState(st, key); err != nil {
		return err
	}
	out.ID, out.Key = st.ID, key
	return s.audit(ctx, tx, wire.StatusMessage{Device: run.Device, Run: run.ID, Text: fmt.Sprintf("user state %s: store for %s, to be restored on %s", st.ID, st.SourceName, st.TargetName)})
}

// incompleteState is how long a store that was never completed is kept.
const incompleteState = 7 * 24 * time.Hour

func (s *Service) stateToRestore(tx *store.Tx, who Session, run store.Run, out *wire.StateStore) error {
	d, err := tx.Device(run.Device)
	if err != nil {
		return err
	}
	if !mayHaveSecrets(who, d, run) {
		return refusal(403, "USM-5", "device", "user state is not given to a machine that nobody has approved", "approve it with `bootyard device approve "+d.Name+"`")
	}
	list, err := tx.UserStatesFor(run.Device)
	if err != nil {
		return err
	}
	for _, st := range slices.Backward(list) {
		if st.Completed == nil {
			continue
		}
		out.ID, out.Pieces = st.ID, st.Pieces
		if out.Key, err = tx.UserStateKey(st.ID); err != nil {
			return err
		}
		now := s.Now().UTC()
		st.Restored = &now
		return tx.PutUserState(st)
	}
	return missing("state", "there is no user state for this machine", "capture it first; for another machine's state use `bootyard state associate`")
}

// stateOf finds a state that the run captures (write) or may restore.
func stateOf(tx *store.Tx, who Session, run, id string, write bool) (st wire.UserState, err error) {
	own, err := activeRun(tx, who, run)
	if err != nil {
		return st, err
	}
	none := missing("state", "this run has no such state store", "request one")
	if st, err = tx.UserState(id); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return st, none
		}
		return st, err
	}
	if write {
		if st.Run != own.ID || st.Completed != nil {
			return st, none
		}
		return st, nil
	}
	d, err := tx.Device(own.Device)
	if err != nil {
		return st, err
	}
	if st.Target != own.Device && st.Source != own.Device || st.Completed == nil || !mayHaveSecrets(who, d, own) {
		return st, none
	}
	return st, nil
}

// CompleteState ends a capture: every piece must be there and be the one that was announced.
func (s *Service) CompleteState(ctx context.Context, who Session, run, id string, c wire.StateComplete) error {
	var st wire.UserState
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		own, err := activeRun(tx, who, run)
		if err != nil {
			return err
		}
		if st, err = tx.UserState(id); err == nil && st.Run == own.ID && st.Completed != nil && slices.Equal(st.Pieces, c.Pieces) {
			return nil // repeated
		}
		st, err = stateOf(tx, who, run, id, true)
		return err
	})
	if err != nil || st.Completed != nil {
		return err
	}
	if len(c.Pieces) == 0 || len(c.Pieces) > wire.MaxStatePieces {
		return invalid("USM-2", "pieces", fmt.Sprintf("a state has 1 to %d pieces", wire.MaxStatePieces), "")
	}
	size, err := s.checkPieces(id, c.Pieces)
	if err != nil {
		return err
	}
	now := s.Now().UTC()
	st.Completed, st.Expires, st.Pieces, st.Size = &now, nil, c.Pieces, size
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.PutUserState(st); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: st.Source, Run: run, Text: fmt.Sprintf("user state %s of %s captured: %d bytes", id, st.SourceName, size)})
	})
}

// ReleaseState says that the state is not needed any more: its retention begins (USM-2, SEC-11). A store that was never
// completed goes at once.
func (s *Service) ReleaseState(ctx context.Context, who Session, run, id string) error {
	gone := false
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		st, err := stateOf(tx, who, run, id, false)
		if err != nil {
			if st, err = stateOf(tx, who, run, id, true); err != nil {
				return err
			}
			gone = true
			return tx.DeleteUserState(id)
		}
		if st.Released != nil {
			return nil // repeated
		}
		if st.Restored == nil {
			return nil // captured only: it stays until it has been restored, maybe on another machine
		}
		set, err := settings(tx)
		if err != nil {
			return err
		}
		now := s.Now().UTC()
		expires := now.Add(durationOf(set.StateRetention))
		st.Released, st.Expires = &now, &expires
		if err := tx.PutUserState(st); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: st.Target, Run: run, Text: fmt.Sprintf("user state %s released, kept until %s", id, expires.Format(time.RFC3339))})
	})
	if err == nil && gone {
		err = s.removePieces(id)
	}
	return err
}

// UserStates lists all state stores.
func (s *Service) UserStates(ctx context.Context) (list []wire.UserState, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.UserStates()
		return err
	})
	for i := range list {
		list[i].Pieces = nil // thousands of hashes that tell nobody anything
	}
	return list, err
}

// UserState returns one.
func (s *Service) UserState(ctx context.Context, id string) (st wire.UserState, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		st, err = tx.UserState(id)
		return orMissing(err, "state", fmt.Sprintf("no user state has the id %q", printable(id, 40)), "see `bootyard state list`")
	})
	return st, err
}

// DeleteUserState removes a state with its key and pieces.
func (s *Service) DeleteUserState(ctx context.Context, id string) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		st, err := tx.UserState(id)
		if err != nil {
			return orMissing(err, "state", fmt.Sprintf("no user state has the id %q", printable(id, 40)), "see `bootyard state list`")
		}
		if err := tx.DeleteUserState(id); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: st.Source, Text: fmt.Sprintf("user state %s of %s deleted", id, st.SourceName)})
	})
	if err != nil {
		return err
	}
	return s.removePieces(id)
}

// AssociateState says which machine restores what another captures, from now on and what is there already (USM-3, USM-5).
func (s *Service) AssociateState(ctx context.Context, a wire.StateAssociation) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		source, err := findDevice(tx, a.Source)
		if err != nil {
			return err
		}
		target, err := findDevice(tx, a.Target)
		if err != nil {
			return err
		}
		if err := tx.PutStateAssociation(source.ID, target.ID); err != nil {
			return err
		}
		list, err := tx.UserStates()
		if err != nil {
			return err
		}
		for _, st := range list {
			if st.Source != source.ID || st.Released != nil {
				continue
			}
			st.Target, st.TargetName = target.ID, target.Name
			if err := tx.PutUserState(st); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: source.ID, Text: fmt.Sprintf("user state of %s is for %s", source.Name, target.Name)})
	})
}

// ExpireStates removes the states whose retention is over; the appliance calls it from time to time.
func (s *Service) ExpireStates(ctx context.Context) error {
	var list []wire.UserState
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.ExpiredUserStates(s.Now())
		return err
	})
	for _, st := range list {
		if err == nil {
			err = s.DeleteUserState(ctx, st.ID)
		}
	}
	return err
}

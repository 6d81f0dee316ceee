package store

import (
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// UserState returns the record of a state store, or ErrNotFound.
func (t *Tx) UserState(id string) (wire.UserState, error) {
	return oneDoc[wire.UserState](t, "user state "+id, "SELECT doc FROM user_states WHERE id = ?", id)
}

// UserStates lists all, the oldest first.
func (t *Tx) UserStates() ([]wire.UserState, error) {
	return allDocs[wire.UserState](t, "user states", "SELECT doc FROM user_states ORDER BY id")
}

// UserStatesFor lists what a device may restore, the oldest first.
func (t *Tx) UserStatesFor(target string) ([]wire.UserState, error) {
	return allDocs[wire.UserState](t, "user states", "SELECT doc FROM user_states WHERE target_id = ? ORDER BY id", target)
}

// UserStatesOf lists what a run captured, the oldest first.
func (t *Tx) UserStatesOf(run string) ([]wire.UserState, error) {
	return allDocs[wire.UserState](t, "user states", "SELECT doc FROM user_states WHERE run_id = ? ORDER BY id", run)
}

// ExpiredUserStates lists those whose retention is over.
func (t *Tx) ExpiredUserStates(now time.Time) ([]wire.UserState, error) {
	return allDocs[wire.UserState](t, "user states", "SELECT doc FROM user_states WHERE expires > 0 AND expires <= ? ORDER BY id", now.UnixMilli())
}

// AddUserState makes a state store with its key.
func (t *Tx) AddUserState(s wire.UserState, key []byte) error {
	_, err := t.exec("user state "+s.ID, "INSERT INTO user_states (id, source_id, target_id, run_id, expires, secret, doc) VALUES (?, ?, ?, ?, ?, ?, ?)",
		s.ID, s.Source, s.Target, s.Run, expiry(s), key, encode(s))
	return err
}

// PutUserState changes the record; the key stays.
func (t *Tx) PutUserState(s wire.UserState) error {
	_, err := t.exec("user state "+s.ID, "UPDATE user_states SET source_id = ?, target_id = ?, run_id = ?, expires = ?, doc = ? WHERE id = ?",
		s.Source, s.Target, s.Run, expiry(s), encode(s), s.ID)
	return err
}

func expiry(s wire.UserState) int64 {
	if s.Expires == nil {
		return 0
	}
	return s.Expires.UnixMilli()
}

// UserStateKey is the key of a state store, or ErrNotFound.
func (t *Tx) UserStateKey(id string) (key []byte, err error) {
	return key, t.one("key of user state "+id, []any{&key}, "SELECT secret FROM user_states WHERE id = ?", id)
}

// DeleteUserState removes record and key: without the key the pieces are noise.
func (t *Tx) DeleteUserState(id string) error {
	_, err := t.exec("user state "+id, "DELETE FROM user_states WHERE id = ?", id)
	return err
}

// StateAssociation is the device that is to restore what source captures, or ErrNotFound.
func (t *Tx) StateAssociation(source string) (target string, err error) {
	return target, t.one("association of "+source, []any{&target}, "SELECT target_id FROM state_associations WHERE source_id = ?", source)
}

// PutStateAssociation sets it.
func (t *Tx) PutStateAssociation(source, target string) error {
	_, err := t.exec("association of "+source, "INSERT INTO state_associations (source_id, target_id) VALUES (?, ?) ON CONFLICT (source_id) DO UPDATE SET target_id = excluded.target_id", source, target)
	return err
}

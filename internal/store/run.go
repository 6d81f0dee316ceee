package store

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// Run is a stored run: what people see plus what only the site needs.
type Run struct {
	wire.RunInfo
	Key             string           `json:"key"`
	SequenceVersion int              `json:"sequenceVersion"`
	Environment     wire.Environment `json:"environment"`
	// Children maps child sequences to the version that the run took (TSV-4).
	Children map[string]int `json:"children,omitempty"`
	// References are what the sequence and its children needed when the run began,
	// and BootImage what they started from: a later version of the sequence is not
	// this run's. Nil in runs that older versions began.
	References []wire.Reference `json:"references"`
	BootImage  string           `json:"bootImage,omitempty"`
	// DisabledChildren are those of them that were disabled then (TS-46).
	DisabledChildren []string `json:"disabledChildren,omitempty"`
	// Unlocked says that the PXE password was given for it (PXE-23).
	Unlocked bool `json:"unlocked,omitempty"`
}

// Run returns one run, or ErrNotFound.
func (t *Tx) Run(id string) (Run, error) {
	return oneDoc[Run](t, "run "+id, "SELECT doc FROM runs WHERE id = ?", id)
}

// RunByKey returns the run that a device claimed with key, or ErrNotFound.
func (t *Tx) RunByKey(device, key string) (Run, error) {
	return oneDoc[Run](t, "run of "+device, "SELECT doc FROM runs WHERE device_id = ? AND claim_key = ?", device, key)
}

// ActiveRun returns the device's running run, or ErrNotFound.
func (t *Tx) ActiveRun(device string) (Run, error) {
	return oneDoc[Run](t, "active run of "+device, "SELECT doc FROM runs WHERE device_id = ? AND state = 'running'", device)
}

// RunFilter chooses runs; empty fields choose all. Limit 0 means 1000.
type RunFilter struct {
	Device, Deployment, Media string
	State                     wire.RunState
	Limit                     int
}

// Runs lists runs, the latest first.
func (t *Tx) Runs(f RunFilter) ([]Run, error) {
	query, args := "SELECT doc FROM runs WHERE 1 = 1", []any{}
	for _, c := range []struct{ column, value string }{{"device_id", f.Device}, {"deployment_id", f.Deployment}, {"media_id", f.Media}, {"state", string(f.State)}} {
		if c.value != "" {
			query += " AND " + c.column + " = ?"
			args = append(args, c.value)
		}
	}
	if f.Limit <= 0 {
		f.Limit = 1000
	}
	return allDocs[Run](t, "runs", query+" ORDER BY started DESC, id DESC LIMIT ?", append(args, f.Limit)...)
}

// LastRuns returns the latest run of every device.
func (t *Tx) LastRuns() (map[string]Run, error) {
	list, err := allDocs[Run](t, "runs", `SELECT r.doc FROM runs r JOIN
		(SELECT device_id, MAX(started) AS started FROM runs GROUP BY device_id) l ON l.device_id = r.device_id AND l.started = r.started ORDER BY r.id`)
	last := make(map[string]Run, len(list))
	for _, r := range list {
		last[r.Device] = r
	}
	return last, err
}

// PutRun adds or changes a run. A second active run of a device, or a second
// run with its claim key, is ErrConflict.
func (t *Tx) PutRun(r Run) error {
	var ended time.Time
	if r.Ended != nil {
		ended = *r.Ended
	}
	_, err := t.exec("run "+r.ID, `INSERT INTO runs (id, device_id, claim_key, deployment_id, sequence_id, sequence_version, state, media_id, started, ended, doc)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended = excluded.ended, doc = excluded.doc`,
		r.ID, r.Device, r.Key, r.Deployment, r.Sequence, r.SequenceVersion, string(r.State), r.Media, millis(r.Started), millis(ended), encode(r))
	return err
}

// Checkpoint returns the stored state of a run, or ErrNotFound.
func (t *Tx) Checkpoint(run string) (wire.Checkpoint, error) {
	var c wire.Checkpoint
	return c, t.one("checkpoint of run "+run, []any{&c.Number, &c.Awaits, &c.State}, "SELECT number, awaits, state FROM checkpoints WHERE run_id = ?", run)
}

// PutCheckpoint stores c when its number is higher than the stored one and
// reports whether it did (TS-117a).
func (t *Tx) PutCheckpoint(run string, c wire.Checkpoint) (bool, error) {
	if c.State == nil {
		c.State = []byte{}
	}
	n, err := t.exec("checkpoint of run "+run, `INSERT INTO checkpoints (run_id, number, awaits, state) VALUES (?, ?, ?, ?)
		ON CONFLICT (run_id) DO UPDATE SET number = excluded.number, awaits = excluded.awaits, state = excluded.state
		WHERE checkpoints.number < excluded.number`, run, c.Number, string(c.Awaits), c.State)
	return n > 0, err
}

// AddEvent appends an event and reports whether it was new.
func (t *Tx) AddEvent(run string, e wire.Event) (bool, error) {
	n, err := t.exec(fmt.Sprintf("event %d of run %s", e.Number, run), "INSERT INTO run_events (run_id, number, at, kind, doc) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		run, e.Number, millis(e.Time), string(e.Kind), encode(e))
	return n > 0, err
}

// Events lists up to limit events of a run with a number above after.
func (t *Tx) Events(run string, after int64, limit int) ([]wire.Event, error) {
	return allDocs[wire.Event](t, "events of run "+run, "SELECT doc FROM run_events WHERE run_id = ? AND number > ? ORDER BY number LIMIT ?", run, after, limit)
}

// PhaseEvents lists up to limit events that begin a phase.
func (t *Tx) PhaseEvents(run string, limit int) ([]wire.Event, error) {
	return allDocs[wire.Event](t, "events of run "+run, "SELECT doc FROM run_events WHERE run_id = ? AND kind = 'phase' ORDER BY number LIMIT ?", run, limit)
}

// LastEvent returns the highest event number of a run, 0 when it has none.
func (t *Tx) LastEvent(run string) (int64, error) {
	var n int64
	return n, t.one("events of run "+run, []any{&n}, "SELECT COALESCE(MAX(number), 0) FROM run_events WHERE run_id = ?", run)
}

// LedgerEntry says that a Required deployment was handed out (PXE-16). Retry,
// when later than Handed, asks for it once more.
type LedgerEntry struct {
	Subject    string    `json:"subject"`
	Deployment string    `json:"deployment"`
	Handed     time.Time `json:"handed"`
	Retry      time.Time `json:"retry"`
	Expires    time.Time `json:"expires"` // zero: never
}

// Ledger lists the entries of the subjects that have not expired at now.
func (t *Tx) Ledger(now time.Time, subjects ...string) ([]LedgerEntry, error) {
	list := []LedgerEntry{}
	for _, s := range subjects {
		err := t.each("ledger", func(r *sql.Rows) error {
			e := LedgerEntry{Subject: s}
			var handed, retry, expires int64
			if err := r.Scan(&e.Deployment, &handed, &retry, &expires); err != nil {
				return err
			}
			e.Handed, e.Retry, e.Expires = fromMillis(handed), fromMillis(retry), fromMillis(expires)
			list = append(list, e)
			return nil
		}, "SELECT deployment_id, handed, retry, expires FROM ledger WHERE subject = ? AND (expires = 0 OR expires > ?) ORDER BY deployment_id", s, millis(now))
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// PutLedger adds or replaces an entry.
func (t *Tx) PutLedger(e LedgerEntry) error {
	_, err := t.exec("ledger", `INSERT INTO ledger (subject, deployment_id, handed, retry, expires) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (subject, deployment_id) DO UPDATE SET handed = excluded.handed, retry = excluded.retry, expires = excluded.expires`,
		e.Subject, e.Deployment, millis(e.Handed), millis(e.Retry), millis(e.Expires))
	return err
}

// ClearLedger removes the entries of a subject (PXE-17) and says how many.
func (t *Tx) ClearLedger(subject string) (int64, error) {
	return t.exec("ledger", "DELETE FROM ledger WHERE subject = ?", subject)
}

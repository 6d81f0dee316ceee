package store

import (
	"database/sql"
	"time"
)

// Due is one occurrence of timed work. Key makes it happen once.
type Due struct {
	Key        string    `json:"-"`
	Kind       string    `json:"-"`
	At         time.Time `json:"-"`
	Attempts   int       `json:"-"`
	Device     string    `json:"device,omitempty"`
	Deployment string    `json:"deployment,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// AddDue plans an occurrence and reports whether it was new.
func (t *Tx) AddDue(d Due) (bool, error) {
	n, err := t.exec("due work "+d.Key, `INSERT INTO due (work_key, kind, due_at, claimed_by, claimed_at, done_at, attempts, doc)
		VALUES (?, ?, ?, '', 0, 0, 0, ?) ON CONFLICT DO NOTHING`, d.Key, d.Kind, millis(d.At), encode(d))
	return n > 0, err
}

// DueWork lists open occurrences of a kind up to now that nobody holds. A
// claim older than lease counts as abandoned: its holder has died.
func (t *Tx) DueWork(kind string, now time.Time, lease time.Duration, limit int) ([]Due, error) {
	list := []Due{}
	err := t.each("due work", func(r *sql.Rows) error {
		var d Due
		var at int64
		var doc string
		if err := r.Scan(&d.Key, &d.Kind, &at, &d.Attempts, &doc); err != nil {
			return err
		}
		d.At = fromMillis(at)
		if err := decode("due work", doc, &d); err != nil {
			return err
		}
		list = append(list, d)
		return nil
	}, `SELECT work_key, kind, due_at, attempts, doc FROM due WHERE kind = ? AND done_at = 0 AND due_at <= ? AND claimed_at < ?
		ORDER BY due_at, work_key LIMIT ?`, kind, millis(now), millis(now.Add(-lease)), limit)
	return list, err
}

// ClaimDue takes an occurrence for holder and reports whether it got it. One
// conditional UPDATE decides, so several appliances may ask.
func (t *Tx) ClaimDue(key, holder string, now time.Time, lease time.Duration) (bool, error) {
	n, err := t.exec("due work "+key, `UPDATE due SET claimed_by = ?, claimed_at = ?, attempts = attempts + 1
		WHERE work_key = ? AND done_at = 0 AND claimed_at < ?`, holder, millis(now), key, millis(now.Add(-lease)))
	return n == 1, err
}

// FinishDue closes an occurrence that holder has claimed.
func (t *Tx) FinishDue(key, holder string, now time.Time) (bool, error) {
	n, err := t.exec("due work "+key, "UPDATE due SET done_at = ? WHERE work_key = ? AND claimed_by = ? AND done_at = 0", millis(now), key, holder)
	return n == 1, err
}

// TrimDue forgets occurrences that were done before a time.
func (t *Tx) TrimDue(before time.Time) error {
	_, err := t.exec("due work", "DELETE FROM due WHERE done_at > 0 AND done_at < ?", millis(before))
	return err
}

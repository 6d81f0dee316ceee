package store

import (
	"github.com/bootyard/bootyard/internal/wire"
)

// AddMessage appends an entry to the site's record and returns it numbered.
func (t *Tx) AddMessage(m wire.StatusMessage) (wire.StatusMessage, error) {
	n, err := t.Next("messages", 1)
	if err != nil {
		return m, err
	}
	m.Number = int64(n)
	_, err = t.exec("message", "INSERT INTO messages (number, at, kind, doc) VALUES (?, ?, ?, ?)", m.Number, millis(m.Time), m.Kind, encode(m))
	return m, err
}

// Messages lists the latest entries first; kind may be empty for all.
func (t *Tx) Messages(kind string, limit int) ([]wire.StatusMessage, error) {
	if kind != "" {
		return allDocs[wire.StatusMessage](t, "messages", "SELECT doc FROM messages WHERE kind = ? ORDER BY number DESC LIMIT ?", kind, limit)
	}
	return allDocs[wire.StatusMessage](t, "messages", "SELECT doc FROM messages ORDER BY number DESC LIMIT ?", limit)
}

// TrimMessages keeps the latest keep entries of a kind.
func (t *Tx) TrimMessages(kind string, keep int) error {
	_, err := t.exec("messages", `DELETE FROM messages WHERE kind = ? AND number <
		(SELECT number FROM messages WHERE kind = ? ORDER BY number DESC LIMIT 1 OFFSET ?)`, kind, kind, keep)
	return err
}

// Alert returns one alert, or ErrNotFound.
func (t *Tx) Alert(key string) (wire.Alert, error) {
	return oneDoc[wire.Alert](t, "alert "+key, "SELECT doc FROM alerts WHERE alert_key = ?", key)
}

// Alerts lists alerts, the latest first.
func (t *Tx) Alerts() ([]wire.Alert, error) {
	return allDocs[wire.Alert](t, "alerts", "SELECT doc FROM alerts ORDER BY last DESC, alert_key LIMIT 1000")
}

// PutAlert adds or changes an alert.
func (t *Tx) PutAlert(a wire.Alert) error {
	_, err := t.exec("alert "+a.Key, `INSERT INTO alerts (alert_key, state, last, doc) VALUES (?, ?, ?, ?)
		ON CONFLICT (alert_key) DO UPDATE SET state = excluded.state, last = excluded.last, doc = excluded.doc`, a.Key, a.State, millis(a.Last), encode(a))
	return err
}

// AddWakeRecord appends what was sent to wake a device.
func (t *Tx) AddWakeRecord(w wire.WakeRecord) (wire.WakeRecord, error) {
	n, err := t.Next("wake records", 1)
	if err != nil {
		return w, err
	}
	w.Number = int64(n)
	_, err = t.exec("wake record", "INSERT INTO wake_records (number, at, device_id, doc) VALUES (?, ?, ?, ?)", w.Number, millis(w.Time), w.Device, encode(w))
	return w, err
}

// WakeRecords lists the latest first.
func (t *Tx) WakeRecords(limit int) ([]wire.WakeRecord, error) {
	return allDocs[wire.WakeRecord](t, "wake records", "SELECT doc FROM wake_records ORDER BY number DESC LIMIT ?", limit)
}

// Medium returns one medium, or ErrNotFound.
func (t *Tx) Medium(id string) (wire.MediaRecord, error) {
	return oneDoc[wire.MediaRecord](t, "medium "+id, "SELECT doc FROM media WHERE id = ?", id)
}

// Media lists all media in the order of their making.
func (t *Tx) Media() ([]wire.MediaRecord, error) {
	return allDocs[wire.MediaRecord](t, "media", "SELECT doc FROM media ORDER BY id")
}

// PutMedium adds or changes a medium.
func (t *Tx) PutMedium(m wire.MediaRecord) error {
	_, err := t.exec("medium "+m.ID, "INSERT INTO media (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc", m.ID, encode(m))
	return err
}

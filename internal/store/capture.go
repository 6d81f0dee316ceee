package store

import (
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// Capture is an image that a run captures into the appliance. It waits to be stored when Complete is set and neither
// Package nor Failure is.
type Capture struct {
	ID         string                `json:"id"`
	Run        string                `json:"run"`
	Device     string                `json:"device"`
	DeviceName string                `json:"deviceName"`
	Step       string                `json:"step"`
	Name       string                `json:"name"`
	Format     string                `json:"format"`
	Opened     int                   `json:"opened,omitempty"` // how often its step began anew before
	Created    time.Time             `json:"created"`
	Expires    time.Time             `json:"expires"`
	Complete   *wire.CaptureComplete `json:"complete,omitempty"` // without the pieces, which are in its folder
	Count      int                   `json:"count,omitempty"`    // of pieces, once complete
	Package    string                `json:"package,omitempty"`
	Failure    string                `json:"failure,omitempty"`
}

// Waits says whether the image is whole and not yet in the library.
func (c Capture) Waits() bool { return c.Complete != nil && c.Package == "" && c.Failure == "" }

// Capture returns one, or ErrNotFound.
func (t *Tx) Capture(id string) (Capture, error) {
	return oneDoc[Capture](t, "capture "+id, "SELECT doc FROM captures WHERE id = ?", id)
}

// CapturesOf lists those of a run.
func (t *Tx) CapturesOf(run string) ([]Capture, error) {
	return allDocs[Capture](t, "captures", "SELECT doc FROM captures WHERE run_id = ? ORDER BY id", run)
}

// WaitingCaptures lists those that are whole and not yet in the library.
func (t *Tx) WaitingCaptures() ([]Capture, error) {
	return allDocs[Capture](t, "captures", "SELECT doc FROM captures WHERE waiting = 1 ORDER BY id")
}

// ExpiredCaptures lists those that nobody asks for any more.
func (t *Tx) ExpiredCaptures(now time.Time) ([]Capture, error) {
	return allDocs[Capture](t, "captures", "SELECT doc FROM captures WHERE waiting = 0 AND expires <= ? ORDER BY id", now.UnixMilli())
}

// PutCapture adds or changes one.
func (t *Tx) PutCapture(c Capture) error {
	waiting := 0
	if c.Waits() {
		waiting = 1
	}
	_, err := t.exec("capture "+c.ID, `INSERT INTO captures (id, run_id, expires, waiting, doc) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, waiting = excluded.waiting, doc = excluded.doc`, c.ID, c.Run, c.Expires.UnixMilli(), waiting, encode(c))
	return err
}

// DeleteCapture removes one.
func (t *Tx) DeleteCapture(id string) error {
	_, err := t.exec("capture "+id, "DELETE FROM captures WHERE id = ?", id)
	return err
}

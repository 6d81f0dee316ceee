package store

import (
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// FactSheet returns the latest fact sheet of a device, or ErrNotFound.
func (t *Tx) FactSheet(device string) (wire.FactSheet, error) {
	var f wire.FactSheet
	var at int64
	err := t.one("facts of device "+device, []any{&at, &f.YAML}, "SELECT gathered, sheet FROM device_facts WHERE device_id = ?", device)
	f.Time = fromMillis(at)
	return f, err
}

// PutFactSheet replaces the fact sheet of a device.
func (t *Tx) PutFactSheet(device string, at time.Time, yaml string) error {
	_, err := t.exec("facts of device "+device, `INSERT INTO device_facts (device_id, gathered, sheet) VALUES (?, ?, ?)
		ON CONFLICT (device_id) DO UPDATE SET gathered = excluded.gathered, sheet = excluded.sheet`, device, millis(at), yaml)
	return err
}

package store

import (
	"database/sql"
	"time"
)

// Skip is a device's word that a deployment will not run again there (RRN-9).
type Skip struct {
	Deployment, Device string
	At                 time.Time
	Reason             string
}

// PutSkip keeps the latest skip of a device and deployment, both of which exist.
func (t *Tx) PutSkip(s Skip) error {
	_, err := t.exec("skip", `INSERT INTO skips (deployment_id, device_id, at, reason) VALUES (?, ?, ?, ?)
		ON CONFLICT (deployment_id, device_id) DO UPDATE SET at = excluded.at, reason = excluded.reason`, s.Deployment, s.Device, millis(s.At), s.Reason)
	return err
}

// Skips gives the skips of a deployment by device.
func (t *Tx) Skips(deployment string) (map[string]Skip, error) {
	skips := map[string]Skip{}
	err := t.each("skips", func(r *sql.Rows) error {
		s := Skip{Deployment: deployment}
		var at int64
		if err := r.Scan(&s.Device, &at, &s.Reason); err != nil {
			return err
		}
		s.At = fromMillis(at)
		skips[s.Device] = s
		return nil
	}, "SELECT device_id, at, reason FROM skips WHERE deployment_id = ?", deployment)
	return skips, err
}

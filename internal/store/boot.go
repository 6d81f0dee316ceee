package store

import "github.com/bootyard/bootyard/internal/wire"

// Boot returns one firmware attempt, or ErrNotFound.
func (t *Tx) Boot(id string) (wire.Boot, error) {
	return oneDoc[wire.Boot](t, "boot "+id, "SELECT doc FROM boots WHERE id = ?", id)
}

// LastBootOf returns the latest attempt from a MAC, or ErrNotFound.
func (t *Tx) LastBootOf(mac string) (wire.Boot, error) {
	return oneDoc[wire.Boot](t, "boot of "+mac, "SELECT doc FROM boots WHERE mac = ? ORDER BY last DESC, id DESC LIMIT 1", mac)
}

// Boots lists attempts, the latest first; device may be empty for all.
func (t *Tx) Boots(device string, limit int) ([]wire.Boot, error) {
	if device != "" {
		return allDocs[wire.Boot](t, "boots", "SELECT doc FROM boots WHERE device_id = ? ORDER BY last DESC, id DESC LIMIT ?", device, limit)
	}
	return allDocs[wire.Boot](t, "boots", "SELECT doc FROM boots ORDER BY last DESC, id DESC LIMIT ?", limit)
}

// PutBoot adds or changes an attempt.
func (t *Tx) PutBoot(b wire.Boot) error {
	_, err := t.exec("boot "+b.ID, `INSERT INTO boots (id, device_id, mac, started, last, doc) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET device_id = excluded.device_id, last = excluded.last, doc = excluded.doc`,
		b.ID, b.Device, b.MAC, millis(b.Started), millis(b.Last), encode(b))
	return err
}

// TrimBoots keeps the latest keep attempts of machines that are no device:
// anybody on the wire can make those.
func (t *Tx) TrimBoots(keep int) error {
	_, err := t.exec("boots", `DELETE FROM boots WHERE device_id = '' AND last <
		(SELECT last FROM boots WHERE device_id = '' ORDER BY last DESC LIMIT 1 OFFSET ?)`, keep)
	return err
}

package store

import (
	"database/sql"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// Device returns one device, or ErrNotFound.
func (t *Tx) Device(id string) (wire.Device, error) {
	return oneDoc[wire.Device](t, "device "+id, "SELECT doc FROM devices WHERE id = ?", id)
}

// Devices lists devices by name. With no kinds all of them are listed.
func (t *Tx) Devices(kinds ...wire.DeviceKind) ([]wire.Device, error) {
	query, args := "SELECT doc FROM devices", []any{}
	if len(kinds) > 0 {
		query += " WHERE kind IN (?" + strings.Repeat(", ?", len(kinds)-1) + ")"
		for _, k := range kinds {
			args = append(args, string(k))
		}
	}
	return allDocs[wire.Device](t, "devices", query+" ORDER BY name, id", args...)
}

// DevicesByUUID finds devices by SMBIOS UUID.
func (t *Tx) DevicesByUUID(uuid string) ([]wire.Device, error) {
	return allDocs[wire.Device](t, "devices", "SELECT doc FROM devices WHERE uuid = ? AND kind <> 'object' ORDER BY id", uuid)
}

// DevicesByMAC finds devices that have this MAC.
func (t *Tx) DevicesByMAC(mac string) ([]wire.Device, error) {
	return allDocs[wire.Device](t, "devices", `SELECT d.doc FROM devices d JOIN device_macs m ON m.device_id = d.id
		WHERE m.mac = ? AND d.kind <> 'object' ORDER BY d.id`, mac)
}

// DevicesByName finds devices by their exact name.
func (t *Tx) DevicesByName(name string) ([]wire.Device, error) {
	return allDocs[wire.Device](t, "devices", "SELECT doc FROM devices WHERE name = ? ORDER BY id", name)
}

// UnknownObjectOf returns the object that stands for unknown machines of arch.
func (t *Tx) UnknownObjectOf(arch string) (wire.Device, error) {
	return oneDoc[wire.Device](t, "unknown computer object for "+arch, "SELECT doc FROM devices WHERE kind = 'object' AND arch = ?", arch)
}

// CountDevices counts devices of one kind.
func (t *Tx) CountDevices(kind wire.DeviceKind) (int, error) {
	var n int
	return n, t.one("devices", []any{&n}, "SELECT COUNT(*) FROM devices WHERE kind = ?", string(kind))
}

// PutDevice adds or changes a device together with its MACs.
func (t *Tx) PutDevice(d wire.Device) error {
	var seen time.Time
	if d.LastSeen != nil {
		seen = *d.LastSeen
	}
	if d.MACs == nil {
		d.MACs = []string{}
	}
	_, err := t.exec("device "+d.ID, `INSERT INTO devices (id, name, kind, uuid, arch, last_seen, doc) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, uuid = excluded.uuid, arch = excluded.arch,
		last_seen = excluded.last_seen, doc = excluded.doc`, d.ID, d.Name, string(d.Kind), d.UUID, d.Arch, millis(seen), encode(d))
	if err != nil {
		return err
	}
	if _, err := t.exec("device "+d.ID, "DELETE FROM device_macs WHERE device_id = ?", d.ID); err != nil {
		return err
	}
	for i, mac := range d.MACs {
		if _, err := t.exec("device "+d.ID, "INSERT INTO device_macs (mac, device_id, position) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", mac, d.ID, i); err != nil {
			return err
		}
	}
	return nil
}

// DeleteDevice removes a device, its memberships and its variables. Runs and
// boots stay as records.
func (t *Tx) DeleteDevice(id string) error {
	if _, err := t.exec("device "+id, "DELETE FROM variables WHERE owner_kind = 'device' AND owner_id = ?", id); err != nil {
		return err
	}
	if _, err := t.exec("device "+id, "DELETE FROM ledger WHERE subject = ?", id); err != nil {
		return err
	}
	_, err := t.exec("device "+id, "DELETE FROM devices WHERE id = ?", id)
	return err
}

// DeleteStalestUnknown keeps at most keep unknown devices, the latest seen.
func (t *Tx) DeleteStalestUnknown(keep int) error {
	_, err := t.exec("unknown devices", `DELETE FROM devices WHERE kind = 'unknown' AND id NOT IN
		(SELECT id FROM devices WHERE kind = 'unknown' ORDER BY last_seen DESC, id LIMIT ?)`, keep)
	return err
}

// Variables lists the variables of an owner; kind is device or collection.
func (t *Tx) Variables(kind, id string) ([]wire.Variable, error) {
	list := []wire.Variable{}
	err := t.each("variables", func(r *sql.Rows) error {
		var v wire.Variable
		if err := r.Scan(&v.Name, &v.Value, &v.Hidden); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	}, "SELECT name, value, hidden FROM variables WHERE owner_kind = ? AND owner_id = ? ORDER BY name_key", kind, id)
	return list, err
}

// PutVariable sets one variable; names are compared without regard to case.
func (t *Tx) PutVariable(kind, id string, v wire.Variable) error {
	_, err := t.exec("variable "+v.Name, `INSERT INTO variables (owner_kind, owner_id, name_key, name, value, hidden) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (owner_kind, owner_id, name_key) DO UPDATE SET value = excluded.value, hidden = excluded.hidden`,
		kind, id, strings.ToLower(v.Name), v.Name, v.Value, v.Hidden)
	return err
}

// DeleteVariable removes one; one that is not there is no error.
func (t *Tx) DeleteVariable(kind, id, name string) error {
	_, err := t.exec("variable "+name, "DELETE FROM variables WHERE owner_kind = ? AND owner_id = ? AND name_key = ?", kind, id, strings.ToLower(name))
	return err
}

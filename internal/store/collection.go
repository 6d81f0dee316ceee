package store

import (
	"database/sql"

	"github.com/bootyard/bootyard/internal/wire"
)

// Collection returns one collection, or ErrNotFound. MemberCount is not filled.
func (t *Tx) Collection(id string) (wire.Collection, error) {
	return oneDoc[wire.Collection](t, "collection "+id, "SELECT doc FROM collections WHERE id = ?", id)
}

// CollectionByName returns one collection, or ErrNotFound.
func (t *Tx) CollectionByName(name string) (wire.Collection, error) {
	return oneDoc[wire.Collection](t, "collection "+name, "SELECT doc FROM collections WHERE name = ?", name)
}

// Collections lists all in order of their ids.
func (t *Tx) Collections() ([]wire.Collection, error) {
	return allDocs[wire.Collection](t, "collections", "SELECT doc FROM collections ORDER BY id")
}

// PutCollection adds or changes a collection. A name that another one has is
// ErrConflict.
func (t *Tx) PutCollection(c wire.Collection) error {
	c.MemberCount = 0
	_, err := t.exec("collection "+c.Name, `INSERT INTO collections (id, name, limiting_id, doc) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, limiting_id = excluded.limiting_id, doc = excluded.doc`,
		c.ID, c.Name, c.Limiting, encode(c))
	return err
}

// DeleteCollection removes a collection and its variables (COL-14).
func (t *Tx) DeleteCollection(id string) error {
	if _, err := t.exec("collection "+id, "DELETE FROM variables WHERE owner_kind = 'collection' AND owner_id = ?", id); err != nil {
		return err
	}
	_, err := t.exec("collection "+id, "DELETE FROM collections WHERE id = ?", id)
	return err
}

// DirectMembers lists the ids of the devices named in a collection's direct
// rules, whether or not the limiting collection holds them.
func (t *Tx) DirectMembers(collection string) ([]string, error) {
	return t.strings("members of "+collection, "SELECT device_id FROM collection_members WHERE collection_id = ? ORDER BY device_id", collection)
}

// MemberDevices lists the devices named in a collection's direct rules by name.
func (t *Tx) MemberDevices(collection string) ([]wire.Device, error) {
	return allDocs[wire.Device](t, "members of "+collection, `SELECT d.doc FROM collection_members m JOIN devices d ON d.id = m.device_id
		WHERE m.collection_id = ? ORDER BY d.name, d.id`, collection)
}

// DirectCollections lists the collections that name the device directly.
func (t *Tx) DirectCollections(device string) ([]string, error) {
	return t.strings("collections of "+device, "SELECT collection_id FROM collection_members WHERE device_id = ? ORDER BY collection_id", device)
}

// AddMember adds a direct rule; one that is there already is no error.
func (t *Tx) AddMember(collection, device string) error {
	_, err := t.exec("member of "+collection, "INSERT INTO collection_members (collection_id, device_id) VALUES (?, ?) ON CONFLICT DO NOTHING", collection, device)
	return err
}

// RemoveMember removes a direct rule; one that is not there is no error.
func (t *Tx) RemoveMember(collection, device string) error {
	_, err := t.exec("member of "+collection, "DELETE FROM collection_members WHERE collection_id = ? AND device_id = ?", collection, device)
	return err
}

func (t *Tx) strings(what, query string, args ...any) ([]string, error) {
	list := []string{}
	err := t.each(what, func(r *sql.Rows) error {
		var s string
		if err := r.Scan(&s); err != nil {
			return err
		}
		list = append(list, s)
		return nil
	}, query, args...)
	return list, err
}

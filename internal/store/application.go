package store

import "github.com/bootyard/bootyard/internal/wire"

// Application returns an application by its id, or ErrNotFound.
func (t *Tx) Application(id string) (wire.Application, error) {
	return oneDoc[wire.Application](t, "application "+id, "SELECT doc FROM applications WHERE id = ?", id)
}

// ApplicationByName returns an application by its exact name (TS-90), or ErrNotFound.
func (t *Tx) ApplicationByName(name string) (wire.Application, error) {
	return oneDoc[wire.Application](t, "application "+name, "SELECT doc FROM applications WHERE name = ?", name)
}

// Applications lists all in order of their names.
func (t *Tx) Applications() ([]wire.Application, error) {
	return allDocs[wire.Application](t, "applications", "SELECT doc FROM applications ORDER BY name")
}

// PutApplication adds or changes an application. A name that another one has is ErrConflict.
func (t *Tx) PutApplication(a wire.Application) error {
	_, err := t.exec("application "+a.Name, "INSERT INTO applications (id, name, doc) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, doc = excluded.doc", a.ID, a.Name, encode(a))
	return err
}

// DeleteApplication removes an application.
func (t *Tx) DeleteApplication(id string) error {
	_, err := t.exec("application "+id, "DELETE FROM applications WHERE id = ?", id)
	return err
}

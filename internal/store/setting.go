package store

import (
	"database/sql"
	"errors"
)

// Setting reads the JSON value of a site setting into v. It returns
// ErrNotFound when it was never set.
func (t *Tx) Setting(name string, v any) error {
	var doc string
	if err := t.one("setting "+name, []any{&doc}, "SELECT value FROM settings WHERE name = ?", name); err != nil {
		return err
	}
	return decode("setting "+name, doc, v)
}

// PutSetting stores v as JSON.
func (t *Tx) PutSetting(name string, v any) error {
	_, err := t.exec("setting "+name, "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, encode(v))
	return err
}

// Secret returns a key of the site, or ErrNotFound.
func (t *Tx) Secret(name string) ([]byte, error) {
	var v []byte
	return v, t.one("secret "+name, []any{&v}, "SELECT value FROM secrets WHERE name = ?", name)
}

// PutSecret stores a key of the site once; a second one is ErrConflict.
func (t *Tx) PutSecret(name string, v []byte) error {
	_, err := t.exec("secret "+name, "INSERT INTO secrets (name, value) VALUES (?, ?)", name, v)
	return err
}

// ReplaceSecret stores a key of the site in place of the one of that name, if any.
func (t *Tx) ReplaceSecret(name string, v []byte) error {
	_, err := t.exec("secret "+name, "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, v)
	return err
}

// Next returns the next number of a counter that begins at first. Numbers rise
// and are never given twice, also when what they named is deleted.
func (t *Tx) Next(counter string, first int) (int, error) {
	var n int
	err := t.one("counter "+counter, []any{&n}, "SELECT next_value FROM counters WHERE name = ?", counter)
	if errors.Is(err, ErrNotFound) {
		n, err = first, nil
	}
	if err != nil {
		return 0, err
	}
	return n, t.Reserve(counter, n)
}

// Reserve makes sure that n and everything below is never given by Next.
func (t *Tx) Reserve(counter string, n int) error {
	_, err := t.exec("counter "+counter, `INSERT INTO counters (name, next_value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET next_value = excluded.next_value WHERE counters.next_value < excluded.next_value`, counter, n+1)
	return err
}

// Ignored is an identifier that says nothing about a machine (PXE-5) or a MAC
// that gets no answer (PXE-4).
type Ignored struct {
	Kind  string `json:"kind"` // uuid, mac, excluded
	Value string `json:"value"`
	Note  string `json:"note"`
}

// Ignored lists the entries in stable order.
func (t *Tx) Ignored() ([]Ignored, error) {
	list := []Ignored{}
	err := t.each("ignored ids", func(r *sql.Rows) error {
		var i Ignored
		if err := r.Scan(&i.Kind, &i.Value, &i.Note); err != nil {
			return err
		}
		list = append(list, i)
		return nil
	}, "SELECT kind, value, note FROM ignored_ids ORDER BY kind, value")
	return list, err
}

// IgnoredNote returns the note of one entry and whether it is there.
func (t *Tx) IgnoredNote(kind, value string) (string, bool, error) {
	var note string
	err := t.one("ignored id", []any{&note}, "SELECT note FROM ignored_ids WHERE kind = ? AND value = ?", kind, value)
	if errors.Is(err, ErrNotFound) {
		return "", false, nil
	}
	return note, err == nil, err
}

// PutIgnored adds an entry or changes its note.
func (t *Tx) PutIgnored(i Ignored) error {
	_, err := t.exec("ignored id", "INSERT INTO ignored_ids (kind, value, note) VALUES (?, ?, ?) ON CONFLICT (kind, value) DO UPDATE SET note = excluded.note", i.Kind, i.Value, i.Note)
	return err
}

// DeleteIgnored removes an entry; one that is not there is no error.
func (t *Tx) DeleteIgnored(kind, value string) error {
	_, err := t.exec("ignored id", "DELETE FROM ignored_ids WHERE kind = ? AND value = ?", kind, value)
	return err
}

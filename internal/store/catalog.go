package store

import (
	"fmt"

	"github.com/bootyard/bootyard/internal/wire"
)

// Package returns one package record, or ErrNotFound.
func (t *Tx) Package(id string) (wire.Package, error) {
	return oneDoc[wire.Package](t, "package "+id, "SELECT doc FROM packages WHERE id = ?", id)
}

// Packages lists all in order of their ids.
func (t *Tx) Packages() ([]wire.Package, error) {
	return allDocs[wire.Package](t, "packages", "SELECT doc FROM packages ORDER BY id")
}

// PutPackage adds or changes a package record.
func (t *Tx) PutPackage(p wire.Package) error {
	_, err := t.exec("package "+p.ID, "INSERT INTO packages (id, name, doc) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, doc = excluded.doc", p.ID, p.Name, encode(p))
	return err
}

// DeletePackage removes a package record.
func (t *Tx) DeletePackage(id string) error {
	_, err := t.exec("package "+id, "DELETE FROM packages WHERE id = ?", id)
	return err
}

// BootImage returns one boot image, or ErrNotFound.
func (t *Tx) BootImage(id string) (wire.BootImage, error) {
	return oneDoc[wire.BootImage](t, "boot image "+id, "SELECT doc FROM boot_images WHERE id = ?", id)
}

// BootImages lists all in order of their ids.
func (t *Tx) BootImages() ([]wire.BootImage, error) {
	return allDocs[wire.BootImage](t, "boot images", "SELECT doc FROM boot_images ORDER BY id")
}

// PutBootImage adds or changes a boot image.
func (t *Tx) PutBootImage(b wire.BootImage) error {
	_, err := t.exec("boot image "+b.ID, "INSERT INTO boot_images (id, name, doc) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, doc = excluded.doc", b.ID, b.Name, encode(b))
	return err
}

// DeleteBootImage removes the record of a boot image.
func (t *Tx) DeleteBootImage(id string) error {
	_, err := t.exec("boot image "+id, "DELETE FROM boot_images WHERE id = ?", id)
	return err
}

// Sequence returns one sequence record, or ErrNotFound.
func (t *Tx) Sequence(id string) (wire.Sequence, error) {
	return oneDoc[wire.Sequence](t, "task sequence "+id, "SELECT doc FROM sequences WHERE id = ?", id)
}

// SequencesByName finds sequences by their exact name.
func (t *Tx) SequencesByName(name string) ([]wire.Sequence, error) {
	return allDocs[wire.Sequence](t, "task sequences", "SELECT doc FROM sequences WHERE name = ? ORDER BY id", name)
}

// Sequences lists all in order of their ids.
func (t *Tx) Sequences() ([]wire.Sequence, error) {
	return allDocs[wire.Sequence](t, "task sequences", "SELECT doc FROM sequences ORDER BY id")
}

// PutSequence adds or changes a sequence; s.Version names the stored XML.
func (t *Tx) PutSequence(s wire.Sequence) error {
	_, err := t.exec("task sequence "+s.ID, `INSERT INTO sequences (id, name, version, doc) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, doc = excluded.doc`, s.ID, s.Name, s.Version, encode(s))
	return err
}

// PutSequenceXML stores the XML of one version. A version is never changed.
func (t *Tx) PutSequenceXML(id string, version int, xml string) error {
	_, err := t.exec(fmt.Sprintf("task sequence %s version %d", id, version), "INSERT INTO sequence_versions (sequence_id, version, xml) VALUES (?, ?, ?)", id, version, xml)
	return err
}

// SequenceXML returns the XML of one version.
func (t *Tx) SequenceXML(id string, version int) (string, error) {
	var xml string
	return xml, t.one(fmt.Sprintf("task sequence %s version %d", id, version), []any{&xml}, "SELECT xml FROM sequence_versions WHERE sequence_id = ? AND version = ?", id, version)
}

// LastSequenceVersion is the highest version that was ever stored under an id, 0
// for none: the versions of a deleted sequence are kept for its runs.
func (t *Tx) LastSequenceVersion(id string) (int, error) {
	var n int
	return n, t.one("versions of task sequence "+id, []any{&n}, "SELECT COALESCE(MAX(version), 0) FROM sequence_versions WHERE sequence_id = ?", id)
}

// DeleteSequence removes the record; the XML of versions that runs refer to stays.
func (t *Tx) DeleteSequence(id string) error {
	_, err := t.exec("task sequence "+id, "DELETE FROM sequences WHERE id = ?", id)
	return err
}

// Deployment returns one deployment, or ErrNotFound.
func (t *Tx) Deployment(id string) (wire.Deployment, error) {
	return oneDoc[wire.Deployment](t, "deployment "+id, "SELECT doc FROM deployments WHERE id = ?", id)
}

// Deployments lists all in order of their ids.
func (t *Tx) Deployments() ([]wire.Deployment, error) {
	return allDocs[wire.Deployment](t, "deployments", "SELECT doc FROM deployments ORDER BY id")
}

// DeploymentsOf lists the deployments of one collection in order of their ids.
func (t *Tx) DeploymentsOf(collection string) ([]wire.Deployment, error) {
	return allDocs[wire.Deployment](t, "deployments", "SELECT doc FROM deployments WHERE collection_id = ? ORDER BY id", collection)
}

// DeploymentsUsing lists the deployments of one sequence in order of their ids.
func (t *Tx) DeploymentsUsing(sequence string) ([]wire.Deployment, error) {
	return allDocs[wire.Deployment](t, "deployments", "SELECT doc FROM deployments WHERE sequence_id = ? ORDER BY id", sequence)
}

// PutDeployment adds or changes a deployment.
func (t *Tx) PutDeployment(d wire.Deployment) error {
	_, err := t.exec("deployment "+d.ID, `INSERT INTO deployments (id, sequence_id, collection_id, purpose, doc) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET purpose = excluded.purpose, doc = excluded.doc`, d.ID, d.TaskSequence, d.Collection, string(d.Purpose), encode(d))
	return err
}

// DeleteDeployment removes a deployment and its ledger entries; runs stay.
func (t *Tx) DeleteDeployment(id string) error {
	if _, err := t.exec("deployment "+id, "DELETE FROM ledger WHERE deployment_id = ?", id); err != nil {
		return err
	}
	_, err := t.exec("deployment "+id, "DELETE FROM deployments WHERE id = ?", id)
	return err
}

package store

import "github.com/bootyard/bootyard/internal/wire"

// Drivers returns what is known of a driver package, or ErrNotFound.
func (t *Tx) Drivers(packageID string) (wire.DriverPackage, error) {
	return oneDoc[wire.DriverPackage](t, "drivers of "+packageID, "SELECT doc FROM drivers WHERE package_id = ?", packageID)
}

// AllDrivers lists the catalogue of drivers in order of the packages' ids.
func (t *Tx) AllDrivers() ([]wire.DriverPackage, error) {
	return allDocs[wire.DriverPackage](t, "drivers", "SELECT doc FROM drivers ORDER BY package_id")
}

// PutDrivers adds or changes what is known of a driver package.
func (t *Tx) PutDrivers(d wire.DriverPackage) error {
	_, err := t.exec("drivers of "+d.Package, "INSERT INTO drivers (package_id, doc) VALUES (?, ?) ON CONFLICT (package_id) DO UPDATE SET doc = excluded.doc", d.Package, encode(d))
	return err
}

// DeleteDrivers forgets a driver package; one that is not there is no error.
func (t *Tx) DeleteDrivers(packageID string) error {
	_, err := t.exec("drivers of "+packageID, "DELETE FROM drivers WHERE package_id = ?", packageID)
	return err
}

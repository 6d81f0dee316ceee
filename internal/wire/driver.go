package wire

import "time"

// DriverPackage is what the catalogue of drivers has of a package: each of its
// INF files, and the categories by which Auto Apply Drivers may be restricted.
type DriverPackage struct {
	Package    string   `json:"package"`
	Name       string   `json:"name"`
	Categories []string `json:"categories"`
	Drivers    []Driver `json:"drivers"`
}

// Driver is one INF file.
type Driver struct {
	INF      string        `json:"inf"` // path in the package, with /
	Class    string        `json:"class,omitempty"`
	Provider string        `json:"provider,omitempty"`
	Catalog  string        `json:"catalog,omitempty"` // file of its signature; empty: none is named
	Version  string        `json:"version,omitempty"`
	Date     time.Time     `json:"date,omitzero"`
	Devices  int           `json:"devices"` // how many ids it serves
	Models   []DriverModel `json:"models,omitempty"`
}

// DriverModel is a device that a driver serves.
type DriverModel struct {
	Name  string `json:"name,omitempty"`
	ID    string `json:"id"`              // hardware or compatible id
	Arch  string `json:"arch"`            // GOARCH
	Build int    `json:"build,omitempty"` // least build of Windows; 0 is any
}

// DriverCategories replaces the categories of a driver package.
type DriverCategories struct {
	Categories []string `json:"categories"`
}

// DriverQuery asks for drivers that serve any of the ids of a machine's devices
// and are in any of the categories; none asks for all.
type DriverQuery struct {
	IDs        []string `json:"ids"`
	Categories []string `json:"categories,omitempty"`
	Arch       string   `json:"arch"` // of the Windows that is being applied
}

// MaxDriverIDs bounds the ids of a query; a machine has some hundreds.
const MaxDriverIDs = 5000

// DriverAnswer is what the site has for a machine.
type DriverAnswer struct {
	Drivers []DriverOffer `json:"drivers"`
}

// DriverOffer is a driver with those of the ids asked for that it serves.
type DriverOffer struct {
	Package string    `json:"package"`
	Name    string    `json:"name"` // the package's, and the INF file
	IDs     []string  `json:"ids"`
	Version string    `json:"version,omitempty"`
	Date    time.Time `json:"date,omitzero"`
}

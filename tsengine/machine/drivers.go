package machine

import (
	"context"
	"time"
)

// Drivers knows the machine's devices and asks for drivers for them.
type Drivers interface {
	// Devices lists the plug-and-play devices that are present.
	Devices(ctx context.Context) ([]Device, error)
	// Offers are the drivers in any of the categories (none: all) that serve one of the devices.
	Offers(ctx context.Context, devices []Device, categories []string) ([]DriverOffer, error)
}

// Device is a plug-and-play device. Its ids are ordered from the most to the least specific.
type Device struct {
	Name          string
	HardwareIDs   []string // PCI\VEN_8086&DEV_15BE&SUBSYS_...
	CompatibleIDs []string
}

// DriverOffer is a driver of the site.
type DriverOffer struct {
	PackageID string
	Name      string
	IDs       []string // hardware and compatible ids that it serves
	Date      time.Time
	Version   string
}

// DriverStore puts drivers into a Windows that was applied and does not run yet.
type DriverStore interface {
	// AddDrivers takes all drivers of a package's folder. Notes are for the log. Repeating it is safe.
	AddDrivers(ctx context.Context, request DriverRequest) (notes []string, err error)
}

// DriverRequest is a package of drivers for an applied Windows.
type DriverRequest struct {
	Target    Volume // of Windows
	PackageID string
	Dir       string // verified content of the package
}

package wire

import "time"

// DeviceKind says how the site knows a machine (TRM-11).
type DeviceKind string

// The kinds of devices. An unknown one has reported in but is not part of the
// site; an object stands for all unknown machines of one architecture (COL-11).
const (
	KnownDevice   DeviceKind = "known"
	UnknownDevice DeviceKind = "unknown"
	UnknownObject DeviceKind = "object"
)

// Device is a machine of the site. ID is a UUIDv7; UUID the SMBIOS one.
type Device struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Kind         DeviceKind `json:"kind"`
	UUID         string     `json:"uuid,omitempty"`
	MACs         []string   `json:"macs"`
	Firmware     Firmware   `json:"firmware,omitempty"`
	Arch         string     `json:"arch,omitempty"` // GOARCH
	Serial       string     `json:"serial,omitempty"`
	AssetTag     string     `json:"assetTag,omitempty"`
	Manufacturer string     `json:"manufacturer,omitempty"`
	Model        string     `json:"model,omitempty"`
	MemoryMiB    int        `json:"memoryMiB,omitempty"`
	SecureBoot   bool       `json:"secureBoot,omitempty"`
	Approved     bool       `json:"approved"`
	Server       bool       `json:"server,omitempty"`     // HRD-12c, OPN-14
	SiteSystem   bool       `json:"siteSystem,omitempty"` // HRD-12a
	Zone         string     `json:"zone,omitempty"`       // IANA name
	Address      string     `json:"address,omitempty"`    // last one seen
	Prefix       int        `json:"prefix,omitempty"`     // bits of the network, 0 unknown
	HostName     string     `json:"hostName,omitempty"`
	OSName       string     `json:"osName,omitempty"`
	Created      time.Time  `json:"created"`
	LastSeen     *time.Time `json:"lastSeen,omitempty"`
	// Agent is true when an installed agent has polled at least once.
	Agent bool `json:"agent,omitempty"`
}

// DeviceImport makes or changes a device (COL-17): a name plus a MAC, a UUID or
// both.
type DeviceImport struct {
	Name       string   `json:"name"`
	MACs       []string `json:"macs,omitempty"`
	UUID       string   `json:"uuid,omitempty"`
	Arch       string   `json:"arch,omitempty"`
	Firmware   Firmware `json:"firmware,omitempty"`
	Zone       string   `json:"zone,omitempty"`
	Address    string   `json:"address,omitempty"`
	Prefix     int      `json:"prefix,omitempty"`
	Server     bool     `json:"server,omitempty"`
	SiteSystem bool     `json:"siteSystem,omitempty"`
}

// Ids of the built-in collections.
const (
	AllSystems          = "SMS00001"
	AllUnknownComputers = "SMS000US"
	// AllUsers is Configuration Manager's first user collection. This site has
	// none of them; naming one is answered by the rule (TSV-12).
	AllUsers = "SMS00002"
)

// Collection is a set of devices (COL-1, COL-2).
type Collection struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	BuiltIn     bool      `json:"builtIn"`
	Limiting    string    `json:"limiting,omitempty"`
	Priority    int       `json:"priority,omitempty"` // between collection variables (COL-13)
	Comment     string    `json:"comment,omitempty"`
	Windows     []Window  `json:"windows,omitempty"`
	MemberCount int       `json:"memberCount"`
	Created     time.Time `json:"created"`
}

// CollectionCreate makes a custom collection; Limiting defaults to All Systems.
type CollectionCreate struct {
	Name     string   `json:"name"`
	Limiting string   `json:"limiting,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Comment  string   `json:"comment,omitempty"`
	Windows  []Window `json:"windows,omitempty"`
	Members  []string `json:"members,omitempty"` // device ids or names
}

// Variable is a collection or device variable (COL-13, COL-14). The value of a
// hidden one is never given back.
type Variable struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	Hidden bool   `json:"hidden,omitempty"`
	// Ask keeps a variable without a value, for which the machine asks (TS-17).
	Ask bool `json:"ask,omitempty"`
}

// Package is the record of a package or OS image; its bytes are in the content
// library under ID and Version.
type Package struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Kind         string    `json:"kind"` // KindPackage and others
	Version      int       `json:"version"`
	Description  string    `json:"description,omitempty"`
	Author       string    `json:"author,omitempty"`       // of a captured image (IMG-1)
	ImageVersion string    `json:"imageVersion,omitempty"` // that its author gave it
	CapturedFrom string    `json:"capturedFrom,omitempty"` // name of the device
	PackageShare bool      `json:"packageShare,omitempty"` // DOP-5
	Files        int       `json:"files"`
	Size         int64     `json:"size"` // bytes
	Programs     []Program `json:"programs,omitempty"`
	Created      time.Time `json:"created"`
	Updated      time.Time `json:"updated"`
}

// PackageDeleted says what deleting a package freed.
type PackageDeleted struct {
	ID    string `json:"id"`
	Files int    `json:"files"` // that no other package needs
	Bytes int64  `json:"bytes"` // of those files
	// Kept says why bytes are still there; empty when nothing is left.
	Kept string `json:"kept,omitempty"`
}

// BootImage is a boot environment that machines can start. Dir holds its files
// on the appliance and is never told to a device.
type BootImage struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Arch    string    `json:"arch"` // GOARCH
	Dir     string    `json:"dir"`
	Kernel  string    `json:"kernel"`
	Initrd  string    `json:"initrd"`
	Ready   bool      `json:"ready"`
	Default bool      `json:"default,omitempty"`
	Size    int64     `json:"size,omitempty"`
	SHA256  string    `json:"sha256,omitempty"`
	Created time.Time `json:"created"`
	// PackageShare copies it to the package share (DOP-5); it counts for the
	// option DirectFromDP (DOP-8).
	PackageShare bool `json:"packageShare,omitempty"`
}

// Reference is something that a sequence needs (TRM-2), with the step behind it.
type Reference struct {
	ID   string `json:"id"`
	Kind string `json:"kind"` // package, application, sequence, bootImage
	Step string `json:"step,omitempty"`
}

// Sequence is the record of a task sequence. Invalid names what keeps it from
// being deployed (TSV-1).
type Sequence struct {
	ID            string      `json:"id"`
	Name          string      `json:"name"`
	BootImage     string      `json:"bootImage,omitempty"`
	DeploysOS     bool        `json:"deploysOS"`
	Enabled       bool        `json:"enabled"`
	MaxRunMinutes int         `json:"maxRunMinutes"`
	Steps         int         `json:"steps"`
	References    []Reference `json:"references"`
	Version       int         `json:"version"`
	Created       time.Time   `json:"created"`
	Updated       time.Time   `json:"updated"`
	CanDeploy     bool        `json:"canDeploy"`
	Invalid       []Reason    `json:"invalid,omitempty"`
}

// NoBootImage as the BootImage of an import takes the boot image away that the sequence had, in its export or here.
const NoBootImage = "none"

// SequenceImport stores a sequence. ID is kept when it is free; an existing one
// is changed only with Replace.
type SequenceImport struct {
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	BootImage string `json:"bootImage,omitempty"`
	XML       string `json:"xml"`
	Replace   bool   `json:"replace,omitempty"`
	// New makes another sequence, whatever id the XML has (TS-175).
	New bool `json:"new,omitempty"`
}

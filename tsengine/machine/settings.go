package machine

import "context"

// OSSettings gives the operating system that the run applied its settings: Windows by its answer file, Linux in the
// distribution's own way.
type OSSettings interface {
	// ApplySystem writes name, zone, languages and accounts over what was there before. It returns what was done and what
	// has no meaning in that system, one line each, for the log. Repeating it is safe.
	ApplySystem(ctx context.Context, request SystemRequest) (notes []string, err error)
	// ApplyNetwork replaces the network settings that it wrote before. Repeating it is safe.
	ApplyNetwork(ctx context.Context, request NetworkRequest) (notes []string, err error)
	// ExpandAnswers replaces the variables in the answer file of the target, but for fields that hold numbers (TS-92). A
	// system without an answer file is left alone.
	ExpandAnswers(ctx context.Context, target Volume, expand func(string) string) error
}

// SettingsCapture reads the settings of the system that runs now.
type SettingsCapture interface {
	// CaptureSystem returns name, organisation, user and zone; what is not known stays empty.
	CaptureSystem(ctx context.Context) (SystemSettings, error)
	// CaptureNetwork returns membership and the adapters with hardware behind them.
	CaptureNetwork(ctx context.Context) (NetworkSettings, error)
}

// SystemRequest is where the settings go.
type SystemRequest struct {
	Target   Volume
	Settings SystemSettings
}

// SystemSettings are those of Apply Windows Settings. Empty ones leave alone what is there.
type SystemSettings struct {
	ComputerName           string
	RegisteredUser         string // 1 to 255 characters
	RegisteredOrganisation string // 1 to 255 characters
	ProductKey             string // secret
	TimeZone               string // Windows' name of the zone, or an IANA name
	// Administrator says what becomes of the local administrator (root on Linux).
	Administrator AdministratorMode
	AdminPassword string // secret; for AdministratorPassword
	// License is the mode of old servers: PerSeat, PerServer, empty.
	License      string
	Connections  int // 5 to 9999, for PerServer; 0 is not given
	InputLocale  string
	SystemLocale string
	UILanguage   string
	UIFallback   string
	UserLocale   string
}

// AdministratorMode is what becomes of the local administrator.
type AdministratorMode int

// The modes.
const (
	AdministratorKept     AdministratorMode = iota // as it is in the image
	AdministratorDisabled                          // a random password, and nobody can sign in with it
	AdministratorPassword                          // enabled with AdminPassword
)

// NetworkRequest is where the settings go.
type NetworkRequest struct {
	Target   Volume
	Settings NetworkSettings
}

// NetworkSettings are those of Apply Network Settings.
type NetworkSettings struct {
	Join          JoinType
	Domain        string
	OU            string // full LDAP path
	JoinAccount   string
	JoinPassword  string // secret
	Workgroup     string
	DNSDomain     string   // primary
	SuffixSearch  []string // of DNS names
	Filtering     bool     // TCP/IP filtering, which Windows dropped with version 6
	Adapters      []Adapter
	AdaptersGiven bool // OSDAdapterCount was set: without it adapters are left alone (TS-89)
}

// JoinType says where a computer belongs.
type JoinType int

// The kinds of membership.
const (
	JoinNothing JoinType = iota
	JoinDomain
	JoinWorkgroup
)

// Adapter is the setting of one network card.
type Adapter struct {
	MAC            string // lower case with colons
	Name           string // of the connection, may be empty
	DHCP           bool
	Addresses      []string // IPv4 or IPv6 with the length of the prefix, such as 192.0.2.10/24
	Gateways       []string
	DNSServers     []string
	DNSDomain      string
	RegisterDNS    *bool // register the address in DNS; nil leaves the system's default
	RegisterFull   *bool // ... under the full computer name
	NetBIOSOptions *int  // 0 from DHCP, 1 on, 2 off
}

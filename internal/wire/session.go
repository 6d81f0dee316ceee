package wire

import "time"

// Identity is what a machine tells of itself. UUID is the SMBIOS UUID in
// canonical lower case, empty when absent, all zero or all ones; MACs are lower
// case with colons, the booted one first.
type Identity struct {
	UUID         string   `json:"uuid,omitempty"`
	MACs         []string `json:"macs"`
	Serial       string   `json:"serial,omitempty"`
	AssetTag     string   `json:"assetTag,omitempty"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
	Firmware     Firmware `json:"firmware"`
	SecureBoot   bool     `json:"secureBoot,omitempty"`
	Arch         string   `json:"arch"` // GOARCH
	MemoryMiB    int      `json:"memoryMiB,omitempty"`
	Addresses    []string `json:"addresses,omitempty"`
	HostName     string   `json:"hostName,omitempty"` // full OS only
	OSName       string   `json:"osName,omitempty"`   // full OS only
	Zone         string   `json:"zone,omitempty"`     // IANA zone of the device, full OS only
}

// SessionRequest opens a session. Exactly one of the credentials is set: the
// boot token of the boot arguments (single use), the key of a boot medium, the
// resume token of an applied OS, or the client token of an installed agent.
type SessionRequest struct {
	Protocol    int         `json:"protocol"`
	Build       string      `json:"build,omitempty"`
	Environment Environment `json:"environment"`
	LaunchMode  LaunchMode  `json:"launchMode"`
	BootToken   string      `json:"bootToken,omitempty"`
	// Nonce is random and secret, made once in a boot and kept in RAM. The agent
	// that repeats a boot token with it, because the answer was lost, gets the
	// same session again; any other second use is refused. 32 to 128 characters.
	Nonce       string   `json:"nonce,omitempty"`
	MediaID     string   `json:"mediaId,omitempty"`
	MediaToken  string   `json:"mediaToken,omitempty"`
	ResumeToken string   `json:"resumeToken,omitempty"`
	ClientToken string   `json:"clientToken,omitempty"`
	Identity    Identity `json:"identity"`
}

// SessionResponse gives the bearer token for everything else. Token values are
// secret and never logged.
type SessionResponse struct {
	DeviceID   string    `json:"deviceId"`
	DeviceName string    `json:"deviceName"`
	SiteCode   string    `json:"siteCode"`
	BootID     string    `json:"bootId,omitempty"`
	Token      string    `json:"token"`
	Expires    time.Time `json:"expires"`
	// ClientToken is set when a resume token was exchanged: the installed
	// agent keeps it for its next sessions.
	ClientToken string `json:"clientToken,omitempty"`
	// PasswordNeeded says that the PXE password must be given before anything
	// else is answered (PXE-23).
	PasswordNeeded bool `json:"passwordNeeded,omitempty"`
	// Time is the appliance's clock; a boot environment sets its own by it
	// (DESIGN.md, "clock").
	Time time.Time `json:"time"`
	// PollInterval is how often an installed agent asks for policy.
	PollInterval Duration `json:"pollInterval,omitempty"`
}

// Duration is a time.Duration that travels as text such as "90s".
type Duration time.Duration

// MarshalText writes the duration as time.Duration prints it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

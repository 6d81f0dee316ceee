package wire

import "time"

// Scope is what a token of the admin API may do. Write includes read.
type Scope string

// The scopes.
const (
	ScopeRead  Scope = "read"
	ScopeWrite Scope = "write"
	ScopeAdmin Scope = "admin" // tokens, settings and media as well
)

// TokenCreate asks for an admin token.
type TokenCreate struct {
	Name  string   `json:"name"`
	Scope Scope    `json:"scope,omitempty"` // default read
	TTL   Duration `json:"ttl,omitempty"`   // default 90 days
}

// TokenInfo describes a token; the token itself is kept only as a hash.
type TokenInfo struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	Scope    Scope      `json:"scope,omitempty"`
	Created  time.Time  `json:"created"`
	Expires  time.Time  `json:"expires"`
	LastUsed *time.Time `json:"lastUsed,omitempty"`
	Revoked  *time.Time `json:"revoked,omitempty"`
}

// TokenCreated is the only time that a token is shown.
type TokenCreated struct {
	TokenInfo
	Token string `json:"token"`
}

// MediaCreate registers a medium before its image is written.
type MediaCreate struct {
	Label      string            `json:"label,omitempty"`
	Unattended bool              `json:"unattended,omitempty"`
	Repeat     bool              `json:"repeat,omitempty"`
	BootImage  string            `json:"bootImage,omitempty"`
	Variables  map[string]string `json:"variables,omitempty"`
	TTL        Duration          `json:"ttl,omitempty"` // default 3 years
}

// MediaRecord is what the site knows of a medium.
type MediaRecord struct {
	ID         string            `json:"id"`
	Label      string            `json:"label"`
	Unattended bool              `json:"unattended"`
	Repeat     bool              `json:"repeat"`
	BootImage  string            `json:"bootImage,omitempty"`
	Variables  map[string]string `json:"variables,omitempty"`
	Created    time.Time         `json:"created"`
	Expires    time.Time         `json:"expires"`
	Revoked    *time.Time        `json:"revoked,omitempty"`
}

// MediaCreated carries the settings for the image, token included, once.
type MediaCreated struct {
	Record MediaRecord `json:"record"`
	Media  Media       `json:"media"`
	// KernelArgs and the boot image's files are for whoever writes the image.
	BootImage BootImage `json:"bootImage"`
}

// Settings are the site's choices that can be changed while it runs.
type Settings struct {
	UnknownComputers    bool     `json:"unknownComputers"`       // PXE-1
	WindowsApplyInWinPE bool     `json:"windowsApplyInWinPE"`    // MWN-18
	WakeOnLAN           bool     `json:"wakeOnLan"`              // WOL-2
	WakeOffset          Duration `json:"wakeOffset"`             // WOL-8
	DefaultSize         int      `json:"deploymentDefaultSize"`  // HRD-4
	MaximumSize         int      `json:"deploymentMaximumSize"`  // HRD-5
	SiteSystems         string   `json:"deploymentSiteSystems"`  // Block or Warn (HRD-6)
	BootTokenTTL        Duration `json:"bootTokenTtl"`           // 15 minutes
	UnknownLedgerTTL    Duration `json:"unknownLedgerTtl"`       // PXE-19
	MediaGuard          Duration `json:"mediaGuard"`             // MED-25
	StaleAfter          Duration `json:"staleAfter"`             // a run not heard of
	PollInterval        Duration `json:"pollInterval"`           // installed agents
	StateMaxBytes       int64    `json:"stateMaxBytes"`          // of one user state (USM-1)
	StateRetention      Duration `json:"stateRetention"`         // of user state after its release (USM-1)
	StateMinFree        int64    `json:"stateMinFree"`           // bytes of the disk that user state leaves free (USM-1)
	Organisation        string   `json:"organisation,omitempty"` // over the progress of a run (TS-170)
	CaptureMaxBytes     int64    `json:"captureMaxBytes"`        // of one image captured into the appliance; 0 takes none (IMG-1)
	NetworkFirst        bool     `json:"networkFirst,omitempty"` // final boot order, for labs
	// PXEPassword tells whether one is set (PXE-23). It is changed by
	// PUT /settings/pxe-password and not with the others.
	PXEPassword bool `json:"pxePassword,omitempty"`
}

// Password is the PXE password (PXE-23), from an administrator who sets it (empty
// ends it) or from an agent at whose machine it was typed. It is never answered.
type Password struct {
	Password string `json:"password"`
}

package wire

// Names on the kernel command line of a boot environment. The line is readable
// by everybody on the machine and crosses the network in clear text with the
// boot script, so the token is single use and lives minutes.
const (
	ArgURL   = "bootyard.url"   // HTTPS base URL of the appliance
	ArgCA    = "bootyard.ca"    // SHA-256 of the CA's SPKI, base64url without padding
	ArgToken = "bootyard.token" // boot token
	ArgBoot  = "bootyard.boot"  // boot id, for the log
	ArgMAC   = "bootyard.mac"   // MAC that the firmware booted from
	ArgMedia = "bootyard.media" // "1" when started from a medium: settings are in MediaFile
	ArgPick  = "bootyard.pick"  // deployment chosen in the loader's menu
)

// Files of the site archive, as paths in the boot environment.
const (
	SiteCAFile = "/etc/bootyard/ca.pem"
	MediaFile  = "/etc/bootyard/media.json"
)

// Marks on the consoles. Tests, the lab and people wait for these lines.
const (
	MarkBootEnvironment = "bootyard: boot environment up"
	MarkInstalledOS     = "bootyard: installed OS up"
	MarkRunStarted      = "bootyard: run started"
	MarkRunRestart      = "bootyard: run restarts the machine"
	MarkRunSucceeded    = "bootyard: run succeeded"
	MarkRunFailed       = "bootyard: run failed"
	MarkNothing         = "bootyard: nothing to run"
)

// Media is what a boot medium carries in MediaFile. Token is the medium's own
// key and therefore secret.
type Media struct {
	ID         string            `json:"id"`
	Token      string            `json:"token"`
	URL        string            `json:"url"`
	CASPKI     string            `json:"caSpki"`
	Label      string            `json:"label"`
	Unattended bool              `json:"unattended"`
	Repeat     bool              `json:"repeat,omitempty"`
	Variables  map[string]string `json:"variables,omitempty"`
}

package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootyard/bootyard/internal/wire"
)

// maxMediaFile bounds media.json.
const maxMediaFile = 1 << 20

// Boot is what a boot environment was started with: the kernel's arguments, and the medium's file when a medium started
// it.
type Boot struct {
	URL    string
	CASPKI string
	CAPEM  []byte
	Token  string // boot token; secret, single use
	BootID string
	MAC    string // the card the firmware booted from, lower case; may be empty
	Pick   string // deployment chosen in the loader's menu
	Media  *wire.Media
}

// String leaves the secrets out.
func (b Boot) String() string {
	medium := "none"
	if b.Media != nil {
		medium = b.Media.ID
	}
	return fmt.Sprintf("appliance %s, boot %s, medium %s", b.URL, b.BootID, medium)
}

// ReadBoot puts args and the site archive below root together. What a medium says about address and trust counts before
// the arguments, because those of a medium are the same for every copy of its loader.
func ReadBoot(args map[string]string, root string) (Boot, error) {
	b := Boot{URL: args[wire.ArgURL], CASPKI: args[wire.ArgCA], Token: args[wire.ArgToken], BootID: args[wire.ArgBoot], Pick: args[wire.ArgPick]}
	if text := args[wire.ArgMAC]; text != "" {
		// GRUB writes net_default_mac with colons, pxelinux style has dashes and the hardware type in front.
		text = strings.TrimPrefix(strings.ToLower(text), "01-")
		mac, err := net.ParseMAC(text)
		if err == nil && len(mac) == 6 {
			b.MAC = mac.String()
		}
	}
	var err error
	if b.CAPEM, err = os.ReadFile(filepath.Join(root, wire.SiteCAFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return b, fmt.Errorf("read the site's CA: %w", err)
	}
	if args[wire.ArgMedia] == "1" {
		media, err := readMedia(filepath.Join(root, wire.MediaFile))
		if err != nil {
			return b, err
		}
		b.Media = media
		if media.URL != "" {
			b.URL = media.URL
		}
		if media.CASPKI != "" {
			b.CASPKI = media.CASPKI
		}
	}
	switch {
	case b.URL == "":
		return b, fmt.Errorf("the boot arguments name no appliance (%s): start this machine by bootyard's boot script or medium", wire.ArgURL)
	case b.CASPKI == "":
		return b, fmt.Errorf("the boot arguments hold no hash of the CA's key (%s), so the appliance cannot be recognised: "+
			"start this machine by bootyard's boot script or medium", wire.ArgCA)
	case b.Media == nil && b.Token == "":
		return b, fmt.Errorf("the boot arguments hold no boot token (%s): start this machine by bootyard's boot script or medium", wire.ArgToken)
	}
	return b, nil
}

func readMedia(name string) (*wire.Media, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxMediaFile {
		err = fmt.Errorf("it has %d bytes", info.Size())
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(name)
	}
	m := &wire.Media{}
	if err == nil {
		err = json.Unmarshal(data, m)
	}
	if err == nil && (m.ID == "" || m.Token == "") {
		err = errors.New("id or key is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("read the medium's settings %s: %w: make the medium again", name, err)
	}
	return m, nil
}

// variable is a medium's variable, found without regard to case (TS-80); empty without a medium.
func (b Boot) variable(name string) string {
	if b.Media != nil {
		for key, value := range b.Media.Variables {
			if strings.EqualFold(strings.TrimSpace(key), name) {
				return strings.TrimSpace(value)
			}
		}
	}
	return ""
}

// unattended reports whether no question may be asked (MED-1).
func (b Boot) unattended() bool { return b.Media != nil && b.Media.Unattended }

// launchMode is how a run begins here (TS-15).
func (b Boot) launchMode() wire.LaunchMode {
	if b.Media != nil {
		return wire.LaunchCD
	}
	return wire.LaunchPXE
}

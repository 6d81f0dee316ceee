package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Session is an agent that has shown a credential.
type Session struct {
	Device      string
	Environment wire.Environment
	LaunchMode  wire.LaunchMode
	Boot, Media string
	Expires     time.Time
	// Locked is a session by PXE that has to give the password first, Unlocked one
	// that did (PXE-23).
	Locked, Unlocked bool

	token string // hash
}

// BootBinding is what a boot token is good for.
type BootBinding struct {
	Boot, UUID, MAC, Address string
	LaunchMode               wire.LaunchMode
}

// IssueBootToken makes the single-use token for a boot script's kernel line.
func (s *Service) IssueBootToken(ctx context.Context, b BootBinding) (token string, err error) {
	mac := NormalMAC(b.MAC)
	if mac == "" {
		return "", errors.New("a boot token is bound to a MAC address and none is known")
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		set, err := settings(tx)
		if err != nil {
			return err
		}
		// Of several scripts that an address was given for a machine the last one
		// counts. What lies around of the others is good for nobody. A token that was
		// given to another address stays: asking in a machine's name from elsewhere
		// must not stop the machine that boots now.
		subject := mac + " " + b.Address
		if _, err := tx.RevokeUnusedTokens(kindBoot, subject, s.Now()); err != nil {
			return err
		}
		token, err = s.issue(tx, store.Token{Kind: kindBoot, Subject: subject, Boot: b.Boot, UUID: NormalUUID(b.UUID), MAC: mac,
			Address: b.Address, Launch: string(b.LaunchMode)}, time.Duration(set.BootTokenTTL))
		return err
	})
	return token, err
}

// OpenSession exchanges a credential for a session token. remote is the
// address that the request came from. What the machine says of itself is
// believed only after the credential was.
func (s *Service) OpenSession(ctx context.Context, r wire.SessionRequest, remote string) (wire.SessionResponse, error) {
	var out wire.SessionResponse
	if r.Protocol < wire.Protocol-1 || r.Protocol > wire.Protocol || r.Protocol < 1 {
		return out, refusal(http.StatusUpgradeRequired, "", "protocol", fmt.Sprintf("protocol %d is not spoken here, this appliance speaks %d", r.Protocol, wire.Protocol), "start the machine from the network, or make the medium again")
	}
	if r.Nonce != "" && (len(r.Nonce) < minNonce || len(r.Nonce) > maxNonce) {
		return out, invalid("", "nonce", fmt.Sprintf("a nonce has %d to %d characters", minNonce, maxNonce), "")
	}
	if r.Environment != wire.WinPE && r.Environment != wire.FullOS {
		return out, invalid("TRM-10", "environment", "environment is winpe or fullos", "")
	}
	given := 0
	for _, c := range []string{r.BootToken, r.MediaToken, r.ResumeToken, r.ClientToken} {
		if c != "" {
			given++
		}
	}
	if given != 1 {
		return out, unauthorized("exactly one credential is needed", "start the machine again")
	}
	var denied error // refusals that must be recorded: the transaction stays
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		o := &opening{Service: s, tx: tx, request: r, remote: remote}
		var err error
		out, err = o.open()
		var p *wire.Problem
		if errors.As(err, &p) && o.recorded {
			denied = err
			return nil
		}
		return err
	})
	if err != nil || denied != nil {
		return wire.SessionResponse{}, cmp.Or(err, denied)
	}
	s.feed.bump()
	return out, nil
}

// opening is one session being opened inside a transaction.
type opening struct {
	*Service
	tx       *store.Tx
	request  wire.SessionRequest
	remote   string
	token    store.Token
	id       identification
	repeated bool // the same agent asks once more: its first answer was lost
	recorded bool
}

func (o *opening) open() (wire.SessionResponse, error) {
	var out wire.SessionResponse
	var err error
	if o.id, err = identify(o.tx, o.request.Identity); err != nil {
		return out, err
	}
	var device wire.Device
	switch r := o.request; {
	case r.BootToken != "":
		device, err = o.byBootToken()
	case r.MediaToken != "":
		device, err = o.byMedia()
	default:
		device, err = o.byDeviceToken()
	}
	if err != nil {
		return out, err
	}
	device = o.learn(device)
	if err := o.tx.PutDevice(device); err != nil {
		return out, err
	}
	set, err := settings(o.tx)
	if err != nil {
		return out, err
	}
	if o.request.ResumeToken != "" {
		// The client token replaces the resume token when it is first used, so
		// an answer that got lost can be asked for again.
		if _, err := o.tx.RevokeTokens(kindClient, device.ID, o.Now()); err != nil {
			return out, err
		}
		if out.ClientToken, err = o.issue(o.tx, store.Token{Kind: kindClient, Subject: device.ID, Run: o.token.Run}, clientTTL); err != nil {
			return out, err
		}
	}
	launch := cmp.Or(o.request.LaunchMode, wire.LaunchMode(o.token.Launch), wire.LaunchSMS)
	out.Token, out.PasswordNeeded, err = o.session(store.Token{Kind: kindSession, Subject: device.ID, Env: string(o.request.Environment),
		Launch: string(launch), Boot: o.token.Boot, Media: o.token.Media})
	if err != nil {
		return out, err
	}
	now := o.Now().UTC()
	out.DeviceID, out.DeviceName, out.SiteCode, out.BootID = device.ID, device.Name, o.SiteCode, o.token.Boot
	out.Expires, out.Time, out.PollInterval = now.Add(sessionTTL), now, set.PollInterval
	if o.token.Boot != "" {
		err = o.joinBoot(device)
	}
	return out, err
}

func (o *opening) byMedia() (wire.Device, error) {
	var err error
	if o.token, err = o.lookup(o.tx, kindMedia, o.request.MediaToken); err != nil {
		return wire.Device{}, err
	}
	m, err := o.tx.Medium(o.token.Subject)
	if err != nil {
		return wire.Device{}, err
	}
	if o.request.MediaID != m.ID || m.Revoked != nil {
		return wire.Device{}, unauthorized("the medium is not valid", "make it again with `bootyard media create`")
	}
	o.token.Media = m.ID
	return o.deviceOrUnknown()
}

// deviceOrUnknown returns the machine's device, or makes a record of a machine
// that is not known. It is served only if unknown computers are on (PXE-13).
func (o *opening) deviceOrUnknown() (wire.Device, error) {
	if o.id.device != nil {
		return *o.id.device, nil
	}
	if len(o.id.identity.MACs) == 0 && o.id.identity.UUID == "" {
		return wire.Device{}, unauthorized("the machine has neither a usable SMBIOS UUID nor a MAC address", "import it with its MAC address")
	}
	if err := o.tx.DeleteStalestUnknown(maxUnknown - 1); err != nil {
		return wire.Device{}, err
	}
	d := wire.Device{ID: o.newID(), Kind: wire.UnknownDevice, Created: o.Now().UTC(), UUID: o.id.identity.UUID, MACs: []string{}}
	d.Name = "unknown-" + strings.ReplaceAll(d.ID, "-", "")[20:]
	if len(o.id.identity.MACs) > 0 {
		d.Name = "unknown-" + strings.ReplaceAll(o.id.identity.MACs[0], ":", "")
	}
	return d, nil
}

// byDeviceToken accepts the resume token of an applied OS and the client token
// of an installed agent. Both belong to one device.
func (o *opening) byDeviceToken() (wire.Device, error) {
	kind, secret := kindClient, o.request.ClientToken
	if o.request.ResumeToken != "" {
		kind, secret = kindResume, o.request.ResumeToken
	}
	var err error
	if o.token, err = o.lookup(o.tx, kind, secret); err != nil {
		return wire.Device{}, err
	}
	d, err := o.tx.Device(o.token.Subject)
	if err != nil {
		return d, orMissing(err, "", "the device of this token was deleted", "import the machine again")
	}
	if u := o.id.identity.UUID; d.UUID != "" && u != "" && u != d.UUID && u != swapUUID(d.UUID) {
		return d, o.refuse("critical", "device-token:"+d.ID, fmt.Sprintf("the token of %s was used by a machine with another SMBIOS UUID: a copied disk?", d.Name), "deploy the copy anew")
	}
	if kind == kindClient {
		if _, err := o.tx.RevokeTokens(kindResume, d.ID, o.Now()); err != nil {
			return d, err
		}
		if err := o.tx.TouchToken(o.token.Hash, o.Now(), o.Now().Add(clientTTL)); err != nil {
			return d, err
		}
	} else if d.Kind == wire.UnknownDevice { // PXE-37
		if d, err = o.adopt(d); err != nil {
			return d, err
		}
	}
	return d, nil
}

// adopt makes a record of its own for a machine that was unknown when it was
// deployed (PXE-37). What it ran stays run: the ledger moves with it.
func (o *opening) adopt(d wire.Device) (wire.Device, error) {
	runs, err := o.tx.Runs(store.RunFilter{Device: d.ID})
	if err != nil {
		return d, err
	}
	d.Kind = wire.KnownDevice
	for _, r := range runs {
		if err := o.tx.PutLedger(store.LedgerEntry{Subject: d.ID, Deployment: r.Deployment, Handed: r.Started}); err != nil {
			return d, err
		}
	}
	if h := o.id.identity.HostName; h != "" && nameFree(o.tx, h, &d) == nil {
		d.Name = h
	}
	return d, o.audit(context.Background(), o.tx, wire.StatusMessage{Rule: "PXE-37", Device: d.ID, Text: fmt.Sprintf("unknown machine installed an OS and is now device %q", d.Name)})
}

// learn takes over what the machine says of itself.
func (o *opening) learn(d wire.Device) wire.Device {
	i, now := o.id.identity, o.Now().UTC()
	d.UUID = cmp.Or(d.UUID, i.UUID)
	for _, m := range i.MACs {
		if slices.Contains(d.MACs, m) || len(d.MACs) >= maxMACs {
			continue
		}
		if _, shared, err := o.tx.IgnoredNote("mac", m); err != nil || shared {
			continue
		}
		if others, err := o.tx.DevicesByMAC(m); err != nil || len(others) > 0 {
			continue // a dock or adapter that moves between machines
		}
		d.MACs = append(d.MACs, m)
	}
	d.Serial, d.AssetTag = cmp.Or(i.Serial, d.Serial), cmp.Or(i.AssetTag, d.AssetTag)
	d.Manufacturer, d.Model = cmp.Or(i.Manufacturer, d.Manufacturer), cmp.Or(i.Model, d.Model)
	d.Firmware, d.Arch = cmp.Or(i.Firmware, d.Firmware), cmp.Or(i.Arch, d.Arch)
	d.MemoryMiB, d.SecureBoot = cmp.Or(i.MemoryMiB, d.MemoryMiB), i.SecureBoot
	if o.request.Environment == wire.FullOS {
		d.Agent, d.HostName, d.OSName = true, i.HostName, i.OSName
		if i.Zone != "" {
			if _, err := time.LoadLocation(i.Zone); err == nil {
				d.Zone = i.Zone
			}
		}
		d.Server = d.Server || strings.Contains(i.OSName, "Server") // OPN-14
	}
	if o.remote != "" {
		d.Address = o.remote
		d.Prefix = prefixOf(i.Addresses, o.remote, d.Prefix)
	}
	d.LastSeen = &now
	return d
}

// prefixOf finds the network of the address that the machine was reached by.
func prefixOf(addresses []string, remote string, old int) int {
	for _, a := range addresses {
		host, bits, ok := strings.Cut(a, "/")
		if n := 0; ok && host == remote {
			if _, err := fmt.Sscanf(bits, "%d", &n); err == nil && n > 0 && n <= 128 {
				return n
			}
		}
	}
	return old
}

// Authenticate checks the bearer token of an agent's request.
func (s *Service) Authenticate(ctx context.Context, token string) (Session, error) {
	var t store.Token
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		t, err = s.lookup(tx, kindSession, token)
		return err
	})
	if err != nil {
		return Session{}, err
	}
	s.slide(ctx, t, sessionTTL)
	return Session{Device: t.Subject, Environment: wire.Environment(t.Env), LaunchMode: wire.LaunchMode(t.Launch), Boot: t.Boot, Media: t.Media, Expires: t.Expires,
		Locked: t.Locked, Unlocked: t.Unlocked, token: t.Hash}, nil
}

package site

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// junkUUIDs are values that mainboard makers ship on many machines.
var junkUUIDs = map[string]bool{
	"00000000-0000-0000-0000-000000000000": true,
	"ffffffff-ffff-ffff-ffff-ffffffffffff": true,
	"03000200-0400-0500-0006-000700080009": true, // AMI's example value
	"00020003-0004-0005-0006-000700080009": true, // the same, other byte order
	"12345678-1234-5678-90ab-cddeefaabbcc": true,
	"fefefefe-fefe-fefe-fefe-fefefefefefe": true,
	"01234567-89ab-cdef-0123-456789abcdef": true,
	"11111111-1111-1111-1111-111111111111": true,
}

// maxMACs bounds how many cards of one machine are kept.
const maxMACs = 32

// NormalUUID returns the canonical lower-case form, or "" when s is no UUID or
// one that identifies nothing.
func NormalUUID(s string) string {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != 36 || junkUUIDs[u.String()] {
		return ""
	}
	return u.String()
}

// NormalMAC returns the MAC in lower case with colons, or "" when s is not a
// unicast 48-bit MAC other than zero.
func NormalMAC(s string) string {
	m, err := net.ParseMAC(s)
	if err != nil || len(m) != 6 || m[0]&1 == 1 || m.String() == "00:00:00:00:00:00" {
		return ""
	}
	return m.String()
}

// swapUUID exchanges the byte order of the first three fields: some firmware
// sends option 97 without the swap that the specification asks for.
func swapUUID(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return s
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return uuid.UUID(b).String()
}

// clean bounds and normalises what a machine says of itself.
func clean(i wire.Identity) wire.Identity {
	i.UUID = NormalUUID(i.UUID)
	macs := make([]string, 0, len(i.MACs))
	for _, m := range i.MACs {
		if n := NormalMAC(m); n != "" && !slices.Contains(macs, n) && len(macs) < maxMACs {
			macs = append(macs, n)
		}
	}
	i.MACs = macs
	for _, f := range []*string{&i.Serial, &i.AssetTag, &i.Manufacturer, &i.Model, &i.HostName, &i.OSName, &i.Zone, &i.Arch} {
		*f = printable(*f, 128)
	}
	i.Firmware = wire.Firmware(printable(string(i.Firmware), 8))
	if len(i.Addresses) > maxMACs {
		i.Addresses = i.Addresses[:maxMACs]
	}
	return i
}

// printable cuts s to n bytes and drops what could disturb a terminal or a log.
func printable(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if r < 0x20 || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, s)
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return strings.TrimSpace(s)
}

// identification says which device a machine is.
type identification struct {
	identity wire.Identity
	device   *wire.Device // nil: never seen
	excluded bool         // PXE-4
	notes    []wire.Reason
}

// identify finds the device (PXE-11): the SMBIOS UUID first, MACs as hints;
// identifiers on the site's lists do not count (PXE-5).
func identify(tx *store.Tx, in wire.Identity) (identification, error) {
	id := identification{identity: clean(in)}
	if len(id.identity.MACs) > 0 {
		_, found, err := tx.IgnoredNote("excluded", id.identity.MACs[0])
		if err != nil {
			return id, err
		}
		id.excluded = found
	}
	if id.identity.UUID == "" && in.UUID != "" {
		id.note("PXE-5", "its SMBIOS UUID identifies nothing: "+printable(in.UUID, 40))
	}
	if u := id.identity.UUID; u != "" {
		_, junk, err := tx.IgnoredNote("uuid", u)
		if err != nil {
			return id, err
		}
		if junk {
			id.note("PXE-5", "SMBIOS UUID "+u+" is on the list of duplicate ids")
			id.identity.UUID = ""
		}
	}
	usable := make([]string, 0, len(id.identity.MACs))
	for _, m := range id.identity.MACs {
		_, shared, err := tx.IgnoredNote("mac", m)
		if err != nil {
			return id, err
		}
		if shared {
			id.note("PXE-5", "MAC "+m+" is on the list of shared MACs")
			continue
		}
		usable = append(usable, m)
	}
	found, err := findByUUID(tx, id.identity.UUID, usable)
	if err != nil || found != nil {
		id.device = found
		return id, err
	}
	id.device, err = id.findByMAC(tx, usable)
	return id, err
}

func (id *identification) note(rule, text string) {
	id.notes = append(id.notes, reason(rule, text))
}

func findByUUID(tx *store.Tx, u string, macs []string) (*wire.Device, error) {
	if u == "" {
		return nil, nil
	}
	for _, form := range []string{u, swapUUID(u)} {
		list, err := tx.DevicesByUUID(form)
		if err != nil {
			return nil, err
		}
		if len(list) == 1 {
			return &list[0], nil
		}
		for i := range list { // a UUID that several have: the MAC decides
			if slices.ContainsFunc(list[i].MACs, func(m string) bool { return slices.Contains(macs, m) }) {
				return &list[i], nil
			}
		}
	}
	return nil, nil
}

func (id *identification) findByMAC(tx *store.Tx, macs []string) (*wire.Device, error) {
	for _, m := range macs {
		list, err := tx.DevicesByMAC(m)
		if err != nil {
			return nil, err
		}
		match := []wire.Device{}
		for _, d := range list {
			if d.UUID != "" && id.identity.UUID != "" && d.UUID != id.identity.UUID && d.UUID != swapUUID(id.identity.UUID) {
				id.note("PXE-11", fmt.Sprintf("MAC %s belongs to %s, whose SMBIOS UUID is another: not the same machine; if its board was replaced, import it again", m, d.Name))
				continue
			}
			match = append(match, d)
		}
		if len(match) == 1 {
			return &match[0], nil
		}
		if len(match) > 1 {
			id.note("PXE-5", fmt.Sprintf("MAC %s belongs to %d devices, put it on the list of shared MACs", m, len(match)))
		}
	}
	return nil, nil
}

// subjects are the keys of the ledger for a machine: the device when it is
// known, else what it says of itself (PXE-19).
func subjects(d *wire.Device, i wire.Identity) []string {
	if d != nil && d.Kind == wire.KnownDevice {
		return []string{d.ID}
	}
	keys := []string{}
	if i.UUID != "" {
		keys = append(keys, "uuid:"+i.UUID)
	} else if d != nil && d.UUID != "" {
		keys = append(keys, "uuid:"+d.UUID)
	}
	macs := i.MACs
	if d != nil {
		macs = append(slices.Clone(macs), d.MACs...)
	}
	for _, m := range macs {
		keys = append(keys, "mac:"+m)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// findDevice resolves what a person typed: an id, a name, a MAC or a UUID.
func findDevice(tx *store.Tx, ref string) (wire.Device, error) {
	d, err := tx.Device(ref)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return d, err
	}
	list, err := tx.DevicesByName(ref)
	if err != nil {
		return d, err
	}
	if m := NormalMAC(ref); len(list) == 0 && m != "" {
		if list, err = tx.DevicesByMAC(m); err != nil {
			return d, err
		}
	}
	if u := NormalUUID(ref); len(list) == 0 && u != "" {
		if list, err = tx.DevicesByUUID(u); err != nil {
			return d, err
		}
	}
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		return d, missing("device", fmt.Sprintf("no device has the id, name, MAC or UUID %q", printable(ref, 80)), "see `bootyard device list`, or add it with `bootyard device import`")
	}
	return d, refusal(409, "", "device", fmt.Sprintf("%d devices are called %q", len(list), ref), "use the id from `bootyard device list`")
}

package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// maxUnknown bounds how many machines that are no device are remembered.
const maxUnknown = 5000

// Devices lists devices; without kinds known and unknown ones.
func (s *Service) Devices(ctx context.Context, kinds ...wire.DeviceKind) (list []wire.Device, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.Devices(kinds...)
		return err
	})
	return list, err
}

// Device finds one device by id, name, MAC or UUID.
func (s *Service) Device(ctx context.Context, ref string) (d wire.Device, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		d, err = findDevice(tx, ref)
		return err
	})
	return d, err
}

// Identify finds the device of a machine, without making one.
func (s *Service) Identify(ctx context.Context, i wire.Identity) (d *wire.Device, notes []wire.Reason, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		id, err := identify(tx, i)
		d, notes = id.device, id.notes
		return err
	})
	return d, notes, err
}

// ImportDevice makes a known, approved device (COL-17) or completes one that
// has this MAC or UUID already.
func (s *Service) ImportDevice(ctx context.Context, in wire.DeviceImport) (d wire.Device, err error) {
	i, err := checkImport(in)
	if err != nil {
		return d, err
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		id, err := identify(tx, i)
		if err != nil {
			return err
		}
		if err := nameFree(tx, in.Name, id.device); err != nil {
			return err
		}
		if id.device != nil {
			d = *id.device
		} else {
			d = wire.Device{ID: s.newID(), Created: s.Now().UTC(), MACs: []string{}}
		}
		d.Kind, d.Approved, d.Name = wire.KnownDevice, true, in.Name
		d.UUID = cmp.Or(i.UUID, d.UUID)
		for _, m := range i.MACs {
			if !slices.Contains(d.MACs, m) {
				d.MACs = append(d.MACs, m)
			}
		}
		d.Arch, d.Firmware, d.Zone = cmp.Or(in.Arch, d.Arch), cmp.Or(in.Firmware, d.Firmware), cmp.Or(in.Zone, d.Zone)
		d.Server, d.SiteSystem = in.Server || d.Server, in.SiteSystem || d.SiteSystem
		if in.Address != "" {
			d.Address, d.Prefix = in.Address, in.Prefix
		}
		if err := tx.PutDevice(d); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: d.ID, Text: fmt.Sprintf("device %q imported", d.Name)})
	})
	s.feed.bump()
	return d, err
}

func checkImport(in wire.DeviceImport) (wire.Identity, error) {
	i := wire.Identity{}
	if in.Name == "" || printable(in.Name, 64) != in.Name {
		return i, invalid("COL-17", "name", "a device needs a name of at most 64 printable characters", "give one")
	}
	for _, m := range in.MACs {
		n := NormalMAC(m)
		if n == "" {
			return i, invalid("COL-17", "macs", fmt.Sprintf("%q is no MAC address of a network card", printable(m, 40)), "write it as 00:00:00:00:00:00")
		}
		i.MACs = append(i.MACs, n)
	}
	if in.UUID != "" {
		if i.UUID = NormalUUID(in.UUID); i.UUID == "" {
			return i, invalid("PXE-5", "uuid", fmt.Sprintf("%q is no SMBIOS UUID that identifies a machine", printable(in.UUID, 40)), "leave it out and give the MAC")
		}
	}
	if len(i.MACs) == 0 && i.UUID == "" {
		return i, invalid("COL-17", "macs", "a device needs a MAC address or an SMBIOS UUID", "give one of them")
	}
	if in.Zone != "" {
		if _, err := time.LoadLocation(in.Zone); err != nil {
			return i, invalid("SCH-4", "zone", fmt.Sprintf("%q is no time zone", printable(in.Zone, 40)), "use an IANA name such as Europe/Amsterdam")
		}
	}
	if in.Address != "" {
		a, err := netip.ParseAddr(in.Address)
		if err != nil || in.Prefix < 0 || in.Prefix > a.BitLen() {
			return i, invalid("WOL-10", "address", "the last address is an IP address with its prefix length", "e.g. address 10.0.0.7 and prefix 24")
		}
	}
	return i, nil
}

func nameFree(tx *store.Tx, name string, self *wire.Device) error {
	list, err := tx.DevicesByName(name)
	for _, o := range list {
		if self == nil || o.ID != self.ID {
			return refusal(409, "COL-17", "name", fmt.Sprintf("another device is called %q", name), "choose another name")
		}
	}
	return err
}

// DeleteDevice removes a device. Its runs stay in the record.
func (s *Service) DeleteDevice(ctx context.Context, ref string) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		d, err := findDevice(tx, ref)
		if err != nil {
			return err
		}
		if d.Kind == wire.UnknownObject {
			return invalid("COL-11", "device", "the objects for unknown computers cannot be deleted", "switch unknown computers off instead")
		}
		if _, err := tx.ActiveRun(d.ID); err == nil {
			return refusal(409, "PXE-10a", "device", d.Name+" is in the middle of a run", "wait for its end or cancel it with `bootyard cancel`")
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		for _, kind := range []string{"session", "client", "resume"} {
			if _, err := tx.RevokeTokens(kind, d.ID, s.Now()); err != nil {
				return err
			}
		}
		if err := tx.DeleteDevice(d.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: d.ID, Text: fmt.Sprintf("device %q deleted", d.Name)})
	})
	s.feed.bump()
	return err
}

// ApproveDevice says that secrets may be given to a device's runs.
func (s *Service) ApproveDevice(ctx context.Context, ref string, approved bool) (d wire.Device, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if d, err = findDevice(tx, ref); err != nil {
			return err
		}
		d.Approved = approved
		if approved && d.Kind == wire.UnknownDevice {
			d.Kind = wire.KnownDevice
		}
		if err := tx.PutDevice(d); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: d.ID, Text: fmt.Sprintf("device %q approved: %t", d.Name, approved)})
	})
	s.feed.bump()
	return d, err
}

// ClearPXE empties the ledger of a device, or of the members of a collection
// (PXE-17), and says how many entries there were.
func (s *Service) ClearPXE(ctx context.Context, device, collection string) (n int64, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		var list []wire.Device
		if collection != "" {
			c, err := findCollection(tx, collection)
			if err != nil {
				return err
			}
			if list, err = members(tx, c); err != nil {
				return err
			}
		} else {
			d, err := findDevice(tx, device)
			if err != nil {
				return err
			}
			list = []wire.Device{d}
		}
		for _, d := range list {
			for _, subject := range subjects(&d, wire.Identity{}) {
				k, err := tx.ClearLedger(subject)
				if err != nil {
					return err
				}
				n += k
			}
			if err := s.audit(ctx, tx, wire.StatusMessage{Rule: "PXE-17", Device: d.ID, Text: "required PXE deployments cleared"}); err != nil {
				return err
			}
		}
		return nil
	})
	s.feed.bump()
	return n, err
}

var variableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,255}$`)

// Variables lists the variables of a device or collection; hidden values are
// left out (COL-13).
func (s *Service) Variables(ctx context.Context, kind, ref string) (list []wire.Variable, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		id, err := variableOwner(tx, kind, ref)
		if err != nil {
			return err
		}
		list, err = tx.Variables(kind, id)
		for i := range list {
			list[i].Ask = list[i].Value == ""
			if list[i].Hidden {
				list[i].Value = ""
			}
		}
		return err
	})
	return list, err
}

// SetVariable sets one variable of a device or collection (COL-13, COL-14).
func (s *Service) SetVariable(ctx context.Context, kind, ref string, v wire.Variable) error {
	if !variableName.MatchString(v.Name) {
		return invalid("COL-14", "name", "a variable name has 1 to 256 letters, digits, _ and - and begins with a letter", "choose another name")
	}
	if len([]rune(v.Value)) > 4000 {
		return invalid("COL-14", "value", "a value has at most 4000 characters", "shorten it")
	}
	if v.Ask && v.Value != "" {
		return invalid("TS-17", "ask", "a variable that the machine asks for has no value", "leave out one of the two")
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		id, err := variableOwner(tx, kind, ref)
		if err != nil {
			return err
		}
		list, err := tx.Variables(kind, id)
		if err != nil {
			return err
		}
		if len(list) >= 1000 {
			return invalid("COL-14", "name", "at most 1000 variables are allowed", "delete some")
		}
		for _, old := range list {
			if old.Hidden && !v.Hidden && old.Name == v.Name {
				return invalid("COL-13", "hidden", "a hidden variable cannot be shown again", "delete it and define it again")
			}
		}
		if err := tx.PutVariable(kind, id, v); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("variable %s of %s %s set", v.Name, kind, id)})
	})
	s.feed.bump()
	return err
}

// DeleteVariable removes one variable.
func (s *Service) DeleteVariable(ctx context.Context, kind, ref, name string) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		id, err := variableOwner(tx, kind, ref)
		if err != nil {
			return err
		}
		if err := tx.DeleteVariable(kind, id, name); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("variable %s of %s %s deleted", printable(name, 64), kind, id)})
	})
}

func variableOwner(tx *store.Tx, kind, ref string) (string, error) {
	if kind == "collection" {
		c, err := findCollection(tx, ref)
		return c.ID, err
	}
	d, err := findDevice(tx, ref)
	return d.ID, err
}

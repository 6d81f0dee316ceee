package target

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/images/regional"
	"github.com/bootyard/bootyard/images/unattend"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// settings is the engine's machine.OSSettings.
type settings struct{ t *Target }

// ApplySystem implements machine.OSSettings.
func (s settings) ApplySystem(ctx context.Context, r machine.SystemRequest) (notes []string, err error) {
	err = s.t.in(ctx, r.Target, func(v disk.Volume, dir string) error {
		if apply.HoldsWindowsSystem(dir) {
			notes, err = s.t.windowsSystem(dir, r.Settings)
			return err
		}
		system, skipped, err := linuxSystem(r.Settings)
		if err != nil {
			return err
		}
		notes, err = apply.SetSystem(ctx, s.t.applied(v, dir), system)
		notes = append(notes, skipped...)
		return err
	})
	return notes, err
}

// ApplyNetwork implements machine.OSSettings.
func (s settings) ApplyNetwork(ctx context.Context, r machine.NetworkRequest) (notes []string, err error) {
	err = s.t.in(ctx, r.Target, func(_ disk.Volume, dir string) error {
		if apply.HoldsWindowsSystem(dir) {
			notes, err = s.t.windowsNetwork(dir, r.Settings)
			return err
		}
		network, skipped, err := linuxNetwork(r.Settings)
		if err != nil {
			return err
		}
		notes, err = apply.SetNetwork(ctx, dir, network)
		notes = append(notes, skipped...)
		return err
	})
	return notes, err
}

// ExpandAnswers implements machine.OSSettings.
func (s settings) ExpandAnswers(ctx context.Context, target machine.Volume, expand func(string) string) error {
	return s.t.in(ctx, target, func(_ disk.Volume, dir string) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		_, there := apply.Fold(root, answerFile)
		if err := root.Close(); err != nil || !there || !apply.HoldsWindowsSystem(dir) {
			return err
		}
		return s.t.answer(dir, func(f *unattend.File) { f.Expand(expand) })
	})
}

// in calls work with the mounted volume of the operating system.
func (t *Target) in(ctx context.Context, wanted machine.Volume, work func(v disk.Volume, dir string) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, err := t.find(wanted)
	if err != nil {
		return err
	}
	dir, err := t.mount(ctx, v)
	if err != nil {
		return err
	}
	return work(v, dir)
}

// linuxSystem translates Windows' words. What has no meaning on Linux is said, not dropped in silence.
func linuxSystem(s machine.SystemSettings) (out apply.System, notes []string, err error) {
	out = apply.System{HostName: s.ComputerName, RootPassword: s.AdminPassword}
	switch s.Administrator {
	case machine.AdministratorDisabled:
		out.Root = apply.RootLocked
	case machine.AdministratorPassword:
		out.Root = apply.RootPassword
	}
	if s.TimeZone != "" {
		zone, ok := regional.Zone(s.TimeZone)
		if !ok {
			return out, nil, fmt.Errorf("time zone %.80q is unknown; the registry name of a Windows zone, such as W. Europe Standard Time, or an IANA name such as Europe/Berlin is expected", s.TimeZone)
		}
		out.Zone = zone
	}
	posix := func(texts ...string) (string, error) {
		for _, text := range texts {
			if text == "" {
				continue
			}
			name, err := regional.Locale(text)
			if err != nil {
				return "", err
			}
			return regional.POSIX(name)
		}
		return "", nil
	}
	if out.Language, err = posix(s.UILanguage, s.SystemLocale); err != nil {
		return out, nil, err
	}
	if out.Formats, err = posix(s.UserLocale); err != nil {
		return out, nil, err
	}
	if s.InputLocale != "" {
		var ok bool
		if out.KeyboardLayout, out.KeyboardVariant, ok = regional.Keyboard(s.InputLocale); !ok {
			return out, nil, fmt.Errorf("no keyboard is known for the input locale %.80q", s.InputLocale)
		}
	}
	for _, field := range [][2]string{{"registered user", s.RegisteredUser}, {"registered organisation", s.RegisteredOrganisation}, {"product key", s.ProductKey},
		{"license mode", s.License}, {"fallback language", s.UIFallback}} {
		if field[1] != "" {
			notes = append(notes, "Linux has no "+field[0]+": not written")
		}
	}
	return out, notes, nil
}

func linuxNetwork(n machine.NetworkSettings) (out apply.Network, notes []string, err error) {
	if n.Join == machine.JoinDomain {
		return out, nil, errors.New("a Linux system joins a domain when it runs: put a Join Domain or Workgroup step behind Setup Windows and ConfigMgr")
	}
	out = apply.Network{DNSDomain: n.DNSDomain, SuffixSearch: n.SuffixSearch}
	for _, a := range n.Adapters {
		to := apply.Adapter{MAC: a.MAC, DHCP: a.DHCP, DNSDomain: a.DNSDomain}
		for _, text := range a.Addresses {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return out, nil, err
			}
			to.Addresses = append(to.Addresses, p)
		}
		for _, list := range []struct {
			from []string
			to   *[]netip.Addr
		}{{a.Gateways, &to.Gateways}, {a.DNSServers, &to.DNSServers}} {
			for _, text := range list.from {
				address, err := netip.ParseAddr(text)
				if err != nil {
					return out, nil, err
				}
				*list.to = append(*list.to, address)
			}
		}
		out.Adapters = append(out.Adapters, to)
		if a.NetBIOSOptions != nil || a.RegisterDNS != nil || a.RegisterFull != nil {
			notes = append(notes, "NetBIOS and DNS registration of "+a.MAC+" are settings of Windows: not written")
		}
	}
	if n.Join == machine.JoinWorkgroup {
		notes = append(notes, "Linux has no workgroup: "+n.Workgroup+" is not written")
	}
	if n.Filtering {
		notes = append(notes, "TCP/IP filtering is a setting of Windows before Vista: not written")
	}
	return out, notes, nil
}

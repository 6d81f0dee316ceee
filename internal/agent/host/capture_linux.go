package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootyard/bootyard/images/regional"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// Capture is a machine.SettingsCapture of the running Linux system.
type Capture struct {
	Linux
	// Name is the host name; nil asks the kernel.
	Name func() (string, error)
	// Interfaces are the network interfaces; nil asks the kernel.
	Interfaces func() ([]CapturedInterface, error)
}

// CapturedInterface is a network card with what the kernel knows of its addresses.
type CapturedInterface struct {
	Name, MAC string
	Addresses []netip.Prefix
}

// CaptureSystem implements machine.SettingsCapture. The time zone gets its Windows name where there is one, so that it can
// go into either kind of system.
func (c Capture) CaptureSystem(context.Context) (machine.SystemSettings, error) {
	name := c.Name
	if name == nil {
		name = os.Hostname
	}
	full, err := name()
	if err != nil {
		return machine.SystemSettings{}, err
	}
	short, _, _ := strings.Cut(full, ".")
	s := machine.SystemSettings{ComputerName: short, TimeZone: c.zone()}
	if w := regional.WindowsZone(s.TimeZone); w != "" {
		s.TimeZone = w
	}
	return s, nil
}

// CaptureNetwork implements machine.SettingsCapture. A card whose address came from a DHCP server, or that has none, is
// captured as one that asks for an address.
func (c Capture) CaptureNetwork(context.Context) (machine.NetworkSettings, error) {
	list := c.Interfaces
	if list == nil {
		list = c.interfaces
	}
	interfaces, err := list()
	if err != nil {
		return machine.NetworkSettings{}, err
	}
	n := machine.NetworkSettings{AdaptersGiven: true, Domain: c.domain()}
	if n.Domain != "" {
		n.Join = machine.JoinDomain
	}
	servers, suffixes := c.resolver()
	n.SuffixSearch = suffixes
	gateways := c.gateways()
	for _, i := range interfaces {
		a := machine.Adapter{MAC: i.MAC, Name: i.Name}
		for _, p := range i.Addresses {
			if p.Addr().IsGlobalUnicast() && !p.Addr().IsLinkLocalUnicast() {
				a.Addresses = append(a.Addresses, p.String())
			}
		}
		if a.DHCP = len(a.Addresses) == 0 || c.leased(i.Name); a.DHCP {
			a.Addresses = nil
		} else {
			a.Gateways, a.DNSServers = gateways[i.Name], servers
		}
		n.Adapters = append(n.Adapters, a)
	}
	return n, nil
}

func (c Capture) interfaces() ([]CapturedInterface, error) {
	cards, err := c.cards()
	if err != nil {
		return nil, err
	}
	var out []CapturedInterface
	for _, card := range cards {
		i, err := net.InterfaceByName(card.name)
		if err != nil {
			return nil, fmt.Errorf("network card %s: %w", card.name, err)
		}
		addresses, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("network card %s: %w", card.name, err)
		}
		captured := CapturedInterface{Name: card.name, MAC: card.mac}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				captured.Addresses = append(captured.Addresses, p)
			}
		}
		out = append(out, captured)
	}
	return out, nil
}

// leased says whether a DHCP client has a lease for the card: of systemd-networkd, NetworkManager, dhclient, dhcpcd or
// udhcpc.
func (c Capture) leased(name string) bool {
	if index := strings.TrimSpace(c.read("/sys/class/net/" + name + "/ifindex")); index != "" && exists(c.path("/run/systemd/netif/leases/"+index)) {
		return true
	}
	for _, pattern := range []string{"/var/lib/dhcp/dhclient*" + name + "*.lease*", "/run/dhclient*" + name + "*", "/var/lib/dhcpcd/" + name + "*.lease", "/run/dhcpcd/*" + name + "*.pid",
		"/var/lib/NetworkManager/*-" + name + ".lease", "/run/bootyard/net/" + name + ".json", "/run/udhcpc." + name + ".pid"} {
		if found, _ := filepath.Glob(c.path(pattern)); len(found) > 0 {
			return true
		}
	}
	// NetworkManager's internal client says so in the state of the device.
	if index := strings.TrimSpace(c.read("/sys/class/net/" + name + "/ifindex")); index != "" {
		return strings.Contains(c.read("/run/NetworkManager/devices/"+index), "dhcp")
	}
	return false
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, os.ErrNotExist)
}

// gateways are those of /proc/net/route: destination and mask 0.
func (c Capture) gateways() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(c.read("/proc/net/route")) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		var b [4]byte
		if n, err := fmt.Sscanf(f[2], "%02x%02x%02x%02x", &b[3], &b[2], &b[1], &b[0]); err != nil || n != 4 || b == [4]byte{} {
			continue
		}
		out[f[0]] = append(out[f[0]], netip.AddrFrom4(b).String())
	}
	return out
}

// resolver reads the real list of systemd-resolved where it runs, else /etc/resolv.conf.
func (c Capture) resolver() (servers, suffixes []string) {
	text := c.read("/run/systemd/resolve/resolv.conf")
	if text == "" {
		text = c.read("/etc/resolv.conf")
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(f[1]); err == nil && !a.IsLoopback() && len(servers) < 8 {
				servers = append(servers, a.String())
			}
		case "search", "domain":
			suffixes = nil
			for _, s := range f[1:] {
				if s != "." && len(suffixes) < 16 {
					suffixes = append(suffixes, s)
				}
			}
		}
	}
	return servers, suffixes
}

// domain is what realmd or adcli joined: sssd's first domain.
func (c Capture) domain() string {
	for line := range strings.Lines(c.read("/etc/sssd/sssd.conf")) {
		if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "ad_domain" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

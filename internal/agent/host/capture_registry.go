package host

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// Registry reads below HKEY_LOCAL_MACHINE. What is not there is empty.
type Registry interface {
	String(key, name string) string
	Strings(key, name string) []string
	Integer(key, name string) uint64
	Keys(key string) []string // names of the keys below
}

// WindowsCapture is a machine.SettingsCapture of the running Windows, from its registry.
type WindowsCapture struct {
	Registry Registry
	// MACs are the addresses of the network cards by the GUID of their interface.
	MACs func() map[string]string
}

const (
	currentVersion = `SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	tcpip          = `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`
	connections    = `SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}`
	netBT          = `SYSTEM\CurrentControlSet\Services\NetBT\Parameters\Interfaces`
)

// CaptureSystem implements machine.SettingsCapture.
func (c WindowsCapture) CaptureSystem(context.Context) (machine.SystemSettings, error) {
	s := machine.SystemSettings{
		ComputerName:   c.Registry.String(`SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName`, "ComputerName"),
		RegisteredUser: c.Registry.String(currentVersion, "RegisteredOwner"), RegisteredOrganisation: c.Registry.String(currentVersion, "RegisteredOrganization"),
		TimeZone: c.Registry.String(`SYSTEM\CurrentControlSet\Control\TimeZoneInformation`, "TimeZoneKeyName"),
	}
	if s.ComputerName == "" {
		return s, errors.New("the registry has no computer name")
	}
	return s, nil
}

// CaptureNetwork implements machine.SettingsCapture. A workgroup's name is not in the registry: a computer without a
// domain is captured as a member of WORKGROUP.
func (c WindowsCapture) CaptureNetwork(context.Context) (machine.NetworkSettings, error) {
	r := c.Registry
	n := machine.NetworkSettings{AdaptersGiven: true, DNSDomain: r.String(tcpip, "NV Domain"), SuffixSearch: words(r.String(tcpip, "SearchList"))}
	if domain := r.String(`SOFTWARE\Microsoft\Windows\CurrentVersion\Group Policy\State\Machine`, "Distinguished-Name"); domain != "" {
		n.Join, n.Domain, n.OU = machine.JoinDomain, domainOf(domain), parentOf(domain)
	} else {
		n.Join, n.Workgroup = machine.JoinWorkgroup, "WORKGROUP"
	}
	macs := c.MACs()
	for _, guid := range r.Keys(tcpip + `\Interfaces`) {
		mac, err := net.ParseMAC(macs[strings.ToUpper(guid)])
		if err != nil || len(mac) != 6 {
			continue // no card, or one that is gone
		}
		key := tcpip + `\Interfaces\` + guid
		a := machine.Adapter{MAC: mac.String(), Name: r.String(connections+`\`+guid+`\Connection`, "Name"), DHCP: r.Integer(key, "EnableDHCP") == 1, DNSDomain: r.String(key, "Domain")}
		if option := int(r.Integer(netBT+`\Tcpip_`+guid, "NetbiosOptions")); option >= 0 && option <= 2 {
			a.NetBIOSOptions = &option
		}
		if !a.DHCP {
			masks := r.Strings(key, "SubnetMask")
			for i, address := range r.Strings(key, "IPAddress") {
				if i < len(masks) {
					a.Addresses = append(a.Addresses, withMask(address, masks[i])...)
				}
			}
			a.Gateways, a.DNSServers = r.Strings(key, "DefaultGateway"), words(r.String(key, "NameServer"))
		}
		n.Adapters = append(n.Adapters, a)
	}
	return n, nil
}

func withMask(address, mask string) []string {
	a, err1 := netip.ParseAddr(address)
	m, err2 := netip.ParseAddr(mask)
	if err1 != nil || err2 != nil || !a.Is4() || !m.Is4() || a.IsUnspecified() {
		return nil
	}
	b := m.As4()
	ones, _ := net.IPMask(b[:]).Size()
	return []string{address + "/" + strconv.Itoa(ones)}
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' })
}

// domainOf is lab.example for CN=PC1,OU=PCs,DC=lab,DC=example.
func domainOf(dn string) string {
	var parts []string
	for part := range strings.SplitSeq(dn, ",") {
		if key, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && strings.EqualFold(key, "DC") {
			parts = append(parts, value)
		}
	}
	return strings.Join(parts, ".")
}

// parentOf is the container that a computer's object is in.
func parentOf(dn string) string {
	_, parent, _ := strings.Cut(dn, ",")
	return parent
}

package step

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// maxAdapters bounds OSDAdapterCount.
const maxAdapters = 64

// ApplyNetworkSettings is Apply Network Settings: membership, DNS and adapters of the operating system that the run
// applied. Of several such steps the last that runs counts; what was captured wins over what a step says, because
// captured values are global (TS-84).
type ApplyNetworkSettings struct{}

// Contract implements Step.
func (ApplyNetworkSettings) Contract() Contract {
	return Contract{Type: "ApplyNetworkSettingsAction", Effect: true, Repeatable: true, Component: "OSDNetSettings"}
}

// Run implements Step.
func (ApplyNetworkSettings) Run(ctx context.Context, c *Context) Outcome {
	settings, err := readNetworkSettings(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if len(settings.Adapters) == 0 && settings.Join == machine.JoinNothing && settings.DNSDomain == "" && len(settings.SuffixSearch) == 0 {
		// MDT's templates have such a step also for the installed system.
		c.Log(smstslog.Info, "The step has no network settings; those of the image stay as they are")
		return Outcome{}
	}
	target, out := appliedSystem(c)
	if target == nil {
		return out
	}
	notes, err := c.Machine.Settings.ApplyNetwork(ctx, machine.NetworkRequest{Target: *target, Settings: settings})
	return settingsDone(c, notes, err)
}

func readNetworkSettings(c *Context) (n machine.NetworkSettings, err error) {
	text := func(name string) string { return strings.TrimSpace(c.Input(name)) }
	n = machine.NetworkSettings{DNSDomain: text("OSDDNSDomain"), SuffixSearch: list(text("OSDDNSSuffixSearchOrder"))}
	switch kind := text("OSDNetworkJoinType"); kind {
	case "":
	case "0":
		n.Join, n.Domain, n.OU = machine.JoinDomain, text("OSDDomainName"), text("OSDDomainOUName")
		n.JoinAccount, n.JoinPassword = text("OSDJoinAccount"), c.Input("OSDJoinPassword")
		c.Variables.AddSecret(n.JoinPassword)
		if n.Domain == "" || n.JoinAccount == "" {
			return n, errors.New("joining a domain needs OSDDomainName and OSDJoinAccount")
		}
	case "1":
		n.Join, n.Workgroup = machine.JoinWorkgroup, text("OSDWorkgroupName")
		if n.Workgroup == "" || len(n.Workgroup) > 32 {
			return n, errors.New("OSDWorkgroupName must have 1 to 32 characters")
		}
	default:
		return n, fmt.Errorf("OSDNetworkJoinType is %q; 0 (domain) and 1 (workgroup) exist", kind)
	}
	for _, name := range append([]string{n.DNSDomain}, n.SuffixSearch...) {
		if name != "" && !domainName(name) {
			return n, fmt.Errorf("%q is not a DNS domain", name)
		}
	}
	if n.Filtering, err = c.InputBool("OSDEnableTCPIPFiltering", false); err != nil {
		return n, err
	}
	if text("OSDAdapterCount") == "" {
		return n, nil // all OSDAdapter values are ignored then (TS-89)
	}
	count, err := c.InputInt("OSDAdapterCount", 0, maxAdapters, 0)
	if err != nil {
		return n, err
	}
	n.AdaptersGiven = true
	macs := list(c.Variables.Value("_SMSTSMacAddresses"))
	for i := range count {
		a, err := readAdapter(c, i, macs)
		if err != nil {
			return n, fmt.Errorf("network adapter %d: %w", i, err)
		}
		n.Adapters = append(n.Adapters, a)
	}
	return n, nil
}

// readAdapter reads OSDAdapter<i>*. Without a MAC address the settings belong to the machine's card of that number
// (OSDAdapter<i>Index, else i).
func readAdapter(c *Context, i int, macs []string) (a machine.Adapter, err error) {
	prefix := "OSDAdapter" + strconv.Itoa(i)
	text := func(name string) string { return strings.TrimSpace(c.Input(prefix + name)) }
	a = machine.Adapter{Name: text("Name"), DNSDomain: text("DNSDomain"), Gateways: list(text("Gateways")), DNSServers: list(text("DNSServerList"))}
	if a.DNSDomain == "" {
		a.DNSDomain = text("DNSSuffix")
	}
	if a.DNSDomain != "" && !domainName(a.DNSDomain) {
		return a, fmt.Errorf("%q is not a DNS domain", a.DNSDomain)
	}
	if len(a.Name) > 255 {
		return a, fmt.Errorf("%sName has more than 255 characters", prefix)
	}
	if text("EnableDHCP") == "" {
		return a, fmt.Errorf("%sEnableDHCP is required", prefix)
	}
	if a.DHCP, err = c.InputBool(prefix+"EnableDHCP", false); err != nil {
		return a, err
	}
	if a.MAC = text("MacAddress"); a.MAC == "" {
		index, err := c.InputInt(prefix+"Index", 0, maxAdapters-1, i)
		if err != nil {
			return a, err
		}
		if index >= len(macs) {
			return a, fmt.Errorf("%sMacAddress is empty and this machine has %d network cards", prefix, len(macs))
		}
		a.MAC = macs[index]
		c.Log(smstslog.Info, fmt.Sprintf("Adapter %d has no MAC address in the sequence and is this machine's card %d, %s", i, index, a.MAC))
	}
	mac, err := net.ParseMAC(a.MAC)
	if err != nil || len(mac) != 6 {
		return a, fmt.Errorf("%q is not a MAC address", a.MAC)
	}
	a.MAC = mac.String()
	for name, field := range map[string]**bool{"EnableDNSRegistration": &a.RegisterDNS, "EnableFullDNSRegistration": &a.RegisterFull} {
		if text(name) != "" {
			on, err := c.InputBool(prefix+name, false)
			if err != nil {
				return a, err
			}
			*field = &on
		}
	}
	if text("TcpipNetbiosOptions") != "" {
		option, err := c.InputInt(prefix+"TcpipNetbiosOptions", 0, 2, 0)
		if err != nil {
			return a, err
		}
		a.NetBIOSOptions = &option
	}
	for _, server := range append(append([]string(nil), a.Gateways...), a.DNSServers...) {
		if _, err := netip.ParseAddr(server); err != nil {
			return a, fmt.Errorf("%q is not an address", server)
		}
	}
	if a.DHCP {
		return a, nil
	}
	a.Addresses, err = prefixes(list(text("IPAddressList")), list(text("SubnetMask")))
	return a, err
}

// prefixes joins addresses with their masks; a mask may also be the length of a prefix, which IPv6 needs. One mask serves
// all addresses.
func prefixes(addresses, masks []string) (out []string, err error) {
	if len(addresses) == 0 {
		return nil, errors.New("without DHCP it needs IPAddressList and SubnetMask")
	}
	for i, text := range addresses {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p.String())
			continue
		}
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not an address", text)
		}
		if len(masks) == 0 || len(masks) != 1 && i >= len(masks) {
			return nil, fmt.Errorf("there is no subnet mask for %s", text)
		}
		mask := masks[min(i, len(masks)-1)]
		bits, err := maskBits(mask)
		if err != nil {
			return nil, err
		}
		p := netip.PrefixFrom(address, bits)
		if !p.IsValid() {
			return nil, fmt.Errorf("mask %q does not fit %s", mask, text)
		}
		out = append(out, p.String())
	}
	return out, nil
}

func maskBits(mask string) (int, error) {
	if n, err := strconv.Atoi(mask); err == nil {
		return n, nil
	}
	address, err := netip.ParseAddr(mask)
	if err != nil || !address.Is4() {
		return 0, fmt.Errorf("%q is not a subnet mask", mask)
	}
	b := address.As4()
	ones, size := net.IPMask(b[:]).Size()
	if size == 0 {
		return 0, fmt.Errorf("%q is not a subnet mask", mask)
	}
	return ones, nil
}

// list splits at commas; blanks around and empty parts do not count.
func list(text string) (out []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// domainName keeps what goes into configuration files to the letters of RFC 1123 (and the underscore of Active Directory).
func domainName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range label {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

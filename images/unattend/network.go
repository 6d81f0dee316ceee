package unattend

import (
	"strconv"
	"strings"
)

// Network are the network settings. Adapters nil leaves adapters alone.
type Network struct {
	Domain, OU, JoinUser, JoinUserDomain, JoinPassword string // of the domain to join
	Workgroup                                          string
	DNSDomain                                          string
	SuffixSearch                                       []string
	Adapters                                           []Adapter
}

// Adapter is one network card.
type Adapter struct {
	MAC            string // with colons
	DHCP           bool
	Addresses      []string // with the length of the prefix
	Gateways       []string
	DNSServers     []string
	DNSDomain      string
	RegisterDNS    *bool
	RegisterFull   *bool
	NetBIOSOptions *int
}

// SetNetwork puts the network settings in place of all that the file had of them: the last such step counts.
func (f *File) SetNetwork(n Network) {
	if n.Domain != "" || n.Workgroup != "" {
		f.dropComponent(specialize, "Microsoft-Windows-UnattendedJoin")
		id := f.component(specialize, "Microsoft-Windows-UnattendedJoin").add("Identification")
		if n.Workgroup != "" {
			id.set("JoinWorkgroup", n.Workgroup)
		} else {
			credentials := id.add("Credentials")
			credentials.set("Domain", n.JoinUserDomain)
			credentials.set("Username", n.JoinUser)
			credentials.set("Password", n.JoinPassword)
			id.set("JoinDomain", n.Domain)
			id.set("MachineObjectOU", n.OU)
		}
	}
	if len(n.Adapters) > 0 {
		for _, name := range []string{"Microsoft-Windows-TCPIP", "Microsoft-Windows-NetBT", "Microsoft-Windows-DNS-Client"} {
			f.dropComponent(specialize, name)
		}
	}
	if n.DNSDomain != "" || len(n.SuffixSearch) > 0 {
		dns := f.component(specialize, "Microsoft-Windows-DNS-Client")
		dns.set("DNSDomain", n.DNSDomain)
		if len(n.SuffixSearch) > 0 {
			dns.remove("DNSSuffixSearchOrder")
			values(dns.add("DNSSuffixSearchOrder"), "DomainName", n.SuffixSearch)
		}
	}
	for _, a := range n.Adapters {
		f.adapter(a)
	}
}

func (f *File) adapter(a Adapter) {
	id := strings.ToUpper(strings.ReplaceAll(a.MAC, ":", "-"))
	tcpip := f.component(specialize, "Microsoft-Windows-TCPIP").at("Interfaces").add("Interface", "wcm:action", "add")
	tcpip.set("Identifier", id)
	var has4, has6 bool
	for _, p := range a.Addresses {
		is4 := !strings.Contains(p, ":")
		has4, has6 = has4 || is4, has6 || !is4
	}
	if a.DHCP || has4 {
		tcpip.add("Ipv4Settings").set("DhcpEnabled", strconv.FormatBool(a.DHCP))
	}
	if has6 {
		tcpip.add("Ipv6Settings").set("DhcpEnabled", "false")
	}
	if len(a.Addresses) > 0 {
		values(tcpip.add("UnicastIpAddresses"), "IpAddress", a.Addresses)
	}
	if len(a.Gateways) > 0 {
		routes := tcpip.add("Routes")
		for i, gateway := range a.Gateways {
			route := routes.add("Route", "wcm:action", "add")
			route.set("Identifier", strconv.Itoa(i))
			prefix := "0.0.0.0/0"
			if strings.Contains(gateway, ":") {
				prefix = "::/0"
			}
			route.set("Prefix", prefix)
			route.set("NextHopAddress", gateway)
		}
	}
	if a.NetBIOSOptions != nil {
		bt := f.component(specialize, "Microsoft-Windows-NetBT").at("Interfaces").add("Interface", "wcm:action", "add")
		bt.set("NetbiosOptions", strconv.Itoa(*a.NetBIOSOptions))
		bt.set("Identifier", id)
	}
	if len(a.DNSServers) > 0 || a.DNSDomain != "" || a.RegisterDNS != nil || a.RegisterFull != nil {
		dns := f.component(specialize, "Microsoft-Windows-DNS-Client").at("Interfaces").add("Interface", "wcm:action", "add")
		dns.set("Identifier", id)
		dns.set("DNSDomain", a.DNSDomain)
		if len(a.DNSServers) > 0 {
			values(dns.add("DNSServerSearchOrder"), "IpAddress", a.DNSServers)
		}
		if a.RegisterFull != nil {
			dns.set("EnableAdapterDomainNameRegistration", strconv.FormatBool(*a.RegisterFull))
		}
		if a.RegisterDNS != nil {
			dns.set("DisableDynamicUpdate", strconv.FormatBool(!*a.RegisterDNS))
		}
	}
}

// values are numbered entries of a list.
func values(list *element, name string, texts []string) {
	for i, text := range texts {
		e := list.add(name, "wcm:action", "add", "wcm:keyValue", strconv.Itoa(i+1))
		e.children = append(e.children, chars(text))
	}
}

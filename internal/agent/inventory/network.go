package inventory

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// network is Win32_NetworkAdapter and Win32_NetworkAdapterConfiguration, an instance for each card with hardware.
func (g *gatherer) network() {
	var adapters, configurations []instance
	gateways := g.gateways()
	for _, name := range g.names("/sys/class/net") {
		base := "/sys/class/net/" + name
		mac := strings.ToUpper(g.text(base + "/address"))
		if !g.exists(base+"/device") || g.text(base+"/type") != "1" || mac == "" {
			continue // bridges, bonds, the loopback
		}
		index := int64(len(adapters))
		up := g.text(base+"/operstate") == "up" || g.text(base+"/carrier") == "1"
		driver := g.link(base + "/device/driver")
		var a instance
		a.Set("Index", index)
		a.Set("DeviceID", strconv.FormatInt(index, 10))
		a.Set("NetConnectionID", name)
		label := strings.TrimSpace(name + " " + driver)
		a.Set("Name", label)
		a.Set("Description", label)
		a.Set("MACAddress", mac)
		a.Set("PhysicalAdapter", true)
		a.Set("NetEnabled", up)
		status := int64(7) // media disconnected
		if up {
			status = 2
		}
		a.Set("NetConnectionStatus", status)
		kind, text := int64(0), "Ethernet 802.3"
		if g.exists(base+"/wireless") || g.exists(base+"/phy80211") {
			kind, text = 9, "Wireless"
		}
		a.Set("AdapterTypeId", kind)
		a.Set("AdapterType", text)
		if speed, ok := g.number(base + "/speed"); ok && speed > 0 {
			a.Set("Speed", speed*1_000_000)
		}
		a.text("ServiceName", driver)
		a.text("PNPDeviceID", g.pnp(base+"/device", name))
		adapters = append(adapters, a)

		var c instance
		c.Set("Index", index)
		c.Set("MACAddress", mac)
		c.Set("Description", label)
		c.text("ServiceName", driver)
		c.text("DNSHostName", g.HostName)
		var addresses, masks []string
		if g.Addresses != nil {
			for _, p := range g.Addresses(name) {
				addresses = append(addresses, p.Addr().String())
				masks = append(masks, mask(p))
			}
		}
		c.Set("IPEnabled", len(addresses) > 0)
		c.list("IPAddress", addresses)
		c.list("IPSubnet", masks)
		c.list("DefaultIPGateway", gateways[name])
		if len(addresses) > 0 {
			servers, domain := g.resolver()
			c.list("DNSServerSearchOrder", servers)
			c.text("DNSDomain", domain)
		}
		configurations = append(configurations, c)
	}
	g.add("Win32_NetworkAdapter", adapters...)
	g.add("Win32_NetworkAdapterConfiguration", configurations...)
}

// mask is written in dots for IPv4 and as a length for IPv6, as Windows does.
func mask(p netip.Prefix) string {
	if p.Addr().Is4() {
		return net.IP(net.CIDRMask(p.Bits(), 32)).String()
	}
	_, bits, _ := strings.Cut(p.String(), "/")
	return bits
}

// gateways reads the default routes of /proc/net/route, in which addresses are hexadecimal in the byte order of the
// machine, and of /proc/net/ipv6_route.
func (g *gatherer) gateways() map[string][]string {
	m := map[string][]string{}
	for line := range strings.Lines(g.read("/proc/net/route")) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" || f[2] == "00000000" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil || len(b) != 4 {
			continue
		}
		var address [4]byte
		binary.NativeEndian.PutUint32(address[:], binary.BigEndian.Uint32(b))
		m[f[0]] = append(m[f[0]], netip.AddrFrom4(address).String())
	}
	const none = "00000000000000000000000000000000"
	for line := range strings.Lines(g.read("/proc/net/ipv6_route")) {
		f := strings.Fields(line)
		if len(f) < 10 || f[0] != none || f[1] != "00" || f[4] == none {
			continue
		}
		if b, err := hex.DecodeString(f[4]); err == nil && len(b) == 16 {
			m[f[9]] = append(m[f[9]], netip.AddrFrom16([16]byte(b)).String())
		}
	}
	return m
}

func (g *gatherer) resolver() (servers []string, domain string) {
	for line := range strings.Lines(g.read("/etc/resolv.conf")) {
		f := strings.Fields(line)
		switch {
		case len(f) < 2:
		case f[0] == "nameserver":
			if a, err := netip.ParseAddr(f[1]); err == nil {
				servers = append(servers, a.String())
			}
		case f[0] == "search" || f[0] == "domain":
			domain = clean(f[1])
		}
	}
	return servers, domain
}

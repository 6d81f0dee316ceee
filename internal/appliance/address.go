package appliance

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"github.com/bootyard/bootyard/internal/config"
	"github.com/bootyard/bootyard/pxe"
	"github.com/bootyard/bootyard/pxe/lease"
)

// reach knows under which addresses machines find the appliance.
type reach struct {
	networks  []netip.Prefix // own address with the network's bits, best first
	httpPort  uint16
	httpsPort uint16
	httpURL   string // set by the operator: the same for everybody
	httpsURL  string
}

func newReach(cfg *config.Config) (*reach, error) {
	r := &reach{httpURL: cfg.HTTP.URL, httpsURL: cfg.HTTPS.URL}
	var err error
	if r.httpPort, err = listenPort("http.listen", cfg.HTTP.Listen); err != nil {
		return nil, err
	}
	if r.httpsPort, err = listenPort("https.listen", cfg.HTTPS.Listen); err != nil {
		return nil, err
	}
	r.networks, err = ownAddresses(cfg.DHCP.Interfaces)
	if err != nil {
		return nil, err
	}
	if len(r.networks) == 0 && (r.httpURL == "" || r.httpsURL == "") {
		return nil, errors.New("no IPv4 address to tell machines: give the interface one, or set http.url and https.url")
	}
	return r, nil
}

func listenPort(key, listen string) (uint16, error) {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s: %q has no fixed port", key, listen)
	}
	return uint16(n), nil
}

// ownAddresses lists the IPv4 addresses of the named interfaces, or of all that
// are not loopback. A named interface without an address is an error: nobody
// could be answered there.
func ownAddresses(interfaces []string) ([]netip.Prefix, error) {
	names := interfaces
	if len(names) == 0 {
		all, err := net.Interfaces()
		if err != nil {
			return nil, fmt.Errorf("list interfaces: %w", err)
		}
		for _, i := range all {
			if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
				names = append(names, i.Name)
			}
		}
	}
	var out []netip.Prefix
	for _, name := range names {
		found, err := addressesOf(name)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 && len(interfaces) > 0 {
			return nil, fmt.Errorf("interface %s has no IPv4 address: give it a fixed one", name)
		}
		out = append(out, found...)
	}
	return out, nil
}

func addressesOf(name string) ([]netip.Prefix, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w; 'ip link' lists those of this machine", name, err)
	}
	addrs, err := i.Addrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", name, err)
	}
	var out []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			out = append(out, p)
		}
	}
	return out, nil
}

// near is the own address that a machine reaches most directly.
func (r *reach) near(machine netip.Addr) netip.Addr {
	for _, n := range r.networks {
		if n.Contains(machine.Unmap()) {
			return n.Addr()
		}
	}
	if len(r.networks) > 0 {
		return r.networks[0].Addr()
	}
	return netip.Addr{}
}

// http is the base URL of boot files and content for a machine.
func (r *reach) http(machine netip.Addr) string {
	if r.httpURL != "" {
		return r.httpURL
	}
	return baseURL("http", r.near(machine), r.httpPort, 80)
}

// https is the base URL of the API for a machine.
func (r *reach) https(machine netip.Addr) string {
	if r.httpsURL != "" {
		return r.httpsURL
	}
	return baseURL("https", r.near(machine), r.httpsPort, 443)
}

func baseURL(scheme string, addr netip.Addr, port, usual uint16) string {
	host := addr.String()
	if port != usual {
		host = netip.AddrPortFrom(addr, port).String()
	}
	return scheme + "://" + host
}

// certificateNames is what the server's certificate must cover.
func (r *reach) certificateNames() (names []string, addrs []net.IP) {
	addrs = append(addrs, net.IPv4(127, 0, 0, 1))
	for _, n := range r.networks {
		addrs = append(addrs, n.Addr().AsSlice())
	}
	if u, err := url.Parse(r.httpsURL); err == nil && u.Hostname() != "" {
		if ip := net.ParseIP(u.Hostname()); ip != nil {
			addrs = append(addrs, ip)
		} else {
			names = append(names, u.Hostname())
		}
	}
	return names, addrs
}

// servers are the addresses that loaders have built in.
func (r *reach) servers() []netip.AddrPort {
	var out []netip.AddrPort
	for _, n := range r.networks {
		if s := netip.AddrPortFrom(n.Addr(), r.httpPort); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// pools are the addresses that the DHCP server gives out: the configured range
// on the interface whose network holds it, else the upper half of each network.
func (r *reach) pools(d config.DHCP) ([]pxe.Pool, error) {
	first, last, err := d.Addresses()
	if err != nil {
		return nil, err
	}
	var out []pxe.Pool
	for _, n := range r.networks {
		pool := pxe.Pool{Prefix: n.Masked(), Lease: d.Lease}
		switch {
		case !first.IsValid():
			if pool.Range, err = upperHalf(n); err != nil {
				return nil, err
			}
		case n.Contains(first) && n.Contains(last):
			pool.Range = lease.Range{First: first, Last: last}
		default:
			continue
		}
		if d.Router != "" {
			pool.Router = netip.MustParseAddr(d.Router) // checked by config
		}
		for _, s := range d.DNS {
			pool.DNS = append(pool.DNS, netip.MustParseAddr(s))
		}
		out = append(out, pool)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("dhcp.range %s is in no network of the interfaces", d.Range)
	}
	return out, nil
}

// maxGuess bounds the range that nobody chose: each address that was ever given
// out is remembered.
const maxGuess = 1 << 14

func upperHalf(n netip.Prefix) (lease.Range, error) {
	if n.Bits() > 28 {
		return lease.Range{}, fmt.Errorf("network %s is too small to guess a range: set dhcp.range", n.Masked())
	}
	size := uint32(1) << (32 - n.Bits())
	base := n.Masked().Addr().As4()
	start := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8 | uint32(base[3])
	at := func(v uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	last := start + size - 2
	return lease.Range{First: at(max(start+size/2, last-maxGuess+1)), Last: at(last)}, nil
}

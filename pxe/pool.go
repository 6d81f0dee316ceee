package pxe

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/bootyard/bootyard/pxe/lease"
)

// Pool is one subnet that the DHCP server gives addresses of: that of an interface, or one behind a relay.
type Pool struct {
	Prefix netip.Prefix // the subnet, such as 10.0.0.0/24
	Range  lease.Range  // addresses to give out, inside Prefix
	Router netip.Addr   // invalid: no default route (fine on an isolated segment, needed behind a relay)
	DNS    []netip.Addr
	Domain string
	Lease  time.Duration // 0: one hour
}

const (
	defaultLease = time.Hour
	// maxRange bounds what invented machines can make us remember, about 20 MB, and how long a free address is looked for.
	maxRange = 1 << 16
	minLease = 2 * time.Minute // shorter ones would run out between two stages of one boot
)

func (p Pool) check() error {
	switch {
	case !p.Prefix.IsValid() || !p.Prefix.Addr().Is4():
		return fmt.Errorf("dhcp pool: %s is not an IPv4 subnet", p.Prefix)
	case !p.Range.Valid():
		return fmt.Errorf("dhcp.range: %s-%s is not a range, write it as FIRST-LAST", p.Range.First, p.Range.Last)
	case p.Range.Size() > maxRange:
		return fmt.Errorf("dhcp.range: %s-%s has %d addresses, more than %d", p.Range.First, p.Range.Last, p.Range.Size(), maxRange)
	case !p.Prefix.Contains(p.Range.First) || !p.Prefix.Contains(p.Range.Last):
		return fmt.Errorf("dhcp.range: %s-%s is outside the subnet %s", p.Range.First, p.Range.Last, p.Prefix.Masked())
	case p.Lease != 0 && p.Lease < minLease:
		return fmt.Errorf("dhcp.lease: %s is too short, use %s or more", p.Lease, minLease)
	case p.Router.IsValid() && !p.Router.Is4():
		return fmt.Errorf("dhcp.router: %s is not an IPv4 address", p.Router)
	}
	return nil
}

func (p Pool) lease() time.Duration {
	if p.Lease == 0 {
		return defaultLease
	}
	return p.Lease
}

func maskOf(p netip.Prefix) net.IPMask { return net.CIDRMask(p.Bits(), 32) }

func broadcastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i, m := range maskOf(p) {
		b[i] |= ^m
	}
	return netip.AddrFrom4(b)
}

// addr4 reads an address field of a packet. Anything that is not four bytes other than zero is invalid: the codec can
// be made to hold other lengths, on which it panics when it writes them.
func addr4(ip net.IP) netip.Addr {
	a, ok := netip.AddrFromSlice(ip)
	a = a.Unmap()
	if !ok || !a.Is4() || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

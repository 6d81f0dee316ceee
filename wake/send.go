package wake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/wol"
)

// ErrNoTarget says that a machine has no MAC, or that no network is known to
// reach it by.
var ErrNoTarget = errors.New("no MAC or no network to send to")

// Sender sends single magic packets. It is safe for concurrent use.
type Sender struct {
	// Port is the UDP port, usually 9 (WOL-3).
	Port uint16
	// Networks returns the networks that the appliance is on; a packet for a
	// machine of unknown address goes to all of them.
	Networks func() ([]netip.Prefix, error)
}

// Targets returns the broadcast addresses for a machine last seen at last; an
// invalid prefix means unknown. A /31 or /32 has no broadcast address and counts
// as unknown.
func (s *Sender) Targets(last netip.Prefix) ([]netip.AddrPort, error) {
	if b, ok := Broadcast(last); ok {
		return []netip.AddrPort{netip.AddrPortFrom(b, s.Port)}, nil
	}
	networks, err := s.Networks()
	if err != nil {
		return nil, fmt.Errorf("list own networks: %w", err)
	}
	var out []netip.AddrPort
	for _, n := range networks {
		if b, ok := Broadcast(n); ok {
			out = append(out, netip.AddrPortFrom(b, s.Port))
		}
	}
	if len(out) == 0 {
		return nil, ErrNoTarget
	}
	return out, nil
}

// Send sends one magic packet for mac to one address.
func (s *Sender) Send(_ context.Context, mac net.HardwareAddr, to netip.AddrPort) error {
	if len(mac) != 6 {
		return fmt.Errorf("wake %s: %w", mac, ErrNoTarget)
	}
	c, err := wol.NewClient()
	if err != nil {
		return fmt.Errorf("open socket for wake-up packet: %w", err)
	}
	defer c.Close()
	if err := c.Wake(to.String(), mac); err != nil {
		return fmt.Errorf("send wake-up packet for %s to %s: %w", mac, to, err)
	}
	return nil
}

// Broadcast is the last address of an IPv4 network. It reports false for IPv6,
// for an invalid prefix and for networks without a broadcast address (RFC 3021).
func Broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.IsValid() || !p.Addr().Is4() || p.Bits() > 30 || p.Bits() == 0 {
		return netip.Addr{}, false
	}
	a := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(a), true
}

// OwnNetworks lists the IPv4 networks of the named interfaces, or of all that
// are up when none is named.
func OwnNetworks(interfaces []string) ([]netip.Prefix, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	named := map[string]bool{}
	for _, n := range interfaces {
		named[n] = true
	}
	var out []netip.Prefix
	for _, i := range all {
		if len(named) > 0 && !named[i.Name] || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagBroadcast == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

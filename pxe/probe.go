package pxe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/mdlayher/packet"
)

// ErrOtherServer means that another DHCP server answers on an interface on which we were to be the server.
var ErrOtherServer = errors.New("another DHCP server answers here")

// checkAlone refuses to be the second DHCP server of a network, unless forced.
func (s *Server) checkAlone(ctx context.Context, i *iface) error {
	if s.cfg.Force {
		s.log.Warn("not looking for other DHCP servers: forced", "iface", i.name)
		return nil
	}
	other, err := findServer(ctx, i, s.cfg.ProbeTime)
	if err != nil {
		return fmt.Errorf("look for other DHCP servers on %s: %w; set dhcp.force to start without looking", i.name, err)
	}
	if other.IsValid() {
		return fmt.Errorf("%w on %s: %s; two servers give machines wrong addresses: use dhcp.mode proxy, stop that server, or set dhcp.force",
			ErrOtherServer, i.name, other)
	}
	return nil
}

// findServer sends DISCOVERs as an invented machine and returns the first server that offers something within d. The
// answer is read from a packet socket, so that a DHCP client of this host is not disturbed.
func findServer(ctx context.Context, i *iface, d time.Duration) (netip.Addr, error) {
	if len(i.hw) != 6 {
		return netip.Addr{}, errNoHardware
	}
	filter, err := portFilter(clientPort)
	if err != nil {
		return netip.Addr{}, err
	}
	c, err := packet.Listen(&net.Interface{Index: i.idx, Name: i.name, HardwareAddr: i.hw, MTU: 1500}, packet.Raw, etherIPv4,
		&packet.Config{Filter: filter})
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	mac := make(net.HardwareAddr, 6)
	if _, err := rand.Read(mac); err != nil {
		return netip.Addr{}, err
	}
	mac[0] = mac[0]&^1 | 2 // locally administered, one machine
	p, err := dhcpv4.NewDiscovery(mac, dhcpv4.WithBroadcast(true))
	if err != nil {
		return netip.Addr{}, err
	}
	from := netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort)
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), serverPort)
	// The frame comes from the interface's own address: switches with port security would drop a foreign one.
	frame := udpFrame(i.hw, broadcastMAC, from, to, p.ToBytes())
	end := time.Now().Add(d)
	for time.Now().Before(end) && ctx.Err() == nil {
		if _, err := c.WriteTo(frame, &packet.Addr{HardwareAddr: broadcastMAC}); err != nil {
			return netip.Addr{}, fmt.Errorf("send: %w", err)
		}
		until := time.Now().Add(time.Second)
		if until.After(end) {
			until = end
		}
		if a := awaitOffer(c, until, p.TransactionID, i.at.addr); a.IsValid() {
			return a, nil
		}
	}
	return netip.Addr{}, ctx.Err()
}

func awaitOffer(c *packet.Conn, until time.Time, xid dhcpv4.TransactionID, self netip.Addr) netip.Addr {
	if c.SetReadDeadline(until) != nil {
		return netip.Addr{}
	}
	buf := make([]byte, 2048)
	for {
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			return netip.Addr{}
		}
		src, _, payload, ok := parseUDPFrame(buf[:n])
		if !ok {
			continue
		}
		r, err := dhcpv4.FromBytes(payload)
		if err != nil || r.OpCode != dhcpv4.OpcodeBootReply || r.TransactionID != xid || !addr4(r.YourIPAddr).IsValid() {
			continue // also a proxy, which offers no address, is no rival
		}
		id := addr4(r.ServerIdentifier())
		if !id.IsValid() {
			id = src.Addr()
		}
		if id != self {
			return id
		}
	}
}

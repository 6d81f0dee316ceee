package pxe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharing says whether other programs may have the same port.
type sharing int

const (
	exclusive sharing = iota
	shared
)

// listenUDP opens a UDP socket that hears and sends on one interface only.
func listenUDP(ctx context.Context, dev string, at netip.AddrPort, share sharing) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var err error
		set := func(fd uintptr) {
			err = errors.Join(
				unix.BindToDevice(int(fd), dev),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
			if share == shared {
				err = errors.Join(err,
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
			}
		}
		return errors.Join(rc.Control(set), err)
	}}
	c, err := lc.ListenPacket(ctx, "udp4", at.String())
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UDPConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("unexpected socket type %T", c)
	}
	// A whole lab that is switched on at once must not overflow the default of 200 KB; the kernel caps it.
	_ = u.SetReadBuffer(1 << 20)
	return u, nil
}

// open opens the sockets for DHCP on one interface. It returns those to read from.
func (s *Server) open(ctx context.Context, i *iface) ([]*net.UDPConn, error) {
	var conns []*net.UDPConn
	var err error
	switch i.mode {
	case ModeServer:
		i.dhcp, err = listenUDP(ctx, i.name, netip.AddrPortFrom(netip.IPv4Unspecified(), serverPort), exclusive)
		if err != nil {
			return nil, fmt.Errorf("dhcp server on %s: %w; stop the other DHCP server on this host or use dhcp.mode proxy", i.name, err)
		}
		conns = append(conns, i.dhcp)
	case ModeProxy:
		// Bound to the broadcast address, so that a DHCP server on this host goes on getting all unicast: of several
		// sockets on one port the kernel gives a unicast packet to one only, a broadcast to each.
		i.dhcp, err = listenUDP(ctx, i.name, netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), serverPort), shared)
		if err != nil {
			return nil, fmt.Errorf("dhcp proxy on %s, port 67: %w; it must be run as root", i.name, err)
		}
		conns = append(conns, i.dhcp)
		i.pxe, err = listenUDP(ctx, i.name, netip.AddrPortFrom(i.at.addr, bootPort), exclusive)
		if err != nil {
			return conns, fmt.Errorf("dhcp proxy on %s, port 4011: %w; stop the other PXE server on this host", i.name, err)
		}
		conns = append(conns, i.pxe)
		if c := s.openRelayed(ctx, i); c != nil {
			conns = append(conns, c)
		}
	default:
		return nil, nil
	}
	i.raw, err = openRaw(i)
	if err != nil {
		s.log.Warn("no raw socket: replies are broadcast, addresses are not probed", "iface", i.name, "err", err)
	} else {
		i.arp = i.raw.inUse
	}
	return conns, nil
}

// openRelayed listens for what relays send to our address, unless a DHCP server on this host has the port.
func (s *Server) openRelayed(ctx context.Context, i *iface) *net.UDPConn {
	c, err := listenUDP(ctx, i.name, netip.AddrPortFrom(i.at.addr, serverPort), exclusive)
	if err != nil {
		s.log.Info("requests through relays go to the DHCP server on this host", "iface", i.name, "err", err)
		return nil
	}
	// From now on a DHCP server that is started later may have the port too.
	rc, err := c.SyscallConn()
	if err == nil {
		_ = rc.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
	}
	return c
}

// send sends a reply the way it must go.
func (i *iface) send(o *outbound) error {
	var err error
	switch {
	case o.how == toSource:
		_, err = i.pxe.WriteToUDPAddrPort(o.data, o.to)
	case o.how == toHardware && i.raw != nil:
		err = i.raw.unicast(o.data, o.to, o.mac)
	case o.how == toHardware:
		_, err = i.dhcp.WriteToUDPAddrPort(o.data, netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), o.to.Port()))
	default:
		_, err = i.dhcp.WriteToUDPAddrPort(o.data, o.to)
	}
	return err
}

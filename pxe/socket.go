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

// listenUDP opens a UDP socket that hears and sends on one interface only. The port is not shared: a second server of the
// same kind on this interface is an error that its operator must hear of.
func listenUDP(ctx context.Context, dev string, at netip.AddrPort) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var err error
		set := func(fd uintptr) {
			err = errors.Join(
				unix.BindToDevice(int(fd), dev),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
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
		i.dhcp, err = listenUDP(ctx, i.name, netip.AddrPortFrom(netip.IPv4Unspecified(), serverPort))
		if err != nil {
			return nil, fmt.Errorf("dhcp server on %s: %w; stop the other DHCP server on this host or use dhcp.mode proxy", i.name, err)
		}
		conns = append(conns, i.dhcp)
	case ModeProxy:
		// Port 67 may belong to a DHCP server on this host, and of several sockets on one port the kernel gives a
		// unicast packet to one only: so the proxy looks on with a packet socket and takes nothing away.
		i.sniff, err = openSniff(i)
		if err != nil {
			return nil, fmt.Errorf("dhcp proxy on %s: open packet socket: %w; run as root or with CAP_NET_RAW", i.name, err)
		}
		i.pxe, err = listenUDP(ctx, i.name, netip.AddrPortFrom(i.at.addr, bootPort))
		if err != nil {
			return conns, fmt.Errorf("dhcp proxy on %s, port 4011: %w; stop the other PXE server on this host", i.name, err)
		}
		conns = append(conns, i.pxe)
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

// send sends a reply the way it must go.
func (i *iface) send(o *outbound) error {
	var err error
	switch {
	case o.how == toSource:
		_, err = i.pxe.WriteToUDPAddrPort(o.data, o.to)
	case i.mode == ModeProxy:
		if i.raw == nil {
			return errNoRaw
		}
		err = i.raw.unicast(o.data, o.to, o.mac)
	case o.how == toHardware && i.raw != nil:
		err = i.raw.unicast(o.data, o.to, o.mac)
	case o.how == toHardware:
		_, err = i.dhcp.WriteToUDPAddrPort(o.data, netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), o.to.Port()))
	default:
		_, err = i.dhcp.WriteToUDPAddrPort(o.data, o.to)
	}
	return err
}

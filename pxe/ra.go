package pxe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Debian's iPXE waits 13 s at every start for a router advertisement (netboot-facts section 2). In server mode, where
// the segment is ours, solicitations are answered: no default router (lifetime 0), and a ULA prefix whose addresses are
// deprecated at once, so that an operating system that asks as well never prefers them.

const (
	icmpSolicit   = 133
	icmpAdvertise = 134
	raValid       = 600 // seconds
)

// advertise answers router solicitations until ctx ends. It works on a packet socket: IPv6 may be off on this host.
func (s *Server) advertise(ctx context.Context, i *iface) error {
	if len(i.hw) != 6 {
		return errNoHardware
	}
	filter, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherIPv6, SkipTrue: 5},
		bpf.LoadAbsolute{Off: 20, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 58, SkipTrue: 3},
		bpf.LoadAbsolute{Off: 54, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: icmpSolicit, SkipTrue: 1},
		bpf.RetConstant{Val: 65535},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return err
	}
	c, err := packet.Listen(&net.Interface{Index: i.idx, Name: i.name, HardwareAddr: i.hw, MTU: 1500}, packet.Raw, etherIPv6,
		&packet.Config{Filter: filter})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := joinRouters(c, i.idx); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 2048)
	for {
		n, _, err := c.ReadFrom(buf)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return err
		}
		mac, src, ok := parseSolicit(buf[:n])
		if !ok || slices.Equal(mac, i.hw) {
			continue
		}
		if _, err := c.WriteTo(advertisement(i, mac, src), &packet.Addr{HardwareAddr: mac}); err != nil {
			s.log.Debug("send router advertisement", "iface", i.name, "mac", mac.String(), "err", err)
		}
	}
}

// joinRouters makes the card receive frames for ff02::2.
func joinRouters(c *packet.Conn, index int) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	mreq := &unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_MULTICAST, Alen: 6, Address: [8]uint8{0x33, 0x33, 0, 0, 0, 2}}
	var serr error
	err = rc.Control(func(fd uintptr) {
		serr = unix.SetsockoptPacketMreq(int(fd), unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, mreq)
	})
	if err := errors.Join(err, serr); err != nil {
		return fmt.Errorf("join all routers: %w", err)
	}
	return nil
}

// parseSolicit checks a router solicitation as RFC 4861 section 6.1.1 wants.
func parseSolicit(f []byte) (net.HardwareAddr, netip.Addr, bool) {
	if len(f) < 14+40+8 || binary.BigEndian.Uint16(f[12:]) != etherIPv6 {
		return nil, netip.Addr{}, false
	}
	ip := f[14:]
	n := int(binary.BigEndian.Uint16(ip[4:]))
	if ip[0]>>4 != 6 || ip[6] != 58 || ip[7] != 255 || n < 8 || len(ip) < 40+n || ip[40] != icmpSolicit || ip[41] != 0 {
		return nil, netip.Addr{}, false
	}
	src, _ := netip.AddrFromSlice(ip[8:24])
	if !src.IsUnspecified() && !src.IsLinkLocalUnicast() {
		return nil, netip.Addr{}, false
	}
	mac := slices.Clone(net.HardwareAddr(f[6:12]))
	return mac, src, unicastMAC(mac)
}

// linkLocal is the address made of the card's (RFC 4291 appendix A).
func linkLocal(mac net.HardwareAddr) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]})
}

// advertisement answers one machine and nobody else: the frame goes to its hardware address.
func advertisement(i *iface, mac net.HardwareAddr, to netip.Addr) []byte {
	if to.IsUnspecified() {
		to = netip.MustParseAddr("ff02::1")
	}
	icmp := []byte{icmpAdvertise, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // router lifetime 0
	icmp = append(append(icmp, 1, 1), i.hw...)                                  // source link-layer address
	icmp = append(icmp, 3, 4, 64, 0xc0)                                         // prefix: on-link, autonomous
	icmp = binary.BigEndian.AppendUint32(icmp, raValid)
	icmp = append(icmp, make([]byte, 8)...) // preferred for 0 s
	icmp = append(icmp, ulaPrefix(i.hw)...)
	src := linkLocal(i.hw)
	pseudo := append(src.AsSlice(), to.AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(icmp)))
	pseudo = append(pseudo, 0, 0, 0, 58)
	binary.BigEndian.PutUint16(icmp[2:], ^sum(sum(0, pseudo), icmp))
	b := etherHeader(i.hw, mac, etherIPv6)
	b = append(b, 0x60, 0, 0, 0, 0, byte(len(icmp)), 58, 255)
	b = append(append(b, src.AsSlice()...), to.AsSlice()...)
	return append(b, icmp...)
}

// ulaPrefix is a /64 of fd00::/8 (RFC 4193) that depends on the card only, so it is the same after a restart.
func ulaPrefix(mac net.HardwareAddr) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte("bootyard ula "))
	_, _ = h.Write(mac)
	s := h.Sum(nil)
	return append(append([]byte{0xfd}, s[:5]...), make([]byte, 10)...)
}

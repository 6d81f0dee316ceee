package pxe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
)

// EtherTypes.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

var broadcastMAC = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// rawSocket sends frames on one interface, for machines that have no address yet and so answer no ARP.
type rawSocket struct {
	ifi  *net.Interface
	addr netip.Addr
	conn *packet.Conn
}

func openRaw(i *iface) (*rawSocket, error) {
	if len(i.hw) != 6 {
		return nil, errNoHardware
	}
	ifi := &net.Interface{Index: i.idx, Name: i.name, HardwareAddr: i.hw, MTU: 1500}
	c, err := packet.Listen(ifi, packet.Raw, 0, nil) // protocol 0: nothing is received
	if err != nil {
		return nil, fmt.Errorf("open packet socket on %s: %w", i.name, err)
	}
	return &rawSocket{ifi: ifi, addr: i.at.addr, conn: c}, nil
}

func (r *rawSocket) close() { _ = r.conn.Close() }

func (r *rawSocket) unicast(payload []byte, to netip.AddrPort, mac net.HardwareAddr) error {
	f := udpFrame(r.ifi.HardwareAddr, mac, netip.AddrPortFrom(r.addr, serverPort), to, payload)
	_, err := r.conn.WriteTo(f, &packet.Addr{HardwareAddr: mac})
	return err
}

// etherHeader begins an Ethernet frame.
func etherHeader(src, dst net.HardwareAddr, kind uint16) []byte {
	b := make([]byte, 0, 1514)
	b = append(append(b, dst...), src...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// udpFrame builds a whole Ethernet frame (RFC 791, RFC 768).
func udpFrame(srcMAC, dstMAC net.HardwareAddr, src, dst netip.AddrPort, payload []byte) []byte {
	b := etherHeader(srcMAC, dstMAC, etherIPv4)
	ip := []byte{0x45, 0x10, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0}
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	ip = append(append(ip, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip))
	udp := binary.BigEndian.AppendUint16(nil, src.Port())
	udp = binary.BigEndian.AppendUint16(udp, dst.Port())
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(payload)))
	udp = append(append(udp, 0, 0), payload...)
	pseudo := append(slices.Clone(ip[12:20]), 0, 17, udp[4], udp[5])
	c := ^sum(sum(0, pseudo), udp)
	if c == 0 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], c)
	return append(append(b, ip...), udp...)
}

// sum is the ones' complement sum of RFC 1071, going on from an earlier one.
func sum(start uint16, b []byte) uint16 {
	s := uint32(start)
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// parseUDPFrame takes an Ethernet frame apart; ok is false for anything but whole IPv4 UDP.
func parseUDPFrame(f []byte) (src, dst netip.AddrPort, payload []byte, ok bool) {
	if len(f) < 14+20+8 || binary.BigEndian.Uint16(f[12:]) != etherIPv4 {
		return
	}
	ip := f[14:]
	hl := int(ip[0]&0xf) * 4
	if ip[0]>>4 != 4 || hl < 20 || len(ip) < hl+8 || ip[9] != 17 || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return
	}
	udp := ip[hl:]
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if n < 8 || n > len(udp) {
		return
	}
	s, _ := netip.AddrFromSlice(ip[12:16])
	d, _ := netip.AddrFromSlice(ip[16:20])
	return netip.AddrPortFrom(s, binary.BigEndian.Uint16(udp)), netip.AddrPortFrom(d, binary.BigEndian.Uint16(udp[2:])), udp[8:n], true
}

const (
	// arpWait is how long an owner has to answer. On a local link it takes a millisecond; a ping of 1 s or more, as
	// other servers do, would be seen by everybody who waits for a machine.
	arpWait = 120 * time.Millisecond
)

// inUse asks for addr by ARP probe (RFC 5227 section 2.1.1) and tells whether anybody but mac answers.
func (r *rawSocket) inUse(ctx context.Context, addr netip.Addr, mac net.HardwareAddr) bool {
	c, err := packet.Listen(r.ifi, packet.Raw, etherARP, nil)
	if err != nil {
		return false
	}
	defer c.Close()
	if _, err := c.WriteTo(arpRequest(r.ifi.HardwareAddr, addr), &packet.Addr{HardwareAddr: broadcastMAC}); err != nil {
		return false
	}
	if err := c.SetReadDeadline(time.Now().Add(arpWait)); err != nil {
		return false
	}
	buf := make([]byte, 128)
	for ctx.Err() == nil {
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			return false
		}
		if hw, a, ok := parseARP(buf[:n]); ok && a == addr && !slices.Equal(hw, mac) && !slices.Equal(hw, r.ifi.HardwareAddr) {
			return true
		}
	}
	return false
}

func arpRequest(mac net.HardwareAddr, addr netip.Addr) []byte {
	b := etherHeader(mac, broadcastMAC, etherARP)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1)
	b = append(append(b, mac...), 0, 0, 0, 0)
	b = append(append(b, 0, 0, 0, 0, 0, 0), addr.AsSlice()...)
	return append(b, make([]byte, 60-len(b))...)
}

// parseARP returns the sender of an ARP packet for IPv4 on Ethernet.
func parseARP(f []byte) (net.HardwareAddr, netip.Addr, bool) {
	if len(f) < 42 || binary.BigEndian.Uint16(f[12:]) != etherARP || !slices.Equal(f[14:20], []byte{0, 1, 8, 0, 6, 4}) {
		return nil, netip.Addr{}, false
	}
	a, ok := netip.AddrFromSlice(f[28:32])
	return slices.Clone(net.HardwareAddr(f[22:28])), a, ok
}

// openSniff opens a packet socket that gets a copy of what arrives for the DHCP server port.
func openSniff(i *iface) (*packet.Conn, error) {
	if len(i.hw) != 6 {
		return nil, errNoHardware
	}
	filter, err := portFilter(serverPort)
	if err != nil {
		return nil, err
	}
	return packet.Listen(&net.Interface{Index: i.idx, Name: i.name, HardwareAddr: i.hw, MTU: 1500}, packet.Raw, etherIPv4,
		&packet.Config{Filter: filter})
}

// portFilter lets only IPv4 UDP to one port through, so that a busy network does not fill the socket.
func portFilter(port uint32) ([]bpf.RawInstruction, error) {
	return bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherIPv4, SkipTrue: 6},
		bpf.LoadAbsolute{Off: 23, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 17, SkipTrue: 4},
		bpf.LoadMemShift{Off: 14},
		bpf.LoadIndirect{Off: 16, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: port, SkipTrue: 1},
		bpf.RetConstant{Val: 65535},
		bpf.RetConstant{Val: 0},
	})
}

var (
	errNoHardware = errors.New("interface has no Ethernet address")
	errNoRaw      = errors.New("no packet socket")
)

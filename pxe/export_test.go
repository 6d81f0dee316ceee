package pxe

import (
	"context"
	"net"
	"net/netip"
)

// Answer is what a server would send, for tests that need no sockets.
type Answer struct {
	Data []byte
	To   netip.AddrPort
	How  string
	MAC  net.HardwareAddr
}

// RespondForTest gives one datagram to s as if it had come in on eth0 (10.0.0.1/24).
func (s *Server) RespondForTest(ctx context.Context, data []byte, from netip.AddrPort, boot bool, taken ...netip.Addr) (*Answer, Event) {
	i := &iface{name: "eth0", mode: s.cfg.Mode, hw: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	i.at = endpoint{addr: netip.MustParseAddr("10.0.0.1"), http: netip.MustParseAddrPort("10.0.0.1:80")}
	if len(s.cfg.Pools) > 0 {
		i.pool = s.cfg.Pools[0]
	}
	i.arp = func(_ context.Context, a netip.Addr, _ net.HardwareAddr) bool {
		for _, t := range taken {
			if t == a {
				return true
			}
		}
		return false
	}
	out, e := s.respond(ctx, inbound{data: data, from: from, boot: boot, iface: i, via: net.HardwareAddr{2, 0, 0, 0, 0, 9}})
	if out == nil {
		return nil, e
	}
	how := map[delivery]string{toRelay: "relay", toAddress: "address", toHardware: "hardware", toBroadcast: "broadcast", toSource: "source"}
	return &Answer{Data: out.data, To: out.to, How: how[out.how], MAC: out.mac}, e
}

// ParsersForTest runs every parser of raw frames over data.
func ParsersForTest(data []byte) {
	_, _, _, _ = parseUDPFrame(data)
	_, _, _ = parseARP(data)
	if mac, src, ok := parseSolicit(data); ok {
		f := advertisement(&iface{hw: net.HardwareAddr{2, 0, 0, 0, 0, 1}}, mac, src)
		if sum(sum(0, append(append([]byte(nil), f[22:54]...), 0, 0, 0, byte(len(f)-54), 0, 0, 0, 58)), f[54:]) != 0xffff {
			panic("wrong checksum")
		}
	}
	_ = isIPXE(data)
	_ = machineUUID(data)
	_ = archOf(data, string(data))
}

// FrameForTest builds and takes apart a UDP frame.
func FrameForTest(src, dst netip.AddrPort, payload []byte) (netip.AddrPort, netip.AddrPort, []byte, bool) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	return parseUDPFrame(udpFrame(mac, mac, src, dst, payload))
}

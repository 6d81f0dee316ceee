package pxe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// inbound is one datagram as it came in.
type inbound struct {
	data  []byte
	from  netip.AddrPort
	boot  bool             // on port 4011
	via   net.HardwareAddr // proxy mode: the station that sent the frame: the client, a relay or a router
	iface *iface
}

// delivery says how a reply travels (RFC 2131 section 4.1).
type delivery int

const (
	toRelay     delivery = iota // unicast to giaddr, port 67
	toAddress                   // unicast to an address that answers ARP
	toHardware                  // unicast frame to a machine that has no address yet
	toBroadcast                 // 255.255.255.255
	toSource                    // back to where the request came from (port 4011)
)

// outbound is a reply ready to be sent.
type outbound struct {
	data []byte
	how  delivery
	to   netip.AddrPort
	mac  net.HardwareAddr // the station that the frame goes to: always in proxy mode, else with toHardware
}

// errIgnored is wrapped by every reason not to answer that is normal life and not worth a record.
var errIgnored = errors.New("not for us")

// decideTimeout bounds a question to the policy: firmware asks again after 1 to 4 s.
const decideTimeout = 3 * time.Second

// respond works out the answer to one datagram. It returns nil when there is none; e tells why. e.Protocol is empty when
// the packet is not worth a record.
func (s *Server) respond(ctx context.Context, in inbound) (out *outbound, e Event) {
	e.Time = s.cfg.Now()
	p, err := dhcpv4.FromBytes(in.data)
	if err == nil {
		err = checkRequest(p)
	}
	if err != nil {
		s.metrics.malformed.WithLabelValues("dhcp").Inc()
		s.log.Debug("malformed dhcp packet", "iface", in.iface.name, "from", in.from, "bytes", len(in.data), "err", err)
		return nil, Event{}
	}
	kind := p.MessageType()
	m, merr := machineFrom(p)
	m.Interface = in.iface.name
	m.Address = addr4(p.ClientIPAddr)
	e.Machine, e.Message, e.Protocol = m, messageName(kind), "dhcp"
	if errors.Is(merr, errNotEthernet) {
		e.Reason = merr.Error()
		return nil, e
	}
	q := &query{Server: s, ctx: ctx, in: in, p: p, kind: kind, m: m, netboot: merr == nil, e: &e}
	if in.iface.mode == ModeProxy {
		e.Protocol = "proxydhcp"
		out, err = q.proxy()
	} else {
		out, err = q.server()
	}
	if err != nil {
		e.Answer, e.Reason, out = "", err.Error(), nil
		if errors.Is(err, errIgnored) {
			s.log.Debug("dhcp ignored", "iface", in.iface.name, "mac", m.MAC.String(), "message", e.Message, "reason", err)
			e.Protocol = ""
		}
	}
	e.Machine = q.m
	return out, e
}

// query is one request on its way to an answer.
type query struct {
	*Server
	ctx     context.Context
	in      inbound
	p       *dhcpv4.DHCPv4
	kind    dhcpv4.MessageType
	m       Machine
	netboot bool
	e       *Event
}

// checkRequest refuses packets that no client sends and that would be costly or dangerous to answer.
func checkRequest(p *dhcpv4.DHCPv4) error {
	switch {
	case p.OpCode != dhcpv4.OpcodeBootRequest:
		return errors.New("not a request")
	case p.HWType == iana.HWTypeEthernet && len(p.ClientHWAddr) != 6:
		return fmt.Errorf("hardware address of %d bytes", len(p.ClientHWAddr))
	case len(p.Options.Get(dhcpv4.OptionDHCPMessageType)) != 1:
		return errors.New("no message type: BOOTP clients are not served")
	case p.HopCount > 16:
		return fmt.Errorf("%d relay hops", p.HopCount)
	case len(p.Options.Get(dhcpv4.OptionRelayAgentInformation)) > 255:
		return errors.New("relay information longer than 255 bytes")
	case len(p.Options.Get(dhcpv4.OptionClientIdentifier)) > 255:
		return errors.New("client identifier longer than 255 bytes")
	case len(p.Options.Get(dhcpv4.OptionClientMachineIdentifier)) > 64:
		return errors.New("machine identifier longer than 64 bytes")
	}
	return nil
}

func messageName(k dhcpv4.MessageType) string {
	switch k {
	case dhcpv4.MessageTypeDiscover:
		return "discover"
	case dhcpv4.MessageTypeRequest:
		return "request"
	case dhcpv4.MessageTypeDecline:
		return "decline"
	case dhcpv4.MessageTypeRelease:
		return "release"
	case dhcpv4.MessageTypeInform:
		return "inform"
	}
	return fmt.Sprintf("type %d", byte(k))
}

// decide asks the policy and then for the loader. boot is nil when the machine gets no boot file; the event has the
// reason.
func (q *query) decide(stage Stage) (*boot, Decision, error) {
	q.m.Stage = stage
	q.recent.seen(q.m)
	ctx, cancel := context.WithTimeout(q.ctx, decideTimeout)
	defer cancel()
	d, err := q.cfg.Policy.Decide(ctx, q.m)
	if err != nil {
		return nil, d, fmt.Errorf("no decision: %w", err)
	}
	q.e.BootID, q.e.Action, q.e.Reason, q.e.Rule = d.BootID, d.Action, d.Reason, d.Rule
	if d.Action == Ignore {
		return nil, d, nil
	}
	b, err := q.chooseBoot(q.m, q.in.iface.at)
	if err != nil {
		q.e.Action, q.e.Reason = Ignore, err.Error()
		return nil, d, nil
	}
	q.e.File = b.file
	return &b, d, nil
}

// delivery chooses the way of a reply.
func (q *query) send(r *dhcpv4.DHCPv4, answer string) (*outbound, error) {
	data, err := encode(r)
	if err != nil {
		return nil, err
	}
	q.e.Answer = answer
	q.e.Offered = addr4(r.YourIPAddr)
	out := &outbound{data: data}
	ciaddr, yiaddr := addr4(q.p.ClientIPAddr), addr4(r.YourIPAddr)
	relay := addr4(q.p.GatewayIPAddr)
	switch {
	case q.in.boot && !relay.IsValid():
		out.how, out.to = toSource, q.in.from
	case relay.IsValid():
		if answer == "nak" { // the relay must broadcast it to the client, which has no valid address (RFC 2131 4.3.2)
			r.SetBroadcast()
			if out.data, err = encode(r); err != nil {
				return nil, err
			}
		}
		out.how, out.to = toRelay, netip.AddrPortFrom(relay, serverPort)
	case answer == "nak":
		out.how = toBroadcast
	case ciaddr.IsValid():
		out.how, out.to = toAddress, netip.AddrPortFrom(ciaddr, clientPort)
	case r.IsBroadcast() || !yiaddr.IsValid():
		out.how = toBroadcast
	default:
		out.how, out.to, out.mac = toHardware, netip.AddrPortFrom(yiaddr, clientPort), q.m.MAC
	}
	if out.mac == nil {
		out.mac = q.in.via
	}
	if out.how == toBroadcast {
		out.mac = broadcastMAC
		out.to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), clientPort)
	}
	return out, nil
}

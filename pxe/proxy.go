package pxe

import (
	"errors"
	"fmt"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// proxy answers beside a DHCP server that stays in charge of addresses (PXE-10, netboot-facts section 3): a DISCOVER of
// a network boot client, and the REQUEST or INFORM that it sends to port 4011. Everything else is the other server's.
func (q *query) proxy() (*outbound, error) {
	if !q.netboot {
		return nil, fmt.Errorf("%w: %w", errNotNetboot, errIgnored)
	}
	if !q.p.Options.Has(dhcpv4.OptionClientSystemArchitectureType) && q.m.Loader != LoaderIPXE {
		// PXE 2.1 wants option 93 of every client. One without it may take our offer for a lease of 0.0.0.0.
		return nil, errors.New("client calls itself a PXE client but sends no architecture (option 93)")
	}
	switch {
	case q.kind == dhcpv4.MessageTypeDiscover && !q.in.boot:
		return q.proxyAnswer(StageDiscover, dhcpv4.MessageTypeOffer, "offer")
	case q.in.boot && (q.kind == dhcpv4.MessageTypeRequest || q.kind == dhcpv4.MessageTypeInform):
		if id := addr4(q.p.ServerIdentifier()); id.IsValid() && id != q.in.iface.at.addr {
			return nil, fmt.Errorf("request is for the boot server %s: %w", id, errIgnored)
		}
		if !q.m.Address.IsValid() {
			q.m.Address = q.in.from.Addr()
		}
		return q.proxyAnswer(StageProxy4011, dhcpv4.MessageTypeAck, "ack")
	}
	return nil, fmt.Errorf("%s on this port is the DHCP server's: %w", messageName(q.kind), errIgnored)
}

func (q *query) proxyAnswer(stage Stage, kind dhcpv4.MessageType, answer string) (*outbound, error) {
	b, _, err := q.decide(stage)
	if err != nil || b == nil {
		return nil, err
	}
	r, err := newReply(q.p, kind, q.in.iface.at.addr)
	if err != nil {
		return nil, err
	}
	setBoot(r, *b, q.in.iface.at.addr)
	setProxy(r, q.p, q.m)
	// A client that used a boot menu expects its choice back (option 43, sub-option 71).
	if v := q.p.Options.Get(dhcpv4.OptionVendorSpecificInformation); q.in.boot && q.m.Firmware == BIOS && len(v) >= 6 && v[0] == 71 && v[1] == 4 {
		r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, append(append([]byte(nil), v[:6]...), 255)))
	}
	return q.send(r, answer)
}

package pxe

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/bootyard/bootyard/pxe/lease"
)

// server answers as a DHCP server (RFC 2131 section 4.3).
func (q *query) server() (*outbound, error) {
	pool, err := q.pool()
	if err != nil {
		return nil, err
	}
	switch q.kind {
	case dhcpv4.MessageTypeDiscover:
		return q.offer(pool)
	case dhcpv4.MessageTypeRequest:
		return q.request(pool)
	case dhcpv4.MessageTypeInform:
		return q.inform(pool)
	case dhcpv4.MessageTypeDecline:
		addr := addr4(q.p.RequestedIPAddress())
		if !q.leases.Conflict(q.m.MAC, addr) {
			return nil, fmt.Errorf("decline of %s, which this machine does not have: %w", addr, errIgnored)
		}
		q.log.Warn("address is used by somebody else: the client declined it", "iface", q.in.iface.name, "mac", q.m.MAC.String(),
			"addr", addr, "held", lease.HoldConflict)
		q.e.Reason = fmt.Sprintf("%s declined, out of use for %s", addr, lease.HoldConflict)
		return nil, nil
	case dhcpv4.MessageTypeRelease:
		addr := addr4(q.p.ClientIPAddr)
		if err := q.leases.Release(q.m.MAC, addr); err != nil {
			return nil, err
		}
		q.e.Reason = fmt.Sprintf("%s released", addr)
		return nil, nil
	}
	return nil, fmt.Errorf("message type %d: %w", byte(q.kind), errIgnored)
}

// pool finds the subnet of the client: that of the relay that forwarded, else that of the interface.
func (q *query) pool() (Pool, error) {
	relay := addr4(q.p.GatewayIPAddr)
	if !relay.IsValid() {
		return q.in.iface.pool, nil
	}
	for _, p := range q.cfg.Pools {
		if p.Prefix.Contains(relay) {
			return p, nil
		}
	}
	return Pool{}, fmt.Errorf("relay %s is in no subnet that we give addresses for: add a range for it", relay)
}

// ask asks the policy for a netboot client. silent means that the machine gets nothing at all.
func (q *query) ask(stage Stage) (b *boot, silent bool, err error) {
	if !q.netboot {
		q.m.Stage = stage
		q.e.Reason = "address only: not a network boot client"
		return nil, false, nil
	}
	b, d, err := q.decide(stage)
	if err != nil {
		return nil, false, err
	}
	return b, b == nil && d.Silent, nil
}

func (q *query) offer(pool Pool) (*outbound, error) {
	b, silent, err := q.ask(StageDiscover)
	if err != nil || silent {
		return nil, err
	}
	addr, err := q.allocate(pool)
	if err != nil {
		q.log.Error("no address to offer", "iface", q.in.iface.name, "mac", q.m.MAC.String(), "err", err)
		return nil, err
	}
	return q.grant(dhcpv4.MessageTypeOffer, "offer", addr, pool, b)
}

// allocate takes an address and looks whether a stranger has it, without the 3 s that a ping would cost.
func (q *query) allocate(pool Pool) (netip.Addr, error) {
	const tries = 4
	for range tries {
		addr, fresh, err := q.leases.Offer(q.m.MAC, pool.Range, addr4(q.p.RequestedIPAddress()))
		if err != nil {
			return netip.Addr{}, err
		}
		relayed := addr4(q.p.GatewayIPAddr).IsValid()
		if addr != q.in.iface.at.addr && (relayed || !fresh || !q.in.iface.inUse(q.ctx, addr, q.m.MAC)) {
			return addr, nil
		}
		q.leases.Conflict(nil, addr)
		q.log.Warn("address is used by somebody else: it answered ARP", "iface", q.in.iface.name, "addr", addr,
			"held", lease.HoldConflict)
	}
	return netip.Addr{}, fmt.Errorf("%d addresses in a row are used by strangers: check dhcp.range", tries)
}

func (q *query) request(pool Pool) (*outbound, error) {
	want, chosen := addr4(q.p.RequestedIPAddress()), addr4(q.p.ServerIdentifier())
	if chosen.IsValid() && chosen != q.in.iface.at.addr {
		q.leases.Withdraw(q.m.MAC)
		return nil, fmt.Errorf("the client chose the server %s: %w", chosen, errIgnored)
	}
	if ci := addr4(q.p.ClientIPAddr); ci.IsValid() {
		want = ci // RENEWING or REBINDING
	}
	if !want.IsValid() {
		return nil, errors.New("request names no address")
	}
	b, silent, err := q.ask(StageRequest)
	if err != nil || silent {
		return nil, err
	}
	if want == q.in.iface.at.addr {
		err = lease.ErrTaken // ours, also where it lies in the range
	} else {
		err = q.leases.Commit(q.m.MAC, pool.Range, want, pool.lease())
	}
	switch {
	case errors.Is(err, lease.ErrTaken):
		q.e.Reason, q.e.File, q.e.Action = fmt.Sprintf("%s is not this machine's address here", want), "", Ignore
		r, err := newReply(q.p, dhcpv4.MessageTypeNak, q.in.iface.at.addr)
		if err != nil {
			return nil, err
		}
		return q.send(r, "nak")
	case err != nil:
		// Not on disk: a second machine might get the address after a crash. No answer; the client asks again.
		q.log.Error("lease not saved, so not given: free space for the lease file", "err", err)
		return nil, err
	}
	q.m.Address = want
	return q.grant(dhcpv4.MessageTypeAck, "ack", want, pool, b)
}

// grant builds OFFER and ACK.
func (q *query) grant(kind dhcpv4.MessageType, answer string, addr netip.Addr, pool Pool, b *boot) (*outbound, error) {
	r, err := newReply(q.p, kind, q.in.iface.at.addr)
	if err != nil {
		return nil, err
	}
	setLease(r, addr, pool, pool.lease())
	q.finish(r, b)
	return q.send(r, answer)
}

func (q *query) finish(r *dhcpv4.DHCPv4, b *boot) {
	if b != nil {
		setBoot(r, *b, q.in.iface.at.addr)
	}
	if q.m.Loader == LoaderIPXE {
		setNoProxy(r)
	}
}

// inform gives options to a client that has its address from elsewhere (RFC 2131 section 4.3.5).
func (q *query) inform(pool Pool) (*outbound, error) {
	if !addr4(q.p.ClientIPAddr).IsValid() {
		return nil, errors.New("inform without an address")
	}
	b, silent, err := q.ask(StageRequest)
	if err != nil || silent {
		return nil, err
	}
	r, err := newReply(q.p, dhcpv4.MessageTypeAck, q.in.iface.at.addr)
	if err != nil {
		return nil, err
	}
	setNetwork(r, pool)
	q.finish(r, b)
	return q.send(r, "ack")
}

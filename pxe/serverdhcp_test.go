package pxe_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe"
	"github.com/bootyard/bootyard/pxe/lease"
)

// The upper half of a network, which is the range that nobody chose, may hold our own address: a client that comes back
// with it (INIT-REBOOT) must not get it.
func TestOwnAddressIsNeverGiven(t *testing.T) {
	own := netip.MustParseAddr("10.0.0.1")
	s := newServer(t, pxe.ModeServer, always(pxe.BootEnvironment), func(c *pxe.Config) {
		c.Pools[0].Range = lease.Range{First: own, Last: netip.MustParseAddr("10.0.0.2")}
	})
	want := dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(own.AsSlice()))
	r, _, e := answer(t, s, message(t, dhcpv4.MessageTypeRequest, want))
	require.Equal(t, dhcpv4.MessageTypeNak, r.MessageType())
	require.Contains(t, e.Reason, "not this machine's address")
	r, _, _ = answer(t, s, message(t, dhcpv4.MessageTypeRequest, dhcpv4.WithClientIP(own.AsSlice())))
	require.Equal(t, dhcpv4.MessageTypeNak, r.MessageType())
	_, ok := s.MACFor(own)
	require.False(t, ok)
	r, _, _ = answer(t, s, discover(t, want))
	require.Equal(t, "10.0.0.2", r.YourIPAddr.String())
}

// slog prints a hardware address as raw bytes, which nobody can search for.
func TestLogNamesMachinesReadably(t *testing.T) {
	var out bytes.Buffer
	s := newServer(t, pxe.ModeServer, always(pxe.BootEnvironment), func(c *pxe.Config) {
		c.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Pools[0].Range.Last = c.Pools[0].Range.First
	})
	check := func() {
		t.Helper()
		require.Contains(t, out.String(), " mac="+clientMAC.String(), "%s", out.String())
		out.Reset()
	}
	offer, _, _ := answer(t, s, discover(t))
	_, _, _ = answer(t, s, message(t, dhcpv4.MessageTypeDecline, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr))))
	check()
	_, _, _ = answer(t, s, discover(t)) // nothing is left
	check()
	_, _, _ = answer(t, s, message(t, dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IP{10, 0, 0, 2}))))
	check()
}

func TestRangeIsBounded(t *testing.T) {
	_, err := pxe.NewServer(pxe.Config{Mode: pxe.ModeServer, Interfaces: []string{"eth0"}, Policy: always(pxe.Ignore), Loaders: loaders, Leases: lease.NewTable(nil),
		Pools: []pxe.Pool{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Range: lease.Range{First: netip.MustParseAddr("10.0.0.2"), Last: netip.MustParseAddr("10.200.0.1")}}}})
	require.ErrorContains(t, err, "addresses")
}

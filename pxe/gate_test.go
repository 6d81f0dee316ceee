package pxe_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe"
	"github.com/bootyard/bootyard/pxe/lease"
)

// lan is a gate for 10.0.0.0/24.
type lan struct{ busy bool }

func (g *lan) Admits(a netip.Addr) bool {
	return netip.MustParsePrefix("10.0.0.0/24").Contains(a)
}
func (g *lan) Allow(netip.Addr) bool { return !g.busy }

var relayed = dhcpv4.WithGatewayIP(net.IP{10, 9, 0, 1})

// counting is a journal.
type counting struct{ n int }

func (c *counting) Record(context.Context, pxe.Event) { c.n++ }

// A boot script carries the boot token: it is for the networks that the gate names, whatever DHCP has heard.
func TestScriptsAreForServedNetworks(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	gate, j := &lan{}, &counting{}
	asked := 0
	s := newServer(t, pxe.ModeProxy, policyFunc(func(m pxe.Machine) (pxe.Decision, error) {
		if m.Stage == pxe.StageScript {
			asked++
		}
		return bootable(m)
	}), func(c *pxe.Config) { c.Gate, c.Now, c.Journal = gate, func() time.Time { return now }, j })
	scripts := map[string]string{"ipxe": "/boot/ipxe" + query, "grub": "/boot/grub/52:54:00:00:00:01/00112233-4455-6677-8899-aabbccddeeff"}
	for name, target := range scripts {
		_, body := ask(t, s, "GET", target, "10.0.0.9:1234")
		require.Contains(t, body, "byd.token=secret", name)
	}
	strangers := map[string]string{}
	for name, target := range scripts {
		before := asked
		r, body := ask(t, s, "GET", target, "10.9.0.9:1234")
		require.Equal(t, 200, r.StatusCode, "a loader runs nothing else")
		require.NotContains(t, body, "secret", name)
		require.Contains(t, body, "no boot script for this network", name)
		require.Equal(t, before, asked, "the policy is not even asked: no token is made")
		strangers[name] = body
	}
	events := j.n

	// A machine that was heard on our own wire asks from there, and anybody can forge what a relay forwards.
	for _, heard := range [][]dhcpv4.Modifier{nil, {relayed}} {
		answer(t, s, discover(t, append(heard, pxeClient(0, "PXEClient"))...))
		_, body := ask(t, s, "GET", scripts["ipxe"], "10.9.0.9:1234")
		require.Equal(t, strangers["ipxe"], body, "who names its MAC elsewhere gets nothing")
	}
	other := func(target string) string { return strings.ReplaceAll(target, "00:00:00:01", "00:00:00:02") }
	for name, target := range scripts {
		_, body := ask(t, s, "GET", other(target), "10.9.0.9:1234")
		require.Equal(t, other(strangers[name]), body, "a machine that is not known gets the same answer as one that is")
	}
	require.Equal(t, events, j.n, "what was withheld is in no machine's record")

	r, body := ask(t, s, "GET", "/boot/ipxe", "10.9.0.9:1234")
	require.Equal(t, 403, r.StatusCode)
	require.NotContains(t, body, "secret")
	r, _ = ask(t, s, "GET", "/boot/loader/undionly.kpxe", "10.9.0.9:1234")
	require.Equal(t, 200, r.StatusCode, "loaders are no secret")
}

func TestTooManyScripts(t *testing.T) {
	gate := &lan{busy: true}
	s := newServer(t, pxe.ModeProxy, policyFunc(bootable), func(c *pxe.Config) { c.Gate = gate })
	for _, target := range []string{"/boot/ipxe" + query, "/boot/grub/52:54:00:00:00:01"} {
		r, body := ask(t, s, "GET", target, "10.0.0.9:1")
		require.Equal(t, 200, r.StatusCode)
		require.NotContains(t, body, "secret")
		require.Contains(t, body, "too many requests")
		require.NotContains(t, body, "starting the local disk'\nif", "GRUB's image asks again by itself")
	}
}

// A flood of invented machines does not push out the one that boots now: GRUB knows only its MAC, and DHCP heard its UUID.
func TestSightingsOutliveAFlood(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	uuid := ""
	s := newServer(t, pxe.ModeProxy, policyFunc(func(m pxe.Machine) (pxe.Decision, error) {
		if m.Stage == pxe.StageScript {
			uuid = m.UUID
		}
		return bootable(m)
	}), func(c *pxe.Config) { c.Gate, c.Now = &lan{}, func() time.Time { return now } })
	flood := func(n int) {
		for i := range n {
			now = now.Add(time.Millisecond)
			answer(t, s, discover(t, pxeClient(0, "PXEClient"), dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)})))
		}
	}
	flood(5000)
	answer(t, s, discover(t, pxeClient(0, "PXEClient"), relayed))
	flood(1500)
	_, _ = ask(t, s, "GET", "/boot/grub/52:54:00:00:00:01", "10.0.0.9:1234")
	require.NotEmpty(t, uuid)
}

// In server mode the machine's address is known, so nobody on its own segment gets its script either.
func TestScriptIsForTheAddressOfTheLease(t *testing.T) {
	asked := 0
	policy := policyFunc(func(m pxe.Machine) (pxe.Decision, error) {
		asked++
		return bootable(m)
	})
	for _, force := range []bool{false, true} {
		table := lease.NewTable(nil)
		s := newServer(t, pxe.ModeServer, policy, func(c *pxe.Config) { c.Gate, c.Leases, c.Force = &lan{}, table, force })
		r, _ := ask(t, s, "GET", "/boot/ipxe"+query, "10.0.0.77:1")
		require.Equal(t, 200, r.StatusCode, "no lease runs: the address may be a static one")
		mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}
		all := lease.Range{First: netip.MustParseAddr("10.0.0.100"), Last: netip.MustParseAddr("10.0.0.199")}
		require.NoError(t, table.Commit(mac, all, netip.MustParseAddr("10.0.0.105"), time.Hour))
		r, body := ask(t, s, "GET", "/boot/ipxe"+query, "10.0.0.105:1")
		require.Equal(t, 200, r.StatusCode)
		require.Contains(t, body, "byd.token=secret")
		before := asked
		r, body = ask(t, s, "GET", "/boot/ipxe"+query, "10.0.0.77:1")
		if force { // it may have taken the other server's offer
			require.Equal(t, 200, r.StatusCode)
			continue
		}
		require.Equal(t, 403, r.StatusCode)
		require.NotContains(t, body, "secret")
		require.Equal(t, before, asked, "no token is made, none is ended")
		require.NoError(t, table.Release(mac, netip.MustParseAddr("10.0.0.105")))
		r, _ = ask(t, s, "GET", "/boot/ipxe"+query, "10.0.0.77:1")
		require.Equal(t, 200, r.StatusCode)
	}
}

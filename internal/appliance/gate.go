package appliance

import (
	"net/netip"
	"slices"

	"github.com/bootyard/bootyard/internal/limit"
)

const (
	// A loader asks once for its script, a few times when boot files fail, and
	// once more for a choice in the menu. The burst leaves room for a room of
	// machines behind one address.
	scriptsPerSecond = 3
	scriptBurst      = 40
)

// gate says who may ask for boot scripts: machines in the networks of our own
// interfaces and address ranges, and in those that the operator named, which
// machines behind a DHCP relay need. That a relay has forwarded their DHCP opens
// nothing: whoever reaches port 67 from outside can pass for a relay.
type gate struct {
	own   []netip.Prefix
	live  *live
	often *limit.Limiter
}

func newGate(own []netip.Prefix, l *live) *gate {
	return &gate{own: own, live: l, often: limit.New(scriptsPerSecond, scriptBurst, nil)}
}

// Admits implements pxe.Gate.
func (g *gate) Admits(a netip.Addr) bool {
	in := func(n netip.Prefix) bool { return n.Contains(a) }
	return slices.ContainsFunc(g.own, in) || slices.ContainsFunc(g.live.now().networks, in)
}

// Allow implements pxe.Gate.
func (g *gate) Allow(a netip.Addr) bool { return g.often.Allow(a.String()) }

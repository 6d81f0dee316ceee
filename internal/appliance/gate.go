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
// interfaces and in those that the operator named. Where he named none, machines
// behind a DHCP relay are served wherever they are: whoever sends a packet like a
// relay's from outside can pass for one, so naming the networks ends that.
type gate struct {
	own   []netip.Prefix
	live  *live
	often *limit.Limiter
}

func newGate(own []netip.Prefix, l *live) *gate {
	return &gate{own: own, live: l, often: limit.New(scriptsPerSecond, scriptBurst, nil)}
}

// Admits implements pxe.Gate.
func (g *gate) Admits(a netip.Addr, relayed bool) bool {
	in := func(n netip.Prefix) bool { return n.Contains(a) }
	named := g.live.now().networks
	return slices.ContainsFunc(g.own, in) || slices.ContainsFunc(named, in) || relayed && len(named) == 0
}

// Allow implements pxe.Gate.
func (g *gate) Allow(a netip.Addr) bool { return g.often.Allow(a.String()) }

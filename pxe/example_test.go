package pxe_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/bootyard/bootyard/pxe"
	"github.com/bootyard/bootyard/pxe/lease"
)

// diskPolicy sends every machine to its disk.
type diskPolicy struct{}

func (diskPolicy) Decide(context.Context, pxe.Machine) (pxe.Decision, error) {
	return pxe.Decision{Action: pxe.LocalDisk, Reason: "nothing is deployed to this machine", Rule: "PXE-15a"}, nil
}

// A DHCP server for one isolated segment. Run needs root; the loaders come from pxe/loader.Build.
func ExampleNewServer() {
	s, err := pxe.NewServer(pxe.Config{
		Mode:       pxe.ModeServer,
		Interfaces: []string{"lab0"},
		Pools: []pxe.Pool{{
			Prefix: netip.MustParsePrefix("10.77.0.0/24"),
			Range:  lease.Range{First: netip.MustParseAddr("10.77.0.100"), Last: netip.MustParseAddr("10.77.0.199")},
		}},
		Leases:    lease.NewTable(nil), // lease.Open keeps them in a file
		RouterAdv: true,
		Policy:    diskPolicy{},
		Loaders:   mapLoaders{},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = s.Handler() // mount it at /boot/
	_ = s.Run       // until the context ends
	fmt.Println("ready")
	// Output: ready
}

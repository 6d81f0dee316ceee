package inventory

import (
	"net"
	"net/netip"
	"os"
	"runtime"

	"github.com/bootyard/bootyard/tsengine/fact"
)

// Local gathers the machine this program runs on; nil where there is no gatherer for its operating system.
// environment is winpe or fullos; a boot environment has no host name of its own.
func Local(environment string) *fact.Sheet {
	o := Options{Arch: runtime.GOARCH, Environment: environment, Addresses: addresses}
	if environment == "fullos" {
		o.HostName, _ = os.Hostname()
	}
	return Gather(o)
}

// addresses are those of a card that are of use to others.
func addresses(card string) []netip.Prefix {
	i, err := net.InterfaceByName(card)
	if err != nil {
		return nil
	}
	all, err := i.Addrs()
	if err != nil {
		return nil
	}
	var list []netip.Prefix
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		address, ok := netip.AddrFromSlice(n.IP)
		if ones, _ := n.Mask.Size(); ok {
			list = append(list, netip.PrefixFrom(address.Unmap(), ones))
		}
	}
	return list
}

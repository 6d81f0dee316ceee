package step

import (
	"sort"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// Match is a driver that fits a device.
type Match struct {
	Device machine.Device
	Offer  machine.DriverOffer
	// Rank is as Windows ranks: how far down the device's own list of ids the driver's id is; hardware ids come before
	// compatible ids. 0 is the best.
	Rank int
}

// MatchDrivers chooses drivers for devices: with best the one of the best rank for each device, of equals the newest;
// else all that fit. A package comes once, for the first device it serves, in the order of the devices.
func MatchDrivers(devices []machine.Device, offers []machine.DriverOffer, best bool) []Match {
	var out []Match
	taken := map[string]bool{}
	for _, device := range devices {
		var fits []Match
		for _, offer := range offers {
			if rank, ok := rankOf(device, offer); ok {
				fits = append(fits, Match{device, offer, rank})
			}
		}
		sort.SliceStable(fits, func(i, j int) bool {
			if fits[i].Rank != fits[j].Rank {
				return fits[i].Rank < fits[j].Rank
			}
			return newer(fits[i].Offer, fits[j].Offer)
		})
		if best && len(fits) > 1 {
			fits = fits[:1]
		}
		for _, m := range fits {
			if !taken[m.Offer.PackageID] {
				taken[m.Offer.PackageID] = true
				out = append(out, m)
			}
		}
	}
	return out
}

func rankOf(d machine.Device, o machine.DriverOffer) (int, bool) {
	for i, id := range append(append([]string(nil), d.HardwareIDs...), d.CompatibleIDs...) {
		for _, served := range o.IDs {
			if strings.EqualFold(id, served) {
				return i, true
			}
		}
	}
	return 0, false
}

// newer compares as Windows does: date first, then version.
func newer(a, b machine.DriverOffer) bool {
	if !a.Date.Equal(b.Date) {
		return a.Date.After(b.Date)
	}
	va, errA := numbers(a.Version)
	vb, errB := numbers(b.Version)
	return errA == nil && errB == nil && compareNumbers(va, vb) > 0
}

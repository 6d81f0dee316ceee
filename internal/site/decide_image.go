package site

import (
	"fmt"

	"github.com/bootyard/bootyard/internal/wire"
)

// imageOf chooses the boot image (PXE-30, PXE-31): of the candidates that
// PXE-14 keeps, the highest deployment id whose boot image fits. Whether a
// candidate was handed out already does not matter here.
func (f Facts) imageOf(choices []*choice) (id, rule, text string) {
	rule, text = "PXE-33", "no deployment has a boot image for this machine"
	for _, exact := range []bool{true, false} {
		for i := len(choices) - 1; i >= 0; i-- {
			c := choices[i]
			if !c.Kept && c.Rule != "PXE-16" && c.Rule != "PXE-18" || c.CandidateFacts.Sequence.BootImage == "" {
				continue
			}
			image, r, t := f.image(c.CandidateFacts.Sequence.BootImage)
			if image == "" {
				rule, text = r, t
				continue
			}
			if f.fits(image) == exact {
				return image, "", ""
			}
		}
	}
	return "", rule, text
}

// image checks one boot image: it must exist, be ready and be able to run here
// (PXE-32). The answer is empty when it cannot, with the reason.
func (f Facts) image(id string) (image, rule, text string) {
	for _, b := range f.BootImages {
		if b.ID != id {
			continue
		}
		if !b.Ready {
			return "", "PXE-33", fmt.Sprintf("the files of boot image %s are missing on the appliance; build it again with `bootyard image boot build`", id)
		}
		if b.Arch == f.Identity.Arch || f.Identity.Firmware == wire.BIOS && f.Identity.Arch == "amd64" && b.Arch == "386" {
			return id, "", ""
		}
		return "", "PXE-33", fmt.Sprintf("boot image %s is for %s, the machine is %s with %s firmware", id, b.Arch, f.Identity.Arch, f.Identity.Firmware)
	}
	return "", "PXE-33", fmt.Sprintf("boot image %s does not exist", id)
}

// fits reports an exact match of architecture (PXE-30).
func (f Facts) fits(id string) bool {
	for _, b := range f.BootImages {
		if b.ID == id {
			return b.Arch == f.Identity.Arch
		}
	}
	return false
}

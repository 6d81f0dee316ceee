package apply

import (
	"github.com/bootyard/bootyard/images/disk"
)

// Firmware is how a machine starts an operating system.
type Firmware string

// The two kinds of firmware.
const (
	BIOS Firmware = "bios"
	UEFI Firmware = "uefi"
)

// Target is the applied system that is to start from its own disk.
type Target struct {
	Dir      string        // where Root is mounted
	Root     disk.Volume   // holds the system
	ESP      *disk.Volume  // EFI system partition of the same disk; nil when there is none
	Swaps    []disk.Volume // for fstab
	Firmware Firmware      // of this machine
	Arch     string        // GOARCH of the image; empty means amd64
	// AnyFirmware installs the loader for the other kind of firmware as well, for a
	// disk that moves to another machine. It takes as long again.
	AnyFirmware bool
	// KernelArgs are added to the command line of every kernel of the image,
	// such as console=ttyS0.
	KernelArgs []string
}

// efiNames are GRUB's target and the names of the loaders for one architecture
// (UEFI 2.10, 3.5.1.1 for the fallback name).
type efiNames struct {
	target, fallback, shim, grub, mok string
}

func efiFor(arch string) efiNames {
	if arch == "arm64" {
		return efiNames{"arm64-efi", "BOOTAA64.EFI", "shimaa64.efi", "grubaa64.efi", "mmaa64.efi"}
	}
	return efiNames{"x86_64-efi", "BOOTX64.EFI", "shimx64.efi", "grubx64.efi", "mmx64.efi"}
}

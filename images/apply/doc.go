// Package apply turns a formatted volume into a computer of its own: it
// extracts a file-level Linux image (Apply Operating System Image), makes it
// bootable and unique (TS-118b) and puts the agent and the run's state into it
// (Setup Windows and ConfigMgr, TS-118a).
//
// It runs as root in the boot environment. An image is foreign data: every name
// in it is resolved inside the volume only, so that no link of the image can
// lead a write elsewhere. Loaders are installed with the image's own tools in a
// chroot, inside a mount namespace that ends with the call, so that nothing
// stays mounted whatever happens.
//
// It does not fetch or verify images, does not partition (package disk does),
// and does not know task sequences.
//
// # Run marker
//
// While a run goes on in the installed OS, a marker file lies on the target
// disk, so that a boot medium that is first in the boot order finds the run and
// boots the disk instead of deploying again (MED-25): MarkerOnESP on the EFI
// system partition when the disk has one, else MarkerOnRoot on the root volume.
// A GRUB medium looks for both by "search --no-floppy --file".
package apply

// Package media makes boot media: one ISO image that starts a boot environment
// on BIOS and UEFI machines, from CD and from a USB stick (MED-0, "bootable").
// The image holds the loader, the kernel, the boot environment and an archive
// with the site's data and the medium's own key; everything else the machine
// gets from the appliance.
//
// The loader comes from the operator's GRUB packages and is put together by
// grub-mkrescue; nothing of it is part of bootyard.
package media

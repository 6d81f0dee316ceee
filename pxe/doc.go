// Package pxe answers the firmware of machines that boot from the network: DHCP in server or proxy mode, TFTP for the
// first loader, and HTTP for loaders and boot scripts. It decides nothing about deployments: a BootPolicy is asked at
// the DHCP stage and again when a loader asks for its script, and a Journal is told every answer given or withheld.
//
// The way of a machine: DISCOVER -> Identify -> BootPolicy -> offer with the loader that this firmware needs ->
// loader by TFTP (BIOS, UEFI PXE) or HTTP (UEFI HTTP boot) -> script by HTTP, BootPolicy again -> kernel.
//
// Kernels and images are not served here; their URLs come from the policy, signed and expiring.
package pxe

// Package loader finds and builds the first programs that a machine loads from the network, out of the Debian packages
// that the operator installed: iPXE for BIOS machines and a GRUB image for UEFI machines. Nothing of them is part of
// bootyard's binaries. Every loader is listed with the package and version it came from and its SHA-256.
package loader

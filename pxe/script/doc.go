// Package script writes what a loader runs: an iPXE script or a GRUB configuration. Everything that comes from outside
// (titles, reasons, names, URLs, kernel arguments) is either checked against a list of harmless characters and refused,
// or shown with the others replaced, so nothing can become a command. Only commands of Debian 12's loaders are used:
// iPXE of 2019 and GRUB 2.06. Every script ends: with a kernel, with a local disk, or with a retry by the server's count.
package script

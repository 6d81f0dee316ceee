// Package demo is 'make demo': it deploys two virtual machines with empty disks,
// one BIOS and one UEFI, over the network of an isolated lab, and shows what
// happened. Nothing in it is special: it uses the programs a user has.
package demo

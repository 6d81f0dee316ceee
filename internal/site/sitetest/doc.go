// Package sitetest builds a complete site in a temporary directory in one line
// of a test: database, clock, two sequences, a boot image, a device. Other
// packages' tests use it as well.
package sitetest

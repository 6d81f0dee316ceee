// Package pki is the appliance's own certificate authority: made on first
// start, kept in the data directory, and the only thing an agent trusts. A boot
// environment gets the CA's SPKI hash by its boot arguments (DESIGN.md,
// "trust").
package pki

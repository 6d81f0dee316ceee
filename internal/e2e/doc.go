// Package e2e holds the tests that boot machines: real firmware in QEMU against
// the built 'bootyard serve' in a lab. They run when BOOTYARD_VM is 1 (those that
// belong to 'make test') or all, as root, and wait for marks on the console or
// for the appliance's word, never for seconds.
package e2e

// Package cli is the command line of bootyard. Execute takes everything it
// touches as arguments, so that tests run whole commands. Each command is a
// newXCommand that reads flags and a runX that does the work through the
// management API; only serve, lab, demo and the offline commands do not talk to
// an appliance.
//
// Messages follow three rules: results go to stdout, everything else to stderr;
// an error says what to do next; --json prints what the API said, nothing else.
package cli

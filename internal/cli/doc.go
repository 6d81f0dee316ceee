// Package cli is the command line of bootyard. Execute takes everything it
// touches as arguments, so that tests run whole commands; the transcripts below
// testdata do so against a real appliance, and docs/cli.md is written from the
// commands by Manual. Each command is made by a newXCommand and works through
// the management API; only serve, config, lab, demo, the image builders, doctor
// and sequence lint do work of their own.
//
// Messages follow three rules: results go to stdout, everything else to stderr;
// an error says what to do next; --json prints what the API said, nothing else.
// Exit codes are 0 done, 1 failed, 2 wrong usage, 3 wants to be confirmed.
package cli

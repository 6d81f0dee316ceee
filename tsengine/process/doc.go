// Package process runs the programs of steps: it splits command lines, bounds output, enforces timeouts, and ends the
// whole process tree when the time is up (TS-28, TS-100 to TS-102). [Runner] is the machine.Commands of both
// environments.
package process

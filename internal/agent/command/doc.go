// Package command is the command line of bootyard-agent: it makes the real machine's parts (consoles, clock, disks) and
// hands them to package agent.
package command

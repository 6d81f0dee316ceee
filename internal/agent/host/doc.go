// Package host is the machine that the agent runs on: what it says of itself (SMBIOS, network cards, firmware), its
// network, its clock, its consoles and its power. Everything that asks the operating system is behind the Machine
// interface, so that the agent's decisions are tested on a made-up machine.
package host

// Package wake sends magic packets to sleeping machines and paces them: how
// often a packet is repeated, with which pauses, and how many at once (WOL-8).
// Which machine is to be woken and when is not its business; its caller decides
// that and gets a record of every packet (WOL-10).
//
// Packets go by UDP to the broadcast address of the machine's last known subnet
// or, when none is known, to the broadcast address of every network that the
// appliance itself is on (WOL-4): a powered-off card has no address and no
// ARP entry, so nothing else reaches it.
package wake

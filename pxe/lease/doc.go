// Package lease keeps the IPv4 addresses that the DHCP server has given out.
//
// A lease belongs to the hardware address of the client, whatever client identifier firmware, loader and operating
// system send, so that one machine keeps one address through all stages of a boot. The table is written to a log file
// before an address is acknowledged and survives the death of the process. The package knows nothing of DHCP packets.
package lease

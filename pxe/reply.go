package pxe

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// maxFileField is what fits into the BOOTP file field with its closing zero; the codec cuts longer names silently.
	maxFileField = 127
	// maxReply is the largest UDP payload that fits an Ethernet frame unfragmented.
	maxReply = 1472
	// optIPXE is iPXE's encapsulated option space; 176 in it is no-pxedhcp, which saves iPXE 3 s.
	optIPXE = 175
)

var errTooLarge = errors.New("reply would be larger than one Ethernet frame")

// newReply begins a reply: transaction, hardware address, flags, giaddr, and options 82 (RFC 3046), 61 (RFC 6842) and
// 97 copied back.
func newReply(req *dhcpv4.DHCPv4, kind dhcpv4.MessageType, server netip.Addr) (*dhcpv4.DHCPv4, error) {
	r, err := dhcpv4.NewReplyFromRequest(req)
	if err != nil {
		return nil, fmt.Errorf("build reply: %w", err)
	}
	r.UpdateOption(dhcpv4.OptMessageType(kind))
	r.UpdateOption(dhcpv4.OptServerIdentifier(server.AsSlice()))
	if id := req.Options.Get(dhcpv4.OptionClientMachineIdentifier); len(id) > 0 {
		r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClientMachineIdentifier, id))
	}
	return r, nil
}

// setBoot puts the boot file where any of the known clients looks for it (netboot-facts section 2).
func setBoot(r *dhcpv4.DHCPv4, b boot, server netip.Addr) {
	r.ServerIPAddr = server.AsSlice()
	r.UpdateOption(dhcpv4.OptTFTPServerName(server.String()))
	r.UpdateOption(dhcpv4.OptBootFileName(b.file))
	if len(b.file) <= maxFileField {
		r.BootFileName = b.file
	}
	if b.class != "" {
		r.UpdateOption(dhcpv4.OptClassIdentifier(b.class))
	}
}

// setLease adds what a client needs for its address.
func setLease(r *dhcpv4.DHCPv4, addr netip.Addr, p Pool, d time.Duration) {
	r.YourIPAddr = addr.AsSlice()
	setNetwork(r, p)
	r.UpdateOption(dhcpv4.OptIPAddressLeaseTime(d))
	r.UpdateOption(dhcpv4.OptRenewTimeValue(d / 2))
	r.UpdateOption(dhcpv4.OptRebindingTimeValue(d * 7 / 8))
}

func setNetwork(r *dhcpv4.DHCPv4, p Pool) {
	r.UpdateOption(dhcpv4.OptSubnetMask(maskOf(p.Prefix)))
	r.UpdateOption(dhcpv4.OptBroadcastAddress(broadcastOf(p.Prefix).AsSlice()))
	if p.Router.Is4() {
		r.UpdateOption(dhcpv4.OptRouter(p.Router.AsSlice()))
	}
	if len(p.DNS) > 0 {
		var o []byte
		for _, a := range p.DNS {
			if a.Is4() {
				o = append(o, a.AsSlice()...)
			}
		}
		if len(o) > 0 {
			r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionDomainNameServer, o))
		}
	}
	if p.Domain != "" {
		r.UpdateOption(dhcpv4.OptDomainName(p.Domain))
	}
}

// setNoProxy tells iPXE not to wait for proxyDHCP offers. Never in proxy mode, where we are the proxy.
func setNoProxy(r *dhcpv4.DHCPv4) {
	r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(optIPXE), []byte{176, 1, 1, 0xff}))
}

// setProxy makes r the answer of a proxy: no address, option 60 as PXE 2.1 wants it, and for a BIOS the discovery
// control that says: boot the file you were given, show no menu.
func setProxy(r *dhcpv4.DHCPv4, req *dhcpv4.DHCPv4, m Machine) {
	class := classPXE
	if m.Loader == LoaderHTTP || strings.HasPrefix(string(req.Options.Get(dhcpv4.OptionClassIdentifier)), classHTTP) {
		class = classHTTP
	}
	r.UpdateOption(dhcpv4.OptClassIdentifier(class))
	if m.Firmware == BIOS {
		r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, []byte{6, 1, 8, 255}))
	}
}

// encode checks what the codec does not and returns the packet.
func encode(r *dhcpv4.DHCPv4) ([]byte, error) {
	b := r.ToBytes()
	if len(b) > maxReply {
		return nil, fmt.Errorf("%d bytes: %w", len(b), errTooLarge)
	}
	return b, nil
}

package step

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"net/netip"
)

// CaptureWindowsSettings is Capture Windows Settings: it keeps name, organisation and zone of the running system for
// Apply Windows Settings. It changes nothing outside the engine.
type CaptureWindowsSettings struct{}

// Contract implements Step.
func (CaptureWindowsSettings) Contract() Contract {
	return Contract{Type: "CaptureWindowsSettingsAction", Component: "OSDWindowsSettings"}
}

// Run implements Step.
func (CaptureWindowsSettings) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Capture == nil {
		return Failure(CodeEnvironment, errors.New("there is no installed system here whose settings could be captured; run the step in it, before the restart to the boot environment"))
	}
	s, err := c.Machine.Capture.CaptureSystem(ctx)
	if err != nil {
		return Failure(CodeFailed, fmt.Errorf("capture the system's settings: %w", err))
	}
	for _, part := range []struct {
		toggle string
		values [][2]string
	}{
		{"OSDMigrateComputerName", [][2]string{{"OSDComputerName", s.ComputerName}}},
		{"OSDMigrateRegistrationInfo", [][2]string{{"OSDRegisteredOrgName", s.RegisteredOrganisation}, {"OSDRegisteredUserName", s.RegisteredUser}}},
		{"OSDMigrateTimeZone", [][2]string{{"OSDTimeZone", s.TimeZone}}},
	} {
		on, err := c.InputBool(part.toggle, true)
		if err != nil {
			return Failure(CodeInvalid, err)
		}
		if !on {
			continue
		}
		if err := keep(c, part.values); err != nil {
			return Failure(CodeFailed, err)
		}
	}
	return Outcome{}
}

// keep sets what was found; a value that is not known leaves the variable alone.
func keep(c *Context, values [][2]string) error {
	for _, v := range values {
		if v[1] == "" {
			continue
		}
		if err := c.Variables.Set(v[0], v[1]); err != nil {
			return err
		}
		c.Log(smstslog.Info, fmt.Sprintf("Captured %s: %s", v[0], v[1]))
	}
	return nil
}

// CaptureNetworkSettings is Capture Network Settings: membership and adapters of the running system for Apply Network
// Settings.
type CaptureNetworkSettings struct{}

// Contract implements Step.
func (CaptureNetworkSettings) Contract() Contract {
	return Contract{Type: "CaptureNetworkSettingsAction", RunIn: sequence.FullOS, Component: "OSDNetSettings"}
}

// Run implements Step.
func (CaptureNetworkSettings) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Capture == nil {
		return Failure(CodeEnvironment, errors.New("there is no installed system here whose settings could be captured (TS-21)"))
	}
	membership, err := c.InputBool("OSDMigrateNetworkMembership", true)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	adapters, err := c.InputBool("OSDMigrateAdapterSettings", true)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	n, err := c.Machine.Capture.CaptureNetwork(ctx)
	if err != nil {
		return Failure(CodeFailed, fmt.Errorf("capture the network settings: %w", err))
	}
	var values [][2]string
	if membership {
		switch n.Join {
		case machine.JoinDomain:
			values = append(values, [2]string{"OSDNetworkJoinType", "0"}, [2]string{"OSDDomainName", n.Domain}, [2]string{"OSDDomainOUName", n.OU})
		case machine.JoinWorkgroup:
			values = append(values, [2]string{"OSDNetworkJoinType", "1"}, [2]string{"OSDWorkgroupName", n.Workgroup})
		}
	}
	if adapters {
		values = append(values, [2]string{"OSDDNSDomain", n.DNSDomain}, [2]string{"OSDDNSSuffixSearchOrder", strings.Join(n.SuffixSearch, ",")},
			[2]string{"OSDAdapterCount", strconv.Itoa(len(n.Adapters))})
		for i, a := range n.Adapters {
			values = append(values, adapterVariables("OSDAdapter"+strconv.Itoa(i), i, a)...)
		}
	}
	if err := keep(c, values); err != nil {
		return Failure(CodeFailed, err)
	}
	return Outcome{}
}

func adapterVariables(prefix string, i int, a machine.Adapter) [][2]string {
	out := [][2]string{{prefix + "Index", strconv.Itoa(i)}, {prefix + "Name", a.Name}, {prefix + "MacAddress", a.MAC}, {prefix + "EnableDHCP", strconv.FormatBool(a.DHCP)},
		{prefix + "DNSDomain", a.DNSDomain}}
	if a.NetBIOSOptions != nil {
		out = append(out, [2]string{prefix + "TcpipNetbiosOptions", strconv.Itoa(*a.NetBIOSOptions)})
	}
	if a.DHCP {
		return out
	}
	var addresses, masks []string
	for _, text := range a.Addresses {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			continue
		}
		addresses = append(addresses, p.Addr().String())
		masks = append(masks, maskOf(p))
	}
	return append(out, [2]string{prefix + "IPAddressList", strings.Join(addresses, ",")}, [2]string{prefix + "SubnetMask", strings.Join(masks, ",")},
		[2]string{prefix + "Gateways", strings.Join(a.Gateways, ",")}, [2]string{prefix + "DNSServerList", strings.Join(a.DNSServers, ",")})
}

// maskOf is dotted for IPv4, the length of the prefix for IPv6.
func maskOf(p netip.Prefix) string {
	if !p.Addr().Is4() {
		return strconv.Itoa(p.Bits())
	}
	m := ^uint32(0) << (32 - p.Bits())
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

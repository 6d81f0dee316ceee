package simulate

import (
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/fact"
)

// Describe makes a machine of a fact sheet. What rules ask about make, model, serial number and addresses comes from the
// WMI classes that hold it (TS-96).
func Describe(s *fact.Sheet) Machine {
	m := Machine{Variables: s.Variables, ExitCodes: s.ExitCodes, Facts: s, Files: s}
	switch s.Environment {
	case "winpe":
		m.Environment = tsengine.WinPE
	case "fullos":
		m.Environment = tsengine.FullOS
	}
	first := func(class, property string) string { return strings.Join(list(s, class, property, 1), "") }
	m.Hardware = tsengine.Hardware{
		Make: first("Win32_ComputerSystem", "Manufacturer"), Model: first("Win32_ComputerSystem", "Model"),
		SerialNumber: first("Win32_BIOS", "SerialNumber"), AssetTag: first("Win32_SystemEnclosure", "SMBIOSAssetTag"),
		UUID:            first("Win32_ComputerSystemProduct", "UUID"),
		MACAddresses:    list(s, "Win32_NetworkAdapterConfiguration", "MACAddress", maxAddresses),
		IPAddresses:     list(s, "Win32_NetworkAdapterConfiguration", "IPAddress", maxAddresses),
		DefaultGateways: list(s, "Win32_NetworkAdapterConfiguration", "DefaultIPGateway", maxAddresses),
	}
	if len(m.Hardware.MACAddresses) == 0 {
		m.Hardware.MACAddresses = list(s, "Win32_NetworkAdapter", "MACAddress", maxAddresses)
	}
	return m
}

const maxAddresses = 64

// list collects a property of all instances of a class; a list counts with each of its values.
func list(s *fact.Sheet, class, property string, most int) []string {
	c := s.Class("", class)
	if c == nil {
		return nil
	}
	var out []string
	for _, instance := range c.Instances {
		value, _ := instance.Property(property)
		several, ok := value.([]any)
		if !ok {
			several = []any{value}
		}
		for _, v := range several {
			if v != nil && fmt.Sprint(v) != "" && len(out) < most {
				out = append(out, fmt.Sprint(v))
			}
		}
	}
	return out
}

package winfact

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/bootyard/bootyard/tsengine/fact"
)

// classes are those that conditions and the appliance ask for most (TS-76), with their namespaces.
var classes = []struct{ namespace, name string }{
	{"", "Win32_ComputerSystem"}, {"", "Win32_ComputerSystemProduct"}, {"", "Win32_BaseBoard"}, {"", "Win32_BIOS"}, {"", "Win32_SystemEnclosure"},
	{"", "Win32_PhysicalMemory"}, {"", "Win32_Processor"}, {"", "Win32_OperatingSystem"}, {"", "Win32_NetworkAdapter"},
	{"", "Win32_NetworkAdapterConfiguration"}, {"", "Win32_DiskDrive"}, {"", "Win32_LogicalDisk"}, {"", "Win32_Battery"},
	{`root\cimv2\Security\MicrosoftTpm`, "Win32_Tpm"}, {`root\Microsoft\Windows\Storage`, "MSFT_PhysicalDisk"},
}

// Bounds of gathering.
const (
	gatherTime  = 2 * time.Minute
	maxGathered = 256 // instances of a class
)

// Gather makes the fact sheet of this Windows from WMI. Without WMI it knows the operating system only. environment is
// winpe or fullos.
func Gather(ctx context.Context, environment string) *fact.Sheet {
	ctx, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	sheet := &fact.Sheet{Environment: environment}
	for _, c := range classes {
		list, err := Query(ctx, c.namespace, "SELECT * FROM "+c.name, maxGathered)
		if err != nil {
			continue // unknown, as it is to conditions
		}
		sheet.Add(c.namespace, c.name, list...)
	}
	if c := sheet.Class("", "Win32_OperatingSystem"); c == nil || len(c.Instances) == 0 {
		sheet.Add("", "Win32_OperatingSystem", operatingSystem())
	}
	return sheet
}

// operatingSystem is Win32_OperatingSystem where WMI is missing or slow.
func operatingSystem() fact.Instance {
	v := windows.RtlGetVersion()
	var i fact.Instance
	i.Set("Caption", "Microsoft Windows")
	if key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, registry.QUERY_VALUE|registry.WOW64_64KEY); err == nil {
		if name, _, err := key.GetStringValue("ProductName"); err == nil {
			i.Set("Caption", "Microsoft "+name)
		}
		_ = key.Close()
	}
	i.Set("Version", fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber))
	i.Set("BuildNumber", strconv.FormatUint(uint64(v.BuildNumber), 10))
	i.Set("OSType", int64(18))
	i.Set("ProductType", int64(v.ProductType))
	i.Set("OSArchitecture", architecture())
	i.Set("ServicePackMajorVersion", int64(v.ServicePackMajor))
	i.Set("ServicePackMinorVersion", int64(v.ServicePackMinor))
	if name, err := os.Hostname(); err == nil {
		i.Set("CSName", name)
	}
	return i
}

// architecture is that of Windows, whatever this program was built for.
func architecture() string {
	const x86, arm64 = 0x014C, 0xAA64
	var process, native uint16
	_ = windows.IsWow64Process2(windows.CurrentProcess(), &process, &native)
	switch native {
	case arm64:
		return "ARM 64-bit"
	case x86:
		return "32-bit"
	}
	return "64-bit"
}

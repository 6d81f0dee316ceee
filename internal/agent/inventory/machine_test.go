package inventory_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/inventory"
	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// table builds an SMBIOS structure: its type, its formatted part behind the header, its strings.
func table(kind byte, formatted []byte, texts ...string) []byte {
	out := append([]byte{kind, byte(4 + len(formatted)), 0, 0}, formatted...)
	for _, t := range texts {
		out = append(append(out, t...), 0)
	}
	if len(texts) == 0 {
		out = append(out, 0)
	}
	return append(out, 0)
}

// part is the formatted part of a structure: bytes at offsets counted from the header, as in the specification.
func part(length int, at map[int]byte) []byte {
	b := make([]byte, length-4)
	for offset, v := range at {
		b[offset-4] = v
	}
	return b
}

// laptop writes the files of a machine: an UEFI laptop with two cards, an NVMe disk, a USB stick, a battery and a TPM.
func laptop(t *testing.T) string {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	link := func(name, target string) {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
		require.NoError(t, os.Symlink(target, filepath.Join(root, name)))
	}
	system := part(0x1b, map[int]byte{4: 1, 5: 2, 6: 3, 7: 4, 8: 0x33, 9: 0x22, 10: 0x11, 11: 0, 12: 0x55, 13: 0x44, 14: 0x77, 15: 0x66, 16: 0x88, 23: 0xff, 0x19: 5, 0x1a: 6})
	module := part(0x22, map[int]byte{0xc: 0xff, 0xd: 0x7f, 0xe: 0xd, 0x10: 1, 0x11: 2, 0x12: 26, 0x15: 0x80, 0x16: 0xc, 0x17: 3, 0x1a: 4, 0x1d: 0x40, 0x20: 0x80, 0x21: 0xc})
	empty := part(0x22, map[int]byte{0x10: 1})
	var dmi []byte
	for _, s := range [][]byte{
		table(0, part(0x18, map[int]byte{4: 1, 5: 2, 8: 3, 0x14: 1, 0x15: 27, 0x16: 2, 0x17: 9}), "Dell Inc.", "1.27.1", "03/14/2024"),
		table(1, system, "Dell Inc.", "Latitude 7420 ", "Rev 3", "SN12345", "0A36", "Latitude"),
		table(2, part(8, map[int]byte{4: 1, 5: 2, 6: 3, 7: 4}), "Dell Inc.", "0XYZ", "A00", "BOARD1"),
		table(3, part(9, map[int]byte{4: 1, 5: 0x8a, 6: 2, 7: 3, 8: 4}), "Dell Inc.", "v1", "SN12345", "ASSET-7"),
		table(4, part(0x1a, map[int]byte{4: 1, 0x16: 0xf0, 0x17: 0x0a, 0x18: 0x41}), "U3E1"),
		table(11, part(5, map[int]byte{4: 2}), "Dell System", "1[0A36]"),
		table(17, module, "DIMM A", "BANK 0", "Samsung", "M471"), table(17, empty, "DIMM B"), table(127, nil),
	} {
		dmi = append(dmi, s...)
	}
	write("/sys/firmware/dmi/tables/DMI", string(dmi))
	write("/sys/firmware/dmi/tables/smbios_entry_point", "_SM3_\x00\x18\x03\x04\x00")
	header := make([]byte, 36)
	copy(header, "FACP")
	copy(header[10:], "DELL  ")
	binary.LittleEndian.PutUint32(header[24:], 0x1072009)
	write("/sys/firmware/acpi/tables/FACP", string(header))
	write("/proc/meminfo", "MemTotal:       16124680 kB\nMemAvailable:   8000000 kB\n")
	cpuinfo := ""
	for _, core := range []string{"0", "0", "1", "1"} {
		cpuinfo += "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 140\nmodel name\t: 11th Gen Intel(R) Core(TM) i5\nstepping\t: 1\n" +
			"cpu MHz\t\t: 400.1\nphysical id\t: 0\ncore id\t\t: " + core + "\nflags\t\t: fpu vmx ept lm\n\n"
	}
	write("/proc/cpuinfo", cpuinfo)
	write("/proc/stat", "cpu 1 2 3\nbtime 1700000000\n")
	write("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
	write("/etc/os-release", "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")
	write("/etc/resolv.conf", "# x\nsearch lab.example\nnameserver 10.0.0.53\n")
	write("/proc/net/route", "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\neth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n")
	write("/proc/net/ipv6_route", "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n")
	for name, mac := range map[string]string{"eth0": "52:54:00:aa:bb:cc", "wlan0": "52:54:00:dd:ee:ff"} {
		write("/sys/class/net/"+name+"/address", mac+"\n")
		write("/sys/class/net/"+name+"/type", "1\n")
		write("/sys/class/net/"+name+"/device/vendor", "0x8086\n")
		write("/sys/class/net/"+name+"/device/device", "0x15fb\n")
		write("/sys/class/net/"+name+"/device/subsystem_vendor", "0x1028\n")
		write("/sys/class/net/"+name+"/device/subsystem_device", "0x0a36\n")
		write("/sys/class/net/"+name+"/device/revision", "0x20\n")
	}
	write("/sys/class/net/eth0/operstate", "up\n")
	write("/sys/class/net/eth0/speed", "1000\n")
	write("/sys/class/net/wlan0/operstate", "down\n")
	write("/sys/class/net/wlan0/wireless/x", "")
	write("/sys/class/net/br0/address", "52:54:00:00:00:01\n") // no hardware
	link("/sys/class/net/eth0/device/driver", "../../bus/pci/drivers/e1000e")
	write("/sys/block/nvme0n1/size", "1000215216\n")
	write("/sys/block/nvme0n1/device/model", "PM9A1 NVMe Samsung 512GB\n")
	write("/sys/block/nvme0n1/device/serial", "S6XY\n")
	write("/sys/block/nvme0n1/device/firmware_rev", "36309039\n")
	write("/sys/block/nvme0n1/queue/rotational", "0\n")
	write("/sys/block/nvme0n1/queue/logical_block_size", "512\n")
	write("/sys/devices/pci0/usb1/1-1/block/sda/size", "60000000\n")
	write("/sys/devices/pci0/usb1/1-1/block/sda/removable", "1\n")
	write("/sys/devices/pci0/usb1/1-1/block/sda/device/vendor", "SanDisk\n")
	write("/sys/devices/pci0/usb1/1-1/block/sda/device/model", "Ultra\n")
	link("/sys/block/sda", "../devices/pci0/usb1/1-1/block/sda")
	write("/sys/block/loop0/size", "100\n")
	write("/sys/class/power_supply/BAT0/type", "Battery\n")
	write("/sys/class/power_supply/BAT0/status", "Discharging\n")
	write("/sys/class/power_supply/BAT0/capacity", "80\n")
	write("/sys/class/power_supply/BAT0/technology", "Li-ion\n")
	write("/sys/class/power_supply/mouse/type", "Battery\n")
	write("/sys/class/power_supply/mouse/scope", "Device\n")
	write("/sys/class/power_supply/AC/type", "Mains\n")
	write("/sys/class/tpm/tpm0/tpm_version_major", "2\n")
	write("/sys/bus/pci/devices/0000:00:1f.6/vendor", "0x8086\n")
	write("/sys/bus/pci/devices/0000:00:1f.6/device", "0x15fb\n")
	write("/sys/bus/pci/devices/0000:00:1f.6/subsystem_vendor", "0x1028\n")
	write("/sys/bus/pci/devices/0000:00:1f.6/subsystem_device", "0x0a36\n")
	return root
}

func gather(root string) *fact.Sheet {
	return inventory.Gather(inventory.Options{Root: root, Arch: "amd64", Environment: "fullos", HostName: "lab-7", Addresses: func(card string) []netip.Prefix {
		if card != "eth0" {
			return nil
		}
		return []netip.Prefix{netip.MustParsePrefix("10.0.0.9/24"), netip.MustParsePrefix("fe80::1/64")}
	}})
}

func holds(t *testing.T, s *fact.Sheet, namespace, query string) condition.Verdict {
	t.Helper()
	x := &sequence.Expression{Type: "SMS_TaskSequence_WMIConditionExpression", Fields: []sequence.Variable{{Name: "Namespace", Value: namespace}, {Name: "Query", Value: query}}}
	e := condition.Evaluator{Variables: variable.New(), Facts: s, Warn: func(w string) { t.Log("warning: " + w) }}
	v, err := e.Evaluate(t.Context(), &sequence.Condition{Operands: []sequence.Operand{{Expression: x}}})
	require.NoError(t, err, query)
	return v
}

// Conditions as they are written for Windows hold on the Linux machine they describe.
func TestTS76Laptop(t *testing.T) {
	s := gather(laptop(t))
	for _, query := range []string{
		"SELECT * FROM Win32_ComputerSystem WHERE Manufacturer = 'Dell Inc.' AND Model = 'Latitude 7420' AND SystemSKUNumber = '0A36' AND SystemFamily = 'Latitude'",
		"SELECT * FROM Win32_ComputerSystem WHERE TotalPhysicalMemory > 8589934592 AND PCSystemType = 2 AND SystemType LIKE 'x64%' AND NumberOfProcessors = 1 AND NumberOfLogicalProcessors = 4",
		"SELECT * FROM Win32_ComputerSystem WHERE HypervisorPresent = FALSE AND Name = 'LAB-7' AND OEMStringArray = '1[0A36]'",
		"SELECT * FROM Win32_ComputerSystemProduct WHERE Version LIKE 'Rev%' AND UUID = '00112233-4455-6677-8800-0000000000FF' AND IdentifyingNumber = 'SN12345'",
		"SELECT * FROM Win32_BaseBoard WHERE Product = '0XYZ' AND SerialNumber = 'BOARD1' AND Version = 'A00' AND Manufacturer LIKE 'Dell%'",
		"SELECT * FROM Win32_BIOS WHERE SMBIOSBIOSVersion = '1.27.1' AND ReleaseDate > '20240101000000.000000+000' AND SMBIOSMajorVersion = 3 AND SMBIOSMinorVersion >= 4",
		"SELECT * FROM Win32_BIOS WHERE Version = 'DELL   - 1072009' AND SystemBiosMinorVersion = 27 AND EmbeddedControllerMinorVersion = 9 AND SerialNumber LIKE 'SN%'",
		"SELECT * FROM Win32_SystemEnclosure WHERE (ChassisTypes = 9 OR ChassisTypes = 10) AND SMBIOSAssetTag = 'ASSET-7' AND LockPresent = TRUE",
		"SELECT * FROM Win32_Processor WHERE Architecture = 9 AND AddressWidth = 64 AND MaxClockSpeed = 2800 AND NumberOfCores = 2 AND NumberOfLogicalProcessors = 4",
		"SELECT * FROM Win32_Processor WHERE Name LIKE '%i5%' AND SocketDesignation = 'U3E1' AND Caption = 'Intel64 Family 6 Model 140 Stepping 1' AND VirtualizationFirmwareEnabled = TRUE",
		"SELECT * FROM Win32_PhysicalMemory WHERE Capacity = 17179869184 AND Speed = 3200 AND DeviceLocator = 'DIMM A' AND FormFactor = 12 AND PartNumber = 'M471'",
		"SELECT * FROM Win32_OperatingSystem WHERE Caption LIKE 'Debian%' AND Version = '12' AND OSArchitecture LIKE '64%' AND OSType = 36 AND BuildNumber LIKE '6.1.0%' AND LastBootUpTime LIKE '20231114%'",
		"SELECT * FROM Win32_NetworkAdapter WHERE NetConnectionID = 'eth0' AND MACAddress = '52:54:00:AA:BB:CC' AND NetConnectionStatus = 2 AND Speed = 1000000000 AND ServiceName = 'e1000e'",
		`SELECT * FROM Win32_NetworkAdapter WHERE PNPDeviceID LIKE 'PCI\\VEN_8086&DEV_15FB&SUBSYS_0A361028&REV_20%'`,
		"SELECT * FROM Win32_NetworkAdapter WHERE AdapterTypeId = 9 AND NetConnectionID = 'wlan0' AND NetEnabled = FALSE",
		"SELECT * FROM Win32_NetworkAdapterConfiguration WHERE IPEnabled = TRUE AND DefaultIPGateway = '10.0.0.1' AND IPAddress LIKE '10.0.0.%' AND IPSubnet = '255.255.255.0' AND DNSDomain = 'lab.example'",
		"SELECT * FROM Win32_NetworkAdapterConfiguration WHERE DefaultIPGateway[1] = 'fe80::1' AND DNSServerSearchOrder[0] = '10.0.0.53'",
		"SELECT * FROM Win32_Battery WHERE BatteryStatus = 1 AND EstimatedChargeRemaining = 80 AND Chemistry = 6",
		`SELECT * FROM Win32_DiskDrive WHERE Index = 0 AND Size = 512110190592 AND Model LIKE '%NVMe%' AND SerialNumber = 'S6XY' AND FirmwareRevision = '36309039' AND DeviceID = '\\\\.\\PHYSICALDRIVE0'`,
		"SELECT * FROM Win32_DiskDrive WHERE InterfaceType = 'USB' AND MediaType = 'Removable Media' AND Model = 'SanDisk Ultra'",
		"SELECT * FROM Win32_PnPEntity WHERE DeviceID LIKE '%VEN_8086&DEV_15FB%'",
	} {
		v := holds(t, s, `root\cimv2`, query)
		require.True(t, v.Holds, "%s: %s", query, v.Reason)
	}
	require.True(t, holds(t, s, `root\cimv2\Security\MicrosoftTpm`, "SELECT * FROM Win32_Tpm WHERE SpecVersion LIKE '2.0%' AND IsEnabled_InitialValue = TRUE").Holds)
	require.True(t, holds(t, s, `root\Microsoft\Windows\Storage`, "SELECT * FROM MSFT_PhysicalDisk WHERE BusType = 17 AND MediaType = 4").Holds)
	require.False(t, holds(t, s, `root\cimv2`, "SELECT * FROM Win32_OperatingSystem WHERE Version LIKE '1%' AND OSType = 18").Holds)
	for class, n := range map[string]int{"Win32_NetworkAdapter": 2, "Win32_DiskDrive": 2, "Win32_Battery": 1, "Win32_Processor": 1, "Win32_PhysicalMemory": 1} {
		require.Len(t, s.Class("", class).Instances, n, class)
	}
	data, err := s.YAML()
	require.NoError(t, err)
	back, err := fact.Parse(data)
	require.NoError(t, err)
	require.Equal(t, s.Classes, back.Classes, "what is printed is what was gathered")
}

// A machine that tells nothing has the classes that are known to be empty, and no question ends in an error.
func TestBareMachine(t *testing.T) {
	s := gather(t.TempDir())
	require.False(t, holds(t, s, `root\cimv2`, "SELECT * FROM Win32_Battery").Holds)
	require.False(t, holds(t, s, `root\cimv2\security\microsofttpm`, "SELECT * FROM Win32_Tpm").Holds)
	require.False(t, holds(t, s, ``, "SELECT * FROM Win32_ComputerSystem WHERE Model LIKE '%'").Holds)
	require.True(t, holds(t, s, ``, "SELECT * FROM Win32_ComputerSystem").Holds)
}

// Where the SMBIOS table may not be read, the kernel's copy answers.
func TestWithoutTable(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "/sys/class/dmi/id")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for name, text := range map[string]string{"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9, 2009)", "chassis_type": "1", "bios_version": "edk2", "bios_date": "02/06/2015", "product_uuid": "00112233-4455-6677-8899-aabbccddeeff"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600))
	}
	s := gather(root)
	for _, query := range []string{
		"SELECT * FROM Win32_ComputerSystem WHERE Manufacturer = 'QEMU' AND Model LIKE 'Standard PC%' AND PCSystemType = 1", "SELECT * FROM Win32_SystemEnclosure WHERE ChassisTypes = 1",
		"SELECT * FROM Win32_BIOS WHERE SMBIOSBIOSVersion = 'edk2' AND ReleaseDate = '20150206000000.000000+000'", "SELECT * FROM Win32_ComputerSystemProduct WHERE UUID LIKE '%AABBCCDDEEFF'",
	} {
		v := holds(t, s, "", query)
		require.True(t, v.Holds, "%s: %s", query, v.Reason)
	}
}

// Firmware writes what it likes.
func FuzzSMBIOS(f *testing.F) {
	f.Add(table(1, part(0x1b, map[int]byte{4: 1, 5: 200, 6: 3}), "Dell"))
	f.Add(table(17, part(0x22, map[int]byte{0xc: 0xff, 0xd: 0x7f}), "a"))
	f.Add([]byte{3, 5, 0, 0, 1, 0, 0})
	root := f.TempDir()
	path := filepath.Join(root, "/sys/firmware/dmi/tables")
	require.NoError(f, os.MkdirAll(path, 0o755))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(path, "DMI"), data, 0o600))
		s := gather(root)
		text, err := s.YAML()
		require.NoError(t, err)
		_, err = fact.Parse(text)
		require.NoError(t, err)
	})
}

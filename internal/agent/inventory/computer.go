package inventory

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// computer is Win32_ComputerSystem, Win32_ComputerSystemProduct and Win32_BaseBoard.
func (g *gatherer) computer() {
	var c instance
	c.text("Name", strings.ToUpper(g.HostName))
	c.text("DNSHostName", g.HostName)
	vendor, model := g.dmi(1, 4, "sys_vendor"), g.dmi(1, 5, "product_name")
	c.text("Manufacturer", vendor)
	c.text("Model", model)
	c.text("SystemFamily", g.dmi(1, 0x1a, "product_family"))
	c.text("SystemSKUNumber", g.dmi(1, 0x19, "product_sku"))
	c.positive("TotalPhysicalMemory", g.meminfo("MemTotal")*1024)
	sockets, threads := g.counts()
	c.positive("NumberOfProcessors", sockets)
	c.positive("NumberOfLogicalProcessors", threads)
	c.text("SystemType", map[string]string{"amd64": "x64-based PC", "arm64": "ARM64-based PC", "386": "X86-based PC"}[g.Arch])
	kind := int64(1) // desktop
	for _, chassis := range g.chassis() {
		switch chassis {
		case 8, 9, 10, 11, 12, 14, 30, 31, 32:
			kind = 2 // mobile
		case 17, 23, 25, 28, 29:
			kind = 4 // server
		}
	}
	c.Set("PCSystemType", kind)
	c.Set("PCSystemTypeEx", kind)
	c.Set("HypervisorPresent", g.hasFlag("hypervisor"))
	c.Set("PartOfDomain", false)
	c.Set("Domain", "WORKGROUP")
	c.Set("Workgroup", "WORKGROUP")
	c.Set("DomainRole", int64(0))
	var oem []string
	if s := g.first(11); s.kind == 11 { // OEM strings
		for _, t := range s.strings {
			if t := clean(string(t)); t != "" {
				oem = append(oem, t)
			}
		}
	}
	c.list("OEMStringArray", oem)
	g.add("Win32_ComputerSystem", c)

	var p instance
	p.text("Vendor", vendor)
	p.text("Name", model)
	p.text("Version", g.dmi(1, 6, "product_version"))
	p.text("IdentifyingNumber", g.dmi(1, 7, "product_serial"))
	p.text("UUID", g.uuid())
	g.add("Win32_ComputerSystemProduct", p)

	var b instance
	b.text("Manufacturer", g.dmi(2, 4, "board_vendor"))
	b.text("Product", g.dmi(2, 5, "board_name"))
	b.text("Version", g.dmi(2, 6, "board_version"))
	b.text("SerialNumber", g.dmi(2, 7, "board_serial"))
	if len(b.Instance) > 0 {
		g.add("Win32_BaseBoard", b)
	} else {
		g.add("Win32_BaseBoard")
	}
}

// uuid has its first three fields in little endian since SMBIOS 2.6.
func (g *gatherer) uuid() string {
	if s := g.first(1); len(s.data) >= 0x18 {
		b := s.data[8:24]
		return fmt.Sprintf("%08X-%04X-%04X-%X-%X", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
			binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
	}
	return strings.ToUpper(g.text("/sys/class/dmi/id/product_uuid"))
}

// firmware is Win32_BIOS.
func (g *gatherer) firmware() {
	var b instance
	version := g.dmi(0, 5, "bios_version")
	b.text("Name", version)
	b.text("Manufacturer", g.dmi(0, 4, "bios_vendor"))
	b.text("SMBIOSBIOSVersion", version)
	b.text("SerialNumber", g.dmi(1, 7, "product_serial"))
	b.text("Version", g.acpiVersion())
	if v := g.acpiVersion(); v != "" && version != "" {
		b.list("BIOSVersion", []string{v, version})
	}
	b.text("ReleaseDate", cimDate(g.dmi(0, 8, "bios_date")))
	major, minor, known := g.smbiosVersion()
	b.number("SMBIOSMajorVersion", major, known)
	b.number("SMBIOSMinorVersion", minor, known)
	b.Set("SMBIOSPresent", true)
	b.Set("PrimaryBIOS", true)
	if s := g.first(0); len(s.data) >= 0x18 {
		b.Set("SystemBiosMajorVersion", int64(s.byte(0x14)))
		b.Set("SystemBiosMinorVersion", int64(s.byte(0x15)))
		b.Set("EmbeddedControllerMajorVersion", int64(s.byte(0x16)))
		b.Set("EmbeddedControllerMinorVersion", int64(s.byte(0x17)))
	}
	g.add("Win32_BIOS", b)
}

// acpiVersion is what Windows calls the version of the BIOS: the maker's id and revision in an ACPI table's header (ACPI
// specification, 5.2.6), such as "LENOVO - 1360".
func (g *gatherer) acpiVersion() string {
	header := g.read("/sys/firmware/acpi/tables/FACP")
	if len(header) < 36 {
		return ""
	}
	id := strings.TrimRight(header[10:16], "\x00")
	return clean(fmt.Sprintf("%-6s - %x", id, binary.LittleEndian.Uint32([]byte(header[24:28]))))
}

func (g *gatherer) smbiosVersion() (major, minor int64, known bool) {
	switch entry := g.read("/sys/firmware/dmi/tables/smbios_entry_point"); {
	case strings.HasPrefix(entry, "_SM3_") && len(entry) > 8:
		return int64(entry[7]), int64(entry[8]), true
	case strings.HasPrefix(entry, "_SM_") && len(entry) > 7:
		return int64(entry[6]), int64(entry[7]), true
	}
	return 0, 0, false
}

// cimDate turns mm/dd/yyyy into a CIM time.
func cimDate(s string) string {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || len(parts[0]) != 2 || len(parts[1]) != 2 || len(parts[2]) != 4 {
		return ""
	}
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 10, 32); err != nil {
			return ""
		}
	}
	return parts[2] + parts[0] + parts[1] + "000000.000000+000"
}

// chassis are the types of the machine's enclosures; the highest bit of the byte is the lock.
func (g *gatherer) chassis() []int {
	var types []int
	for _, s := range g.smbios {
		if s.kind == 3 && len(s.data) > 5 {
			types = append(types, s.byte(5)&0x7f)
		}
	}
	if n, ok := g.number("/sys/class/dmi/id/chassis_type"); ok && len(types) == 0 {
		types = append(types, int(n))
	}
	return types
}

// enclosure is Win32_SystemEnclosure, an instance for each.
func (g *gatherer) enclosure() {
	var list []instance
	for _, s := range g.smbios {
		if s.kind != 3 || len(s.data) < 9 {
			continue
		}
		var e instance
		e.Set("ChassisTypes", []any{int64(s.byte(5) & 0x7f)})
		e.Set("LockPresent", s.byte(5)&0x80 != 0)
		e.text("Manufacturer", s.text(4))
		e.text("Version", s.text(6))
		e.text("SerialNumber", s.text(7))
		e.text("SMBIOSAssetTag", s.text(8))
		list = append(list, e)
	}
	if types := g.chassis(); len(list) == 0 && len(types) > 0 {
		var e instance
		e.Set("ChassisTypes", []any{int64(types[0])})
		e.text("Manufacturer", g.text("/sys/class/dmi/id/chassis_vendor"))
		e.text("Version", g.text("/sys/class/dmi/id/chassis_version"))
		e.text("SerialNumber", g.text("/sys/class/dmi/id/chassis_serial"))
		e.text("SMBIOSAssetTag", g.text("/sys/class/dmi/id/chassis_asset_tag"))
		list = append(list, e)
	}
	g.add("Win32_SystemEnclosure", list...)
}

// memory is Win32_PhysicalMemory, an instance for each module (DSP0134, 7.18).
func (g *gatherer) memory() {
	var list []instance
	for _, s := range g.smbios {
		if s.kind != 17 || len(s.data) < 0x15 {
			continue
		}
		size := int64(s.word(0xc))
		switch {
		case size == 0 || size == 0xffff: // empty slot, unknown
			continue
		case size == 0x7fff:
			size = (s.dword(0x1c) & 0x7fffffff) << 20
		case size&0x8000 != 0:
			size = (size & 0x7fff) << 10
		default:
			size <<= 20
		}
		var m instance
		m.positive("Capacity", size)
		m.text("DeviceLocator", s.text(0x10))
		m.text("BankLabel", s.text(0x11))
		m.positive("FormFactor", map[int]int64{9: 8, 0xd: 12}[s.byte(0xe)]) // DIMM, SODIMM in CIM's numbers
		m.positive("SMBIOSMemoryType", int64(s.byte(0x12)))
		m.positive("Speed", int64(s.word(0x15)))
		m.positive("ConfiguredClockSpeed", int64(s.word(0x20)))
		m.text("Manufacturer", s.text(0x17))
		m.text("SerialNumber", s.text(0x18))
		m.text("PartNumber", s.text(0x1a))
		list = append(list, m)
	}
	if len(g.smbios) > 0 {
		g.add("Win32_PhysicalMemory", list...)
	}
}

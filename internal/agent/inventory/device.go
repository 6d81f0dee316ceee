package inventory

import (
	"fmt"
	"strings"
)

// pnp is the id by which Windows knows a PCI device: makers, model and revision, then where it is plugged in.
func (g *gatherer) pnp(device, place string) string {
	hex := func(file string) string {
		return strings.ToUpper(strings.TrimPrefix(g.text(device+"/"+file), "0x"))
	}
	vendor, model := hex("vendor"), hex("device")
	if len(vendor) != 4 || len(model) != 4 || hex("subsystem_vendor") == "" { // not a PCI device: virtio counts its own way
		return ""
	}
	revision := hex("revision")
	if revision == "" {
		revision = "00"
	}
	return fmt.Sprintf(`PCI\VEN_%s&DEV_%s&SUBSYS_%04s%04s&REV_%s\%s`, vendor, model, hex("subsystem_device"), hex("subsystem_vendor"), revision,
		strings.ToUpper(place))
}

// devices is Win32_PnPEntity with the PCI devices, which driver conditions ask for.
func (g *gatherer) devices() {
	var list []instance
	for _, place := range g.names("/sys/bus/pci/devices") {
		id := g.pnp("/sys/bus/pci/devices/"+place, place)
		if id == "" {
			continue
		}
		var d instance
		d.Set("DeviceID", id)
		d.Set("PNPDeviceID", id)
		whole, _, _ := strings.Cut(strings.TrimPrefix(id, `PCI\`), `\`)
		parts := strings.Split(whole, "&")
		d.list("HardwareID", []string{`PCI\` + whole, `PCI\` + strings.Join(parts[:3], "&"), `PCI\` + strings.Join(parts[:2], "&")})
		if class := strings.ToUpper(strings.TrimPrefix(g.text("/sys/bus/pci/devices/"+place+"/class"), "0x")); len(class) == 6 {
			d.list("CompatibleID", []string{`PCI\` + parts[0] + "&CC_" + class, `PCI\CC_` + class, `PCI\CC_` + class[:4]})
		}
		d.text("Service", g.link("/sys/bus/pci/devices/"+place+"/driver"))
		d.Set("Present", true)
		list = append(list, d)
	}
	g.add("Win32_PnPEntity", list...)
}

// disks is Win32_DiskDrive and MSFT_PhysicalDisk, an instance for each disk that is no loop, memory or mapped device.
func (g *gatherer) disks() {
	var drives, physical []instance
	for _, name := range g.names("/sys/block") {
		base := "/sys/block/" + name
		sectors, ok := g.number(base + "/size")
		if !ok || sectors == 0 || !g.exists(base+"/device") || strings.HasPrefix(name, "sr") || strings.HasPrefix(name, "fd") {
			continue
		}
		index, size := int64(len(drives)), sectors*512 // sysfs counts in 512 bytes whatever the disk does
		bus := g.bus(name)
		removable := g.text(base+"/removable") == "1"
		var d instance
		d.Set("Index", index)
		d.Set("DeviceID", fmt.Sprintf(`\\.\PHYSICALDRIVE%d`, index))
		d.Set("Name", fmt.Sprintf(`\\.\PHYSICALDRIVE%d`, index))
		model := strings.TrimSpace(g.text(base+"/device/vendor") + " " + g.text(base+"/device/model"))
		if bus == busSATA || strings.HasPrefix(model, "0x") { // the vendor is the word ATA, or a number of virtio
			model = g.text(base + "/device/model")
		}
		serial := g.text(base + "/device/serial")
		if serial == "" {
			serial = g.text(base + "/serial")
		}
		d.text("Model", model)
		d.text("Caption", model)
		d.text("SerialNumber", serial)
		firmware := g.text(base + "/device/firmware_rev")
		if firmware == "" {
			firmware = g.text(base + "/device/rev")
		}
		d.text("FirmwareRevision", firmware)
		d.Set("Size", size)
		block, ok := g.number(base + "/queue/logical_block_size")
		d.number("BytesPerSector", block, ok)
		media, kind := "Fixed hard disk media", "SCSI"
		switch {
		case bus == busUSB && !removable:
			media, kind = "External hard disk media", "USB"
		case bus == busUSB:
			media, kind = "Removable Media", "USB"
		case bus == busSATA:
			kind = "IDE"
		}
		d.Set("MediaType", media)
		d.Set("InterfaceType", kind)
		drives = append(drives, d)

		var p instance
		p.Set("DeviceId", fmt.Sprint(index))
		p.text("FriendlyName", model)
		p.text("Model", model)
		p.text("SerialNumber", serial)
		p.Set("Size", size)
		p.Set("BusType", bus)
		spinning, ok := g.number(base + "/queue/rotational")
		p.number("MediaType", 4-spinning, ok) // 3 is a hard disk, 4 a solid state one
		physical = append(physical, p)
	}
	g.add("Win32_DiskDrive", drives...)
	g.addTo(`root\microsoft\windows\storage`, "MSFT_PhysicalDisk", physical...)
}

// Values of MSFT_PhysicalDisk.BusType.
const (
	busUnknown int64 = 0
	busSCSI    int64 = 1
	busUSB     int64 = 7
	busSAS     int64 = 10
	busSATA    int64 = 11
	busSD      int64 = 12
	busNVMe    int64 = 17
)

func (g *gatherer) bus(name string) int64 {
	switch {
	case strings.HasPrefix(name, "nvme"):
		return busNVMe
	case strings.HasPrefix(name, "mmcblk"):
		return busSD
	case strings.HasPrefix(name, "vd"):
		return busSCSI
	}
	where := g.resolve("/sys/block/" + name)
	switch {
	case strings.Contains(where, "/usb"):
		return busUSB
	case strings.Contains(where, "/ata"), g.text("/sys/block/"+name+"/device/vendor") == "ATA":
		return busSATA
	case strings.Contains(where, "/end_device-"):
		return busSAS
	case strings.HasPrefix(name, "sd"):
		return busSCSI
	}
	return busUnknown
}

// battery is Win32_Battery; batteries of mice and the like do not count.
func (g *gatherer) battery() {
	var list []instance
	for _, name := range g.names("/sys/class/power_supply") {
		base := "/sys/class/power_supply/" + name
		if g.text(base+"/type") != "Battery" || g.text(base+"/scope") == "Device" || g.text(base+"/present") == "0" {
			continue
		}
		var b instance
		b.text("DeviceID", strings.TrimSpace(g.text(base+"/serial_number")+g.text(base+"/manufacturer")+g.text(base+"/model_name")))
		b.text("Name", g.text(base+"/model_name"))
		status := int64(2) // on mains
		if g.text(base+"/status") == "Discharging" {
			status = 1
		}
		b.Set("BatteryStatus", status)
		charge, ok := g.number(base + "/capacity")
		b.number("EstimatedChargeRemaining", charge, ok)
		b.positive("Chemistry", map[string]int64{"PbAc": 3, "NiCd": 4, "NiMH": 5, "Li-ion": 6, "Li-poly": 8}[g.text(base+"/technology")])
		list = append(list, b)
	}
	g.add("Win32_Battery", list...)
}

// tpm is Win32_Tpm in its own namespace. A TPM 2.0 that the kernel uses is switched on; of a 1.2 sysfs tells the rest.
func (g *gatherer) tpm() {
	const namespace = `root\cimv2\security\microsofttpm`
	base := "/sys/class/tpm/tpm0"
	if !g.exists(base) {
		g.addTo(namespace, "Win32_Tpm")
		return
	}
	var t instance
	major, known := g.number(base + "/tpm_version_major")
	if !known && g.exists(base+"/device/caps") {
		major = 1
	}
	if major == 1 {
		t.Set("SpecVersion", "1.2")
		for _, f := range []struct{ property, file string }{
			{"IsEnabled_InitialValue", "enabled"}, {"IsActivated_InitialValue", "active"}, {"IsOwned_InitialValue", "owned"},
		} {
			if n, ok := g.number(base + "/device/" + f.file); ok {
				t.Set(f.property, n == 1)
			}
		}
	} else {
		t.Set("SpecVersion", "2.0")
		t.Set("IsEnabled_InitialValue", true)
		t.Set("IsActivated_InitialValue", true)
	}
	t.text("PhysicalPresenceVersionInfo", g.text(base+"/ppi/version"))
	g.addTo(namespace, "Win32_Tpm", t)
}

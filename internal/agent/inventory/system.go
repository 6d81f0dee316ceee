package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// meminfo is a line of /proc/meminfo in KiB.
func (g *gatherer) meminfo(name string) int64 {
	for line := range strings.Lines(g.read("/proc/meminfo")) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name+":" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

// cpu is one processor of /proc/cpuinfo, a thread of a core of a socket.
type cpu map[string]string

func (g *gatherer) cpus() []cpu {
	var list []cpu
	current := cpu{}
	for line := range strings.Lines(g.read("/proc/cpuinfo") + "\n\n") {
		key, value, ok := strings.Cut(line, ":")
		if ok {
			current[strings.TrimSpace(key)] = strings.TrimSpace(value)
			continue
		}
		if _, is := current["processor"]; is { // ARM has a closing paragraph about the board
			list = append(list, current)
		}
		current = cpu{}
	}
	return list
}

func (g *gatherer) hasFlag(flag string) bool {
	for _, c := range g.cpus() {
		return slices.Contains(strings.Fields(c["flags"]), flag)
	}
	return false
}

// sockets groups the threads by socket, in the order of their ids.
func (g *gatherer) sockets() [][]cpu {
	var ids []string
	bySocket := map[string][]cpu{}
	for _, c := range g.cpus() {
		id := c["physical id"]
		if bySocket[id] == nil {
			ids = append(ids, id)
		}
		bySocket[id] = append(bySocket[id], c)
	}
	list := make([][]cpu, len(ids))
	for i, id := range ids {
		list[i] = bySocket[id]
	}
	return list
}

func (g *gatherer) counts() (sockets, threads int64) {
	for _, s := range g.sockets() {
		sockets++
		threads += int64(len(s))
	}
	return sockets, threads
}

// processors is Win32_Processor, an instance for each socket.
func (g *gatherer) processors() {
	var tables []structure
	for _, s := range g.smbios {
		if s.kind == 4 && s.byte(0x18)&0x40 != 0 { // the socket is populated
			tables = append(tables, s)
		}
	}
	var list []instance
	for n, threads := range g.sockets() {
		first := threads[0]
		var p instance
		p.Set("DeviceID", fmt.Sprintf("CPU%d", n))
		p.text("Name", clean(first["model name"]))
		p.text("Manufacturer", first["vendor_id"])
		family, _ := strconv.ParseInt(first["cpu family"], 10, 64)
		model, _ := strconv.ParseInt(first["model"], 10, 64)
		stepping, _ := strconv.ParseInt(first["stepping"], 10, 64)
		if maker := map[string]string{"GenuineIntel": "Intel64", "AuthenticAMD": "AMD64"}[first["vendor_id"]]; maker != "" {
			caption := fmt.Sprintf("%s Family %d Model %d Stepping %d", maker, family, model, stepping)
			p.Set("Caption", caption)
			p.Set("Description", caption)
		}
		p.positive("Level", family)
		p.number("Revision", model<<8|stepping, family > 0)
		p.text("Stepping", first["stepping"])
		arch, known := map[string]int64{"amd64": 9, "arm64": 12, "386": 0, "arm": 5}[g.Arch]
		p.number("Architecture", arch, known)
		width := int64(64)
		if g.Arch == "386" || g.Arch == "arm" {
			width = 32
		}
		p.Set("AddressWidth", width)
		p.Set("DataWidth", width)
		cores := map[string]bool{}
		for _, t := range threads {
			cores[t["core id"]] = true
		}
		p.Set("NumberOfCores", int64(len(cores)))
		if _, ok := first["core id"]; !ok {
			p.Set("NumberOfCores", int64(len(threads)))
		}
		p.Set("NumberOfLogicalProcessors", int64(len(threads)))
		var table structure
		if n < len(tables) {
			table = tables[n]
		}
		p.text("SocketDesignation", table.text(4))
		p.positive("MaxClockSpeed", g.clock(first, table))
		flags := strings.Fields(first["flags"])
		p.Set("VirtualizationFirmwareEnabled", slices.Contains(flags, "vmx") || slices.Contains(flags, "svm"))
		p.Set("SecondLevelAddressTranslationExtensions", slices.Contains(flags, "ept") || slices.Contains(flags, "npt"))
		p.Set("ProcessorType", int64(3)) // central processor
		list = append(list, p)
	}
	g.add("Win32_Processor", list...)
}

// clock is the nominal speed in MHz: what SMBIOS calls the current one, else what the kernel says.
func (g *gatherer) clock(first cpu, table structure) int64 {
	if mhz := int64(table.word(0x16)); mhz > 0 {
		return mhz
	}
	for _, file := range []string{"base_frequency", "cpuinfo_max_freq"} {
		if khz, ok := g.number("/sys/devices/system/cpu/cpu0/cpufreq/" + file); ok {
			return khz / 1000
		}
	}
	mhz, _ := strconv.ParseFloat(first["cpu MHz"], 64)
	return int64(mhz + 0.5)
}

// osRelease reads os-release(5); quotes are taken away.
func (g *gatherer) osRelease() map[string]string {
	m := map[string]string{}
	text := g.read("/etc/os-release")
	if text == "" {
		text = g.read("/usr/lib/os-release")
	}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			m[key] = clean(strings.Trim(value, `"'`))
		}
	}
	return m
}

// system is Win32_OperatingSystem. OSType 36 is Linux in CIM, so that conditions that ask for Windows by 18 are not
// fooled by a version number.
func (g *gatherer) system() {
	release := g.osRelease()
	kernel := g.text("/proc/sys/kernel/osrelease")
	var o instance
	o.text("Caption", release["PRETTY_NAME"])
	o.text("Name", release["PRETTY_NAME"])
	o.text("Manufacturer", release["NAME"])
	version := release["VERSION_ID"]
	if version == "" {
		version = kernel
	}
	o.text("Version", version)
	build := release["BUILD_ID"]
	if build == "" {
		build = kernel
	}
	o.text("BuildNumber", build)
	o.Set("OSType", int64(36))
	o.Set("ProductType", int64(1))
	width := "64-bit"
	switch g.Arch {
	case "386", "arm":
		width = "32-bit"
	case "arm64":
		width = "ARM 64-bit"
	}
	o.Set("OSArchitecture", width)
	o.Set("ServicePackMajorVersion", int64(0))
	o.Set("ServicePackMinorVersion", int64(0))
	o.text("CSName", strings.ToUpper(g.HostName))
	o.positive("TotalVisibleMemorySize", g.meminfo("MemTotal"))
	o.positive("FreePhysicalMemory", g.meminfo("MemAvailable"))
	for line := range strings.Lines(g.read("/proc/stat")) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "btime" {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				o.Set("LastBootUpTime", time.Unix(n, 0).UTC().Format("20060102150405")+".000000+000")
			}
		}
	}
	o.Set("Primary", true)
	g.add("Win32_OperatingSystem", o)
}

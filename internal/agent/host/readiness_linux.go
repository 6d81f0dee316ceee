package host

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/regional"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// Readiness is a machine.Readiness that reads sysfs and proc.
type Readiness struct {
	Linux
	ClientVersion string // of the agent
	// Free gives the free bytes of a volume that is not mounted; nil leaves such volumes out.
	Free func(ctx context.Context, device string) (int64, bool)
}

// Readiness implements machine.Readiness.
func (r *Readiness) Readiness(ctx context.Context) (machine.ReadinessFacts, error) {
	f := machine.ReadinessFacts{OSType: r.osType(), Architecture: 64, ClientVersion: r.ClientVersion, OSVersion: r.osVersion(), LanguageID: r.language()}
	switch runtime.GOARCH {
	case "386", "arm":
		f.Architecture = 32
	}
	f.MemoryMB = known(r.installedMB())
	f.ProcessorMHz = known(r.processorMHz())
	f.FreeDiskMB = known(r.freeMB(ctx))
	f.OnMains = r.onMains()
	f.Connected, f.Wired = r.links()
	_, err := os.Stat(r.path("/sys/firmware/efi"))
	uefi := err == nil
	f.UEFI = &uefi
	f.TPMEnabled, f.TPMActivated = r.tpm()
	return f, nil
}

func known(n int64) *int64 {
	if n <= 0 {
		return nil
	}
	return &n
}

func (r *Readiness) text(name string) string { return strings.TrimSpace(r.read(name)) }

func (r *Readiness) number(name string) int64 {
	n, _ := strconv.ParseInt(r.text(name), 10, 64)
	return n
}

// installedMB is what is plugged in: the memory that the kernel may use is less, and a machine with 2 GB would fail a
// check for 2048 MB. First SMBIOS (type 17), then the blocks of memory that are online, then what is usable.
func (r *Readiness) installedMB() int64 {
	if n := r.smbiosMemory(); n > 0 {
		return n
	}
	size, err := strconv.ParseInt(r.text("/sys/devices/system/memory/block_size_bytes"), 16, 64)
	if err == nil && size > 0 {
		online, _ := filepath.Glob(r.path("/sys/devices/system/memory/memory[0-9]*/online"))
		if n := int64(len(online)) * size >> 20; n > 0 {
			return n
		}
	}
	return int64(memoryMiB(r.read("/proc/meminfo")))
}

func (r *Readiness) smbiosMemory() (mb int64) {
	names, _ := filepath.Glob(r.path("/sys/firmware/dmi/entries/17-*/raw"))
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil || len(raw) < 0x0E {
			continue
		}
		size := int64(binary.LittleEndian.Uint16(raw[0x0C:])) // SMBIOS 7.18: MB, or KB when the top bit is set
		switch {
		case size == 0xFFFF: // unknown
		case size == 0x7FFF && len(raw) >= 0x20:
			mb += int64(binary.LittleEndian.Uint32(raw[0x1C:]) &^ (1 << 31))
		case size&0x8000 != 0:
			mb += size &^ 0x8000 >> 10
		default:
			mb += size
		}
	}
	return mb
}

// processorMHz is the highest speed that any source names.
func (r *Readiness) processorMHz() (best int64) {
	best = r.number("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq") / 1000
	names, _ := filepath.Glob(r.path("/sys/firmware/dmi/entries/4-*/raw"))
	for _, name := range names {
		if raw, err := os.ReadFile(name); err == nil && len(raw) >= 0x18 { // SMBIOS 7.5: current speed; the maximum is the socket's
			best = max(best, int64(binary.LittleEndian.Uint16(raw[0x16:])))
		}
	}
	for line := range strings.Lines(r.read("/proc/cpuinfo")) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "cpu MHz" {
			mhz, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			best = max(best, int64(mhz+0.5))
		}
	}
	return best
}

// osType is CLIENT in a boot environment, as WinPE says of itself. An installed system is a server unless it calls itself
// a workstation or starts a desktop.
func (r *Readiness) osType() string {
	if r.Environment != wire.FullOS {
		return "CLIENT"
	}
	variant := strings.ToLower(release(r.read("/etc/os-release"), "VARIANT_ID"))
	switch {
	case strings.Contains(variant, "server"):
		return "SERVER"
	case strings.Contains(variant, "workstation"), strings.Contains(variant, "desktop"):
		return "CLIENT"
	}
	if _, err := os.Lstat(r.path("/etc/systemd/system/display-manager.service")); err == nil {
		return "CLIENT"
	}
	return "SERVER"
}

// osVersion is the distribution's version, or the kernel's in a boot environment and where there is none.
func (r *Readiness) osVersion() string {
	if v := release(r.read("/etc/os-release"), "VERSION_ID"); v != "" && r.Environment == wire.FullOS {
		return v
	}
	v := r.text("/proc/sys/kernel/osrelease")
	if i := strings.IndexFunc(v, func(c rune) bool { return c != '.' && (c < '0' || c > '9') }); i >= 0 {
		v = v[:i]
	}
	return v
}

func release(text, key string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

// language is that of the system's LANG; a boot environment speaks English.
func (r *Readiness) language() int {
	if r.Environment != wire.FullOS {
		return 1033
	}
	for _, name := range []string{"/etc/locale.conf", "/etc/default/locale"} {
		if lang := release(r.read(name), "LANG"); lang != "" {
			return regional.LCID(regional.FromPOSIX(lang))
		}
	}
	return 0
}

// onMains: some supply that is not a battery is online, or there is no battery at all.
func (r *Readiness) onMains() *bool {
	names, _ := filepath.Glob(r.path("/sys/class/power_supply/*"))
	battery, online := false, false
	for _, name := range names {
		base := "/sys/class/power_supply/" + filepath.Base(name)
		switch kind := r.text(base + "/type"); {
		case kind == "Battery":
			// That of a mouse does not feed the machine.
			battery = battery || r.text(base+"/scope") != "Device"
		case kind != "":
			online = online || r.text(base+"/online") == "1"
		}
	}
	on := online || !battery
	return &on
}

// links says whether any card has a link, and whether one of them is wired.
func (r *Readiness) links() (connected, wired *bool) {
	cards, err := r.cards()
	if err != nil {
		return nil, nil
	}
	any, cable := false, false
	for _, c := range cards {
		if !c.carrier {
			continue
		}
		any = true
		_, wireless := os.Stat(r.path("/sys/class/net/" + c.name + "/wireless"))
		_, phy := os.Stat(r.path("/sys/class/net/" + c.name + "/phy80211"))
		cable = cable || wireless != nil && phy != nil
	}
	return &any, &cable
}

// tpm: firmware hides a TPM 2.0 that is switched off, so one that the kernel drives is enabled and active.
func (r *Readiness) tpm() (enabled, activated *bool) {
	there := r.text("/sys/class/tpm/tpm0/tpm_version_major") == "2"
	return &there, &there
}

// freeMB is the free space of the system volume, or, in a boot environment, the largest free space on one disk: of its
// volumes, or all of a disk that has no partitions and no file system.
func (r *Readiness) freeMB(ctx context.Context) int64 {
	if r.Environment == wire.FullOS {
		return statFree(r.path("/")) >> 20
	}
	var best int64
	mounted := r.mounts()
	for _, disk := range r.wholeDisks() {
		volumes, _ := filepath.Glob(r.path("/sys/class/block/" + disk + "/" + disk + "*/partition"))
		if len(volumes) == 0 {
			if free, used := r.freeOn(ctx, "/dev/"+disk, mounted); used {
				best = max(best, free)
			} else {
				best = max(best, r.number("/sys/class/block/"+disk+"/size")*512)
			}
			continue
		}
		for _, v := range volumes {
			if free, ok := r.freeOn(ctx, "/dev/"+filepath.Base(filepath.Dir(v)), mounted); ok {
				best = max(best, free)
			}
		}
	}
	return best >> 20
}

// wholeDisks are the disks that an operating system can be put on.
func (r *Readiness) wholeDisks() (names []string) {
	entries, err := os.ReadDir(r.path("/sys/class/block"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		base := "/sys/class/block/" + e.Name()
		if _, err := os.Stat(r.path(base + "/device")); err != nil || r.text(base+"/removable") == "1" || r.text(base+"/ro") == "1" {
			continue
		}
		if _, err := os.Stat(r.path(base + "/partition")); err == nil {
			continue
		}
		names = append(names, e.Name())
	}
	return names
}

func (r *Readiness) freeOn(ctx context.Context, device string, mounted map[string]string) (int64, bool) {
	if at := mounted[device]; at != "" {
		return statFree(at), true
	}
	if r.Free == nil {
		return 0, false
	}
	return r.Free(ctx, device)
}

func (r *Readiness) mounts() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(r.read("/proc/self/mounts")) {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[0], "/dev/") {
			out[fields[0]] = unescapeMount(fields[1])
		}
	}
	return out
}

func statFree(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize)
}

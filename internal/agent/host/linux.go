//go:build linux

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/internal/wire"
)

// Linux is the machine as Linux shows it. The zero value is this machine.
type Linux struct {
	// Root is put before the paths that are read; tests point it at a folder.
	Root string
	// Environment decides about facts that only an installed system has, such as its host name.
	Environment wire.Environment
}

// Local is the machine this program runs on.
func Local(environment wire.Environment) Machine { return &Linux{Environment: environment} }

func (l *Linux) path(name string) string { return filepath.Join("/", l.Root, name) }

// maxFactFile bounds what is read from one file of sysfs or proc.
const maxFactFile = 64 << 10

func (l *Linux) read(name string) string {
	f, err := os.Open(l.path(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	buffer := make([]byte, maxFactFile)
	n, _ := f.Read(buffer)
	return string(buffer[:n])
}

// BootArgs reads /proc/cmdline.
func (l *Linux) BootArgs() (map[string]string, error) {
	data, err := os.ReadFile(l.path("/proc/cmdline"))
	if err != nil {
		return nil, fmt.Errorf("read the kernel command line: %w", err)
	}
	return ParseArgs(string(data)), nil
}

// Identity reads SMBIOS facts and network cards from sysfs.
func (l *Linux) Identity(_ context.Context, bootMAC string) (wire.Identity, error) {
	dmi := func(name string) string { return l.read("/sys/class/dmi/id/" + name) }
	id := wire.Identity{
		UUID:         CleanUUID(dmi("product_uuid")),
		Serial:       cleanText(dmi("product_serial")),
		AssetTag:     cleanText(dmi("chassis_asset_tag")),
		Manufacturer: cleanText(dmi("sys_vendor")),
		Model:        cleanText(dmi("product_name")),
		Firmware:     wire.BIOS,
		Arch:         runtime.GOARCH,
		MemoryMiB:    memoryMiB(l.read("/proc/meminfo")),
	}
	if _, err := os.Stat(l.path("/sys/firmware/efi")); err == nil {
		id.Firmware = wire.UEFI
		id.SecureBoot = l.secureBoot()
	}
	cards, err := l.cards()
	if err != nil {
		return id, err
	}
	for _, card := range cards {
		id.MACs = append(id.MACs, card.mac)
	}
	if i := slices.Index(id.MACs, strings.ToLower(bootMAC)); bootMAC != "" && i > 0 {
		id.MACs = slices.Insert(slices.Delete(id.MACs, i, i+1), 0, strings.ToLower(bootMAC))
	}
	if l.Root == "" {
		id.Addresses = addresses()
	}
	if l.Environment == wire.FullOS {
		id.HostName, _ = os.Hostname()
		id.OSName = osName(l.read("/etc/os-release"))
		id.Zone = l.zone()
	}
	return id, nil
}

// secureBoot reads the efivar: four bytes of attributes, then one byte (UEFI specification, 3.3).
func (l *Linux) secureBoot() bool {
	data := l.read("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
	return len(data) == 5 && data[4] == 1
}

// zone is the IANA name behind /etc/localtime, empty for UTC by default.
func (l *Linux) zone() string {
	target, err := os.Readlink(l.path("/etc/localtime"))
	if err != nil {
		return ""
	}
	if _, name, ok := strings.Cut(target, "/zoneinfo/"); ok {
		return name
	}
	return ""
}

func osName(release string) string {
	for line := range strings.Lines(release) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return cleanText(strings.Trim(value, `"'`))
		}
	}
	return ""
}

func memoryMiB(meminfo string) int {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib / 1024
		}
	}
	return 0
}

// card is a network card with hardware behind it.
type card struct {
	name, mac string
	carrier   bool
}

// cards lists the network cards in the order of their names.
func (l *Linux) cards() ([]card, error) {
	entries, err := os.ReadDir(l.path("/sys/class/net"))
	if err != nil {
		return nil, fmt.Errorf("list network cards: %w", err)
	}
	var cards []card
	for _, entry := range entries {
		base := "/sys/class/net/" + entry.Name()
		// A device link tells hardware from bridges, bonds and the loopback; type 1 is Ethernet.
		if _, err := os.Stat(l.path(base + "/device")); err != nil || strings.TrimSpace(l.read(base+"/type")) != "1" {
			continue
		}
		mac, err := net.ParseMAC(strings.TrimSpace(l.read(base + "/address")))
		if err != nil || len(mac) != 6 || bytes.Equal(mac, make([]byte, 6)) {
			continue
		}
		cards = append(cards, card{name: entry.Name(), mac: mac.String(), carrier: strings.TrimSpace(l.read(base+"/carrier")) == "1"})
	}
	return cards, nil
}

// addresses are the global unicast addresses that are up now, with the length of their prefix.
func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var list []string
	for _, a := range all {
		if ipnet, ok := a.(*net.IPNet); ok && ipnet.IP.IsGlobalUnicast() {
			list = append(list, ipnet.String())
		}
	}
	return list
}

// SetClock sets the system clock, then the hardware clock in UTC. A machine without a writable hardware clock is no error:
// the deployment only needs the first.
func (l *Linux) SetClock(now time.Time) error {
	ts := unix.NsecToTimespec(now.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("set the system clock to %s: %w", now.UTC().Format(time.RFC3339), err)
	}
	rtc, err := os.Open("/dev/rtc0")
	if err != nil {
		return nil //nolint:nilerr // best effort
	}
	defer rtc.Close()
	u := now.UTC()
	_ = unix.IoctlSetRTCTime(int(rtc.Fd()), &unix.RTCTime{Sec: int32(u.Second()), Min: int32(u.Minute()), Hour: int32(u.Hour()),
		Mday: int32(u.Day()), Mon: int32(u.Month()) - 1, Year: int32(u.Year()) - 1900})
	return nil
}

// Restart goes through systemd where it is in charge, so that services end in order, else straight to the kernel.
func (l *Linux) Restart(ctx context.Context) error {
	if l.Environment == wire.FullOS {
		return run(ctx, "systemctl", "--no-block", "reboot")
	}
	return halt(unix.LINUX_REBOOT_CMD_RESTART)
}

// PowerOff is Restart's counterpart.
func (l *Linux) PowerOff(ctx context.Context) error {
	if l.Environment == wire.FullOS {
		return run(ctx, "systemctl", "--no-block", "poweroff")
	}
	return halt(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func halt(command int) error {
	unix.Sync()
	unmountDisks()
	unix.Sync()
	if err := unix.Reboot(command); err != nil {
		return fmt.Errorf("restart by system call: %w", err)
	}
	return errors.New("the kernel came back from a restart")
}

// unmountDisks takes down everything on a block device, deepest first. What is busy becomes read-only instead, so that its
// journal is clean either way.
func unmountDisks() {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	slices.Reverse(lines)
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 3 || !strings.HasPrefix(fields[0], "/dev/") {
			continue
		}
		target := unescapeMount(fields[1])
		if unix.Unmount(target, 0) != nil {
			_ = unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
		}
	}
}

// unescapeMount undoes the octal escapes of /proc/self/mounts (proc(5)).
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

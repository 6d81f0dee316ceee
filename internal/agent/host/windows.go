//go:build windows

package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/bootyard/bootyard/internal/wire"
)

// Windows is the machine as Windows shows it.
type Windows struct {
	environment wire.Environment
}

// Local is the machine this program runs on.
func Local(environment wire.Environment) Machine { return &Windows{environment: environment} }

// BootArgs is empty: WinPE gets its settings from files of the boot image.
func (w *Windows) BootArgs() (map[string]string, error) { return map[string]string{}, nil }

// Identity reads the registry's copy of the SMBIOS facts and the network cards.
func (w *Windows) Identity(_ context.Context, bootMAC string) (wire.Identity, error) {
	id := wire.Identity{Arch: runtime.GOARCH, Firmware: wire.BIOS}
	if key, err := registry.OpenKey(registry.LOCAL_MACHINE, `HARDWARE\DESCRIPTION\System\BIOS`, registry.QUERY_VALUE); err == nil {
		defer key.Close()
		text := func(name string) string { v, _, _ := key.GetStringValue(name); return cleanText(v) }
		id.Manufacturer, id.Model = text("SystemManufacturer"), text("SystemProductName")
	}
	if key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\SecureBoot\State`, registry.QUERY_VALUE); err == nil {
		defer key.Close()
		id.Firmware = wire.UEFI // the key exists under UEFI only
		on, _, _ := key.GetIntegerValue("UEFISecureBootEnabled")
		id.SecureBoot = on == 1
	}
	id.UUID, id.Serial = firmwareTable()
	interfaces, err := net.Interfaces()
	if err != nil {
		return id, fmt.Errorf("list network cards: %w", err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 && len(i.HardwareAddr) == 6 {
			id.MACs = append(id.MACs, i.HardwareAddr.String())
		}
	}
	if i := slices.Index(id.MACs, strings.ToLower(bootMAC)); i > 0 {
		id.MACs = slices.Insert(slices.Delete(id.MACs, i, i+1), 0, strings.ToLower(bootMAC))
	}
	if w.environment == wire.FullOS {
		id.HostName, _ = os.Hostname()
		id.OSName = "Windows"
	}
	return id, nil
}

// ConnectNetwork waits for an address: Windows and WinPE (wpeinit) run their own DHCP client.
func (w *Windows) ConnectNetwork(ctx context.Context, _ string, say func(string)) error {
	for said := false; ; said = true {
		addresses, _ := net.InterfaceAddrs()
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				return nil
			}
		}
		if !said {
			say("waiting for an address")
		}
		if err := (System{}).Sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("no network: check cable, driver and DHCP server: %w", err)
		}
	}
}

// SetClock sets the system time.
func (w *Windows) SetClock(now time.Time) error {
	u := now.UTC()
	st := windows.Systemtime{Year: uint16(u.Year()), Month: uint16(u.Month()), Day: uint16(u.Day()), Hour: uint16(u.Hour()),
		Minute: uint16(u.Minute()), Second: uint16(u.Second()), Milliseconds: uint16(u.Nanosecond() / 1e6)}
	return setSystemTime(&st)
}

// Restart uses wpeutil in WinPE, where shutdown.exe does not exist.
func (w *Windows) Restart(ctx context.Context) error {
	if w.environment == wire.WinPE {
		return exec.CommandContext(ctx, "wpeutil", "reboot").Run()
	}
	return exec.CommandContext(ctx, "shutdown", "/r", "/t", "0").Run()
}

// PowerOff is Restart's counterpart.
func (w *Windows) PowerOff(ctx context.Context) error {
	if w.environment == wire.WinPE {
		return exec.CommandContext(ctx, "wpeutil", "shutdown").Run()
	}
	return exec.CommandContext(ctx, "shutdown", "/s", "/t", "0").Run()
}

var errSystemTime = errors.New("set the system clock")

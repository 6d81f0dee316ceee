package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// readiness is a machine.Readiness by Win32 calls and the registry.
type readiness struct {
	environment wire.Environment
	version     string
}

var (
	kernel32             = windows.NewLazySystemDLL("kernel32.dll")
	tbs                  = windows.NewLazySystemDLL("tbs.dll")
	installedMemory      = kernel32.NewProc("GetPhysicallyInstalledSystemMemory")
	powerStatus          = kernel32.NewProc("GetSystemPowerStatus")
	systemLanguage       = kernel32.NewProc("GetSystemDefaultUILanguage")
	trustedModule        = tbs.NewProc("Tbsi_GetDeviceInfo")
	unknownPower    byte = 255
)

// Readiness implements machine.Readiness.
func (r readiness) Readiness(context.Context) (machine.ReadinessFacts, error) {
	v := windows.RtlGetVersion()
	f := machine.ReadinessFacts{OSType: "SERVER", Architecture: 64, ClientVersion: r.version,
		OSVersion: fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)}
	if v.ProductType == 1 || r.environment == wire.WinPE { // VER_NT_WORKSTATION
		f.OSType = "CLIENT"
	}
	if runtime.GOARCH == "386" {
		f.Architecture = 32
	}
	var kib uint64
	if ok, _, _ := installedMemory.Call(uintptr(unsafe.Pointer(&kib))); ok != 0 {
		mb := int64(kib >> 10)
		f.MemoryMB = &mb
	}
	if key, err := registry.OpenKey(registry.LOCAL_MACHINE, `HARDWARE\DESCRIPTION\System\CentralProcessor\0`, registry.QUERY_VALUE); err == nil {
		if mhz, _, err := key.GetIntegerValue("~MHz"); err == nil {
			n := int64(mhz)
			f.ProcessorMHz = &n
		}
		_ = key.Close()
	}
	f.FreeDiskMB = r.freeMB()
	if systemLanguage.Find() == nil {
		id, _, _ := systemLanguage.Call()
		f.LanguageID = int(id & 0xFFFF)
	}
	var power struct {
		AC, battery, percent, saver byte
		life, full                  uint32
	}
	if ok, _, _ := powerStatus.Call(uintptr(unsafe.Pointer(&power))); ok != 0 && power.AC != unknownPower {
		on := power.AC == 1
		f.OnMains = &on
	}
	f.Connected, f.Wired = windowsLinks()
	uefi := false
	if key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\SecureBoot\State`, registry.QUERY_VALUE); err == nil {
		uefi = true // the key exists under UEFI only
		_ = key.Close()
	}
	f.UEFI = &uefi
	var device struct{ structVersion, tpmVersion, interfaceType, revision uint32 }
	if trustedModule.Find() == nil {
		code, _, _ := trustedModule.Call(unsafe.Sizeof(device), uintptr(unsafe.Pointer(&device)))
		there := code == 0 && device.tpmVersion == 2
		f.TPMEnabled, f.TPMActivated = &there, &there
	}
	return f, nil
}

// freeMB is the free space of the system drive, or in WinPE the largest of any drive but its own.
func (r readiness) freeMB() *int64 {
	drives := []string{os.Getenv("SystemDrive") + `\`}
	if r.environment == wire.WinPE {
		drives = nil
		for c := 'C'; c <= 'W'; c++ {
			drives = append(drives, string(c)+`:\`)
		}
	}
	var best uint64
	for _, d := range drives {
		name, err := windows.UTF16PtrFromString(d)
		if err != nil || windows.GetDriveType(name) != windows.DRIVE_FIXED {
			continue
		}
		var free uint64
		if windows.GetDiskFreeSpaceEx(name, &free, nil, nil) == nil {
			best = max(best, free)
		}
	}
	if best == 0 {
		return nil
	}
	mb := int64(best >> 20)
	return &mb
}

// windowsLinks: interfaces that are up and no loopback. Which of them is a radio is told by the interface type 71 (IEEE
// 802.11) of the adapter list.
func windowsLinks() (connected, wired *bool) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, nil
	}
	radio := radios()
	any, cable := false, false
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagRunning == 0 || len(i.HardwareAddr) != 6 {
			continue
		}
		any = true
		cable = cable || !radio[i.Index]
	}
	return &any, &cable
}

func radios() map[int]bool {
	out := map[int]bool{}
	adapters(func(a *windows.IpAdapterAddresses) {
		if a.IfType == 71 {
			out[int(a.IfIndex)] = true
		}
	})
	return out
}

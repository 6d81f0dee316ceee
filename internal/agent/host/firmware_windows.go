package host

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// setSystemTime calls SetSystemTime, which golang.org/x/sys does not wrap.
func setSystemTime(st *windows.Systemtime) error {
	proc := windows.NewLazySystemDLL("kernel32.dll").NewProc("SetSystemTime")
	if ok, _, err := proc.Call(uintptr(unsafe.Pointer(st))); ok == 0 {
		return fmt.Errorf("%w: %w", errSystemTime, err)
	}
	return nil
}

// firmwareTable reads the SMBIOS table by GetSystemFirmwareTable("RSMB").
func firmwareTable() (uuid, serial string) {
	proc := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetSystemFirmwareTable")
	const rsmb = 0x52534D42
	size, _, _ := proc.Call(rsmb, 0, 0, 0)
	if size < 8 || size > 1<<20 {
		return "", ""
	}
	buffer := make([]byte, size)
	if n, _, _ := proc.Call(rsmb, 0, uintptr(unsafe.Pointer(&buffer[0])), size); n != size {
		return "", ""
	}
	// Four bytes of version, four of length, then the structures (RawSMBIOSData).
	if length := binary.LittleEndian.Uint32(buffer[4:]); int(length) <= len(buffer)-8 {
		return parseSystemInformation(buffer[8 : 8+length])
	}
	return "", ""
}

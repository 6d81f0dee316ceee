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

// firmwareTable reads what identifies the machine.
func firmwareTable() (uuid, serial string) { return parseSystemInformation(SMBIOS()) }

// SMBIOS is the firmware's table of structures, by GetSystemFirmwareTable("RSMB"); empty when there is none.
func SMBIOS() []byte {
	proc := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetSystemFirmwareTable")
	const rsmb = 0x52534D42
	size, _, _ := proc.Call(rsmb, 0, 0, 0)
	if size < 8 || size > 1<<20 {
		return nil
	}
	buffer := make([]byte, size)
	if n, _, _ := proc.Call(rsmb, 0, uintptr(unsafe.Pointer(&buffer[0])), size); n != size {
		return nil
	}
	// Four bytes of version, four of length, then the structures (RawSMBIOSData).
	if length := binary.LittleEndian.Uint32(buffer[4:]); uint64(length) <= uint64(len(buffer)-8) {
		return buffer[8 : 8+length]
	}
	return nil
}

package host

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// adapters visits the network adapters that Windows lists, none when it does not answer.
func adapters(visit func(a *windows.IpAdapterAddresses)) {
	size := uint32(64 << 10)
	buffer := make([]byte, size)
	first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&buffer[0]))
	if windows.GetAdaptersAddresses(windows.AF_UNSPEC, 0, 0, first, &size) != nil {
		return
	}
	for a := first; a != nil; a = a.Next {
		visit(a)
	}
}

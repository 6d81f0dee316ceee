package host

import (
	"net"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// localMachine is the real registry.
type localMachine struct{}

func (localMachine) open(key string, access uint32) (registry.Key, bool) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, access|registry.WOW64_64KEY)
	return k, err == nil
}

func (m localMachine) String(key, name string) string {
	k, ok := m.open(key, registry.QUERY_VALUE)
	if !ok {
		return ""
	}
	defer k.Close()
	v, _, _ := k.GetStringValue(name)
	return v
}

func (m localMachine) Strings(key, name string) []string {
	k, ok := m.open(key, registry.QUERY_VALUE)
	if !ok {
		return nil
	}
	defer k.Close()
	v, _, _ := k.GetStringsValue(name)
	return v
}

func (m localMachine) Integer(key, name string) uint64 {
	k, ok := m.open(key, registry.QUERY_VALUE)
	if !ok {
		return 0
	}
	defer k.Close()
	v, _, _ := k.GetIntegerValue(name)
	return v
}

func (m localMachine) Keys(key string) []string {
	k, ok := m.open(key, registry.ENUMERATE_SUB_KEYS)
	if !ok {
		return nil
	}
	defer k.Close()
	names, _ := k.ReadSubKeyNames(-1)
	return names
}

// cardAddresses are the MAC addresses by GUID, in upper case with braces.
func cardAddresses() map[string]string {
	out := map[string]string{}
	adapters(func(a *windows.IpAdapterAddresses) {
		if a.PhysicalAddressLength == 6 {
			out[strings.ToUpper(windows.BytePtrToString(a.AdapterName))] = net.HardwareAddr(a.PhysicalAddress[:6]).String()
		}
	})
	return out
}

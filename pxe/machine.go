package pxe

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// Arch is the client architecture of DHCP option 93, after the list was searched for the first one we know (PXE-35).
type Arch uint16

// Architectures that are told apart (netboot-facts section 1).
const (
	ArchBIOS      Arch = 0
	ArchIA32      Arch = 6
	ArchX64       Arch = 7
	ArchX64Old    Arch = 9
	ArchARM32     Arch = 10
	ArchARM64     Arch = 11
	ArchIA32HTTP  Arch = 15
	ArchX64HTTP   Arch = 16
	ArchARM32HTTP Arch = 18
	ArchARM64HTTP Arch = 19
	ArchUnknown   Arch = 0xffff
)

var knownArchs = map[Arch]struct{ cpu string }{
	ArchBIOS: {"x86"}, ArchIA32: {"ia32"}, ArchX64: {"x64"}, ArchX64Old: {"x64"}, ArchARM32: {"arm32"}, ArchARM64: {"arm64"},
	ArchIA32HTTP: {"ia32"}, ArchX64HTTP: {"x64"}, ArchARM32HTTP: {"arm32"}, ArchARM64HTTP: {"arm64"},
}

// CPU is the processor: "x86" (BIOS, 32 or 64 bit: the firmware does not tell), "ia32", "x64", "arm32", "arm64" or
// "unknown".
func (a Arch) CPU() string {
	if k, ok := knownArchs[a]; ok {
		return k.cpu
	}
	return "unknown"
}

// HTTP tells whether the firmware boots by HTTP.
func (a Arch) HTTP() bool {
	return a == ArchIA32HTTP || a == ArchX64HTTP || a == ArchARM32HTTP || a == ArchARM64HTTP
}

// Firmware is the kind of firmware.
type Firmware string

// Kinds of firmware.
const (
	BIOS Firmware = "bios"
	UEFI Firmware = "uefi"
)

// Loader is the program that asks.
type Loader string

// Programs that ask. ROM is the firmware's own PXE client, HTTPClient its HTTP boot.
const (
	LoaderROM  Loader = "rom"
	LoaderIPXE Loader = "ipxe"
	LoaderGRUB Loader = "grub"
	LoaderHTTP Loader = "httpclient"
)

// Stage is the point of the boot at which a machine asks.
type Stage string

// Stages of a boot, in their order.
const (
	StageDiscover  Stage = "discover"
	StageRequest   Stage = "request"
	StageProxy4011 Stage = "proxy4011"
	StageTFTP      Stage = "tftp"
	StageLoader    Stage = "loader" // loader file by HTTP
	StageScript    Stage = "script"
)

// Machine is what firmware or a loader has told of itself, worked out once for each packet or request.
type Machine struct {
	MAC       net.HardwareAddr
	UUID      string // canonical, lower case; "" when absent or a value that no machine has (all 0 or all f)
	Arch      Arch
	Firmware  Firmware
	Loader    Loader
	Address   netip.Addr // where the machine asks from; invalid while it has no address
	Interface string     // name of our interface; "" for HTTP requests
	Stage     Stage
	Choice    string // StageScript: id of the menu entry that somebody chose, "" before
}

var (
	errNotEthernet = errors.New("hardware address is not an Ethernet address of a single machine")
	errNotNetboot  = errors.New("not a network boot client: no PXEClient or HTTPClient in option 60, no iPXE user class")
)

// machineFrom reads a DHCP request. It fails with errNotNetboot for a client that only wants an address; the Machine
// has the MAC then.
func machineFrom(p *dhcpv4.DHCPv4) (Machine, error) {
	m := Machine{Arch: ArchUnknown}
	if p.HWType != iana.HWTypeEthernet || len(p.ClientHWAddr) != 6 || !unicastMAC(p.ClientHWAddr) {
		return m, errNotEthernet
	}
	m.MAC = slices.Clone(p.ClientHWAddr)
	m.UUID = machineUUID(p.Options.Get(dhcpv4.OptionClientMachineIdentifier))
	class := string(p.Options.Get(dhcpv4.OptionClassIdentifier))
	m.Arch = archOf(p.Options.Get(dhcpv4.OptionClientSystemArchitectureType), class)
	m.Firmware = UEFI
	if m.Arch == ArchBIOS || m.Arch == ArchUnknown && !strings.HasPrefix(class, classHTTP) {
		m.Firmware = BIOS
	}
	switch {
	case isIPXE(p.Options.Get(dhcpv4.OptionUserClassInformation)):
		m.Loader = LoaderIPXE
	case strings.HasPrefix(class, classHTTP):
		m.Loader = LoaderHTTP
	case strings.HasPrefix(class, classPXE):
		m.Loader = LoaderROM
	default:
		return m, errNotNetboot
	}
	return m, nil
}

const (
	classPXE  = "PXEClient"
	classHTTP = "HTTPClient"
)

// unicastMAC refuses the zero, broadcast and multicast addresses, which belong to no machine.
func unicastMAC(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0]&1 == 0 && !slices.Equal(mac, make(net.HardwareAddr, 6))
}

// archOf takes the first architecture of option 93 that we know, else the one named in option 60
// ("PXEClient:Arch:00007:UNDI:003000").
func archOf(opt []byte, class string) Arch {
	for ; len(opt) >= 2; opt = opt[2:] {
		a := Arch(binary.BigEndian.Uint16(opt))
		if _, ok := knownArchs[a]; ok {
			return a
		}
	}
	if _, rest, ok := strings.Cut(class, ":Arch:"); ok && len(rest) >= 5 {
		n := 0
		for _, c := range []byte(rest[:5]) {
			if c < '0' || c > '9' {
				return ArchUnknown
			}
			n = n*10 + int(c-'0')
		}
		if _, ok := knownArchs[Arch(n)]; ok && n <= 0xffff {
			return Arch(n)
		}
	}
	return ArchUnknown
}

// isIPXE reads option 77, which iPXE sends as plain text and RFC 3004 wants as a list with lengths.
func isIPXE(opt []byte) bool {
	if string(opt) == "iPXE" {
		return true
	}
	for len(opt) > 1 {
		n := int(opt[0])
		if n == 0 || n >= len(opt) {
			return false
		}
		if string(opt[1:1+n]) == "iPXE" {
			return true
		}
		opt = opt[1+n:]
	}
	return false
}

// machineUUID reads option 97: type 0, then 16 bytes whose first three fields are little-endian (seen with iPXE and
// edk2).
func machineUUID(opt []byte) string {
	if len(opt) != 17 || opt[0] != 0 {
		return ""
	}
	var u uuid.UUID
	copy(u[:], opt[1:])
	slices.Reverse(u[0:4])
	slices.Reverse(u[4:6])
	slices.Reverse(u[6:8])
	return realUUID(u)
}

// realUUID refuses what boards without a UUID report.
func realUUID(u uuid.UUID) string {
	if u == uuid.Nil || u == uuid.Max {
		return ""
	}
	return u.String()
}

// canonicalUUID reads a UUID from a URL.
func canonicalUUID(s string) string {
	if len(s) != 36 {
		return ""
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return ""
	}
	return realUUID(u)
}

// canonicalMAC reads a MAC from a URL, with colons, dashes or nothing between the bytes.
func canonicalMAC(s string) net.HardwareAddr {
	if len(s) > 17 {
		return nil
	}
	s = strings.NewReplacer(":", "", "-", "").Replace(s)
	mac, err := hex.DecodeString(s)
	if err != nil || !unicastMAC(mac) {
		return nil
	}
	return mac
}

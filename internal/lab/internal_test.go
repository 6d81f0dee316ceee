package lab

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestArguments(t *testing.T) {
	tests := []struct {
		name   string
		spec   MachineSpec
		want   []string
		absent []string
	}{
		{"BIOS shows its text on the serial port", MachineSpec{},
			[]string{"q35,graphics=off", "virtio-net-pci,netdev=n0,mac=52:54:00", "bootindex=1"}, []string{"romfile", "pflash"}},
		{"UEFI with virtio uses its own PXE", MachineSpec{Firmware: UEFI},
			[]string{"romfile=", "unit=0,readonly=on,file=CODE", "unit=1,file=VARS"}, []string{"graphics=off", "fw_cfg"}},
		{"UEFI with e1000e needs the ROM", MachineSpec{Firmware: UEFI, NIC: "e1000e"}, []string{"e1000e,netdev=n0"}, []string{"romfile"}},
		{"HTTP Boot first", MachineSpec{Firmware: UEFIHTTP},
			[]string{"name=opt/org.tianocore/IPv4PXESupport,string=no", "name=opt/org.tianocore/IPv6PXESupport,string=no"}, nil},
		{"Secure Boot locks the variables", MachineSpec{Firmware: UEFISecureBoot}, []string{"smm=on", "property=secure,value=on"}, nil},
		{"clock", MachineSpec{RTC: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)}, []string{"base=2050-01-01T00:00:00"}, nil},
		{"no card", MachineSpec{NIC: "none"}, nil, []string{"netdev"}},
		{"a comma in a path does not end it", MachineSpec{Disks: []Disk{{Size: 512}}}, []string{"file=a,,b"}, nil},
		{"disk first", MachineSpec{BootOrder: []BootDevice{BootDisk}, Disks: []Disk{{Bus: USB, Size: 512}, {Bus: NVMe, Size: 512}}},
			[]string{"nvme,drive=d1,bootindex=1", "removable=on,drive=d0,bootindex=4", "mac=52:54:00", "bootindex=2"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.spec.Name = "m"
			spec, err := tt.spec.complete("lab")
			require.NoError(t, err)
			got := strings.Join(spec.arguments(launch{
				lab: "lab", tap: "t-m", accel: accelTCG, code: "CODE", vars: "VARS", disks: []string{"a,b", "c"}, qmpFD: 3, serialFD: 4,
			}), " ")
			for _, w := range tt.want {
				assert.Contains(t, got, w)
			}
			for _, w := range tt.absent {
				assert.NotContains(t, got, w)
			}
		})
	}
}

func TestBadSpecsAreNamed(t *testing.T) {
	tests := []struct {
		spec MachineSpec
		want string
	}{
		{MachineSpec{}, "machine name"},
		{MachineSpec{Name: "../x"}, "machine name"},
		{MachineSpec{Name: "m", Firmware: "coreboot"}, "firmware"},
		{MachineSpec{Name: "m", MAC: "01:00:00:00:00:01"}, "unicast"},
		{MachineSpec{Name: "m", UUID: "x"}, "UUID"},
		{MachineSpec{Name: "m", Disks: []Disk{{}}}, "disk 0: size"},
		{MachineSpec{Name: "m", Disks: []Disk{{File: "/nonexistent"}}}, "disk 0"},
		{MachineSpec{Name: "m", BootOrder: []BootDevice{"floppy"}}, "boot device"},
		{MachineSpec{Name: "m", Accel: "hvf"}, "accel"},
	}
	for _, tt := range tests {
		_, err := tt.spec.complete("lab")
		assert.ErrorContains(t, err, tt.want)
	}
}

func TestWakesLikeACard(t *testing.T) {
	mac := net.HardwareAddr{0x52, 0x54, 0, 1, 2, 3}
	magic := append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(mac, 16)...)
	frame := func(to net.HardwareAddr, ethertype uint16, payload ...[]byte) []byte {
		f := append(append([]byte{}, to...), 2, 0, 0, 0, 0, 1, byte(ethertype>>8), byte(ethertype))
		return append(f, bytes.Join(payload, nil)...)
	}
	broadcast := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	other := net.HardwareAddr{0x52, 0x54, 0, 9, 9, 9}
	tests := []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"own ethertype", frame(broadcast, 0x0842, magic), true},
		{"somewhere in an IP packet", frame(broadcast, 0x0800, make([]byte, 28), magic, []byte("password")), true},
		{"to the card itself", frame(mac, 0x86dd, magic), true},
		{"to another card", frame(other, 0x0842, magic), false},
		{"for another card", frame(broadcast, 0x0842, append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(other, 16)...)), false},
		{"fifteen times only", frame(broadcast, 0x0842, magic[:6+15*6]), false},
		{"no sync", frame(broadcast, 0x0842, magic[1:]), false},
		{"empty", nil, false},
		{"header only", frame(broadcast, 0x0842), false},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, wakes(tt.frame, mac), tt.name)
	}
}

func FuzzWakeFrames(f *testing.F) {
	mac := net.HardwareAddr{0x52, 0x54, 0, 1, 2, 3}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 0, 0x4f, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		wakes(data, mac)
		if len(data) >= 14 {
			describeWake(Frame{Data: data})
		}
	})
}

func TestTerminalText(t *testing.T) {
	in := "\x1b[2J\x1b[01;01HBds\x1b[0mDxe: \x00load\r\ning\x1b(B \x1b]0;title\x07ok"
	var tt terminalText
	for i := range len(in) {
		tt.feed([]byte(in[i : i+1])) // in the smallest pieces
	}
	assert.Equal(t, "BdsDxe: load\ning ok", string(tt.text))
	m := tt.match([]int{0, 6})
	assert.Equal(t, int64(strings.Index(in, "Dxe:")+3), m.End)
}

func FuzzTerminalText(f *testing.F) {
	f.Add([]byte("\x1b[2Ja\x1b]x\x07b\x1b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tt terminalText
		tt.feed(data)
		if len(tt.text) != len(tt.ends) || tt.raw != int64(len(data)) {
			t.Fatal("offsets and text went apart")
		}
	})
}

func TestPortNames(t *testing.T) {
	long := portName("t-", "uefi-secureboot-machine")
	assert.LessOrEqual(t, len(long), 15)
	assert.NotEqual(t, long, portName("t-", "uefi-secureboot-machinf"))
	assert.Equal(t, "t-uefi1", portName("t-", "uefi1"))
}

package pxe_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe"
)

// biosDisk is a disk whose boot sector prints a mark.
func biosDisk(t *testing.T) string {
	code := []byte{0x31, 0xc0, 0x8e, 0xd8, // ds = 0
		0xbe, 0x15, 0x7c, // si = text
		0xac, 0x08, 0xc0, 0x74, 0x06, // next byte, end at zero
		0xb4, 0x0e, 0xcd, 0x10, 0xeb, 0xf5, // print it
		0xf4, 0xeb, 0xfd} // halt, for ever
	code = append(code, "DISK-MARK bios\r\n\x00"...)
	disk := make([]byte, 1<<20)
	copy(disk, code)
	copy(disk[510:], "\x55\xaa")
	return writeDisk(t, disk)
}

func writeDisk(t *testing.T, data []byte) string {
	name := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	return name
}

// uefiDisk is a disk with the fallback loader, a GRUB that prints a mark.
func uefiDisk(t *testing.T) string {
	for _, tool := range []string{"grub-mkstandalone", "mformat", "mcopy", "mmd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	dir := t.TempDir()
	cfg, efi, disk := filepath.Join(dir, "grub.cfg"), filepath.Join(dir, "boot.efi"), filepath.Join(dir, "disk")
	require.NoError(t, os.WriteFile(cfg, []byte("echo 'DISK-MARK uefi'\necho\nsleep 2\nhalt\n"), 0o600))
	run(t, "grub-mkstandalone", "-O", "x86_64-efi", "--install-modules=normal echo sleep halt", "--locales=", "--fonts=", "--themes=", "-o", efi, "boot/grub/grub.cfg="+cfg)
	f, err := os.Create(disk)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(40<<20))
	require.NoError(t, f.Close())
	run(t, "mformat", "-i", disk, "-F", "::")
	run(t, "mmd", "-i", disk, "::EFI", "::EFI/BOOT")
	run(t, "mcopy", "-i", disk, efi, "::EFI/BOOT/BOOTX64.EFI")
	return disk
}

// A machine with the network card first reaches its disk, at once or when nobody presses a key (PXE-15a, PXE-20).
func TestBootLocalDisk(t *testing.T) {
	kernel := needVM(t)
	for _, firmware := range []string{"bios", "uefi"} {
		for _, menu := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s menu=%t", firmware, menu), func(t *testing.T) {
				s := newSegment(t)
				h := s.serve(helperConfig{Mode: pxe.ModeServer, Action: pxe.LocalDisk, Menu: menu, MenuTime: 5 * time.Second, RA: true, Files: bootFiles(t, kernel), Force: true})
				h.line("HELPER ready")
				disk := biosDisk
				if firmware == "uefi" {
					disk = uefiDisk
				}
				v := s.boot(firmware, "-drive", "if=none,id=d0,format=raw,file="+disk(t), "-device", "virtio-blk-pci,drive=d0,bootindex=2")
				_, took := v.mark("DISK-MARK "+firmware, bootLimit)
				h.phases(v)
				t.Logf("%.1f s from power-on to the disk", took.Seconds())
				b, err := os.ReadFile(v.console)
				require.NoError(t, err)
				if menu {
					require.Contains(t, strings.ReplaceAll(printable(b), "\n", ""), "Install")
				}
			})
		}
	}
}

// Beside somebody else's DHCP server (PXE-10).
func TestBootProxy(t *testing.T) {
	kernel := needVM(t)
	for _, tt := range []struct {
		name, firmware string
		extra          []string
	}{
		{"bios", "bios", nil},
		{"uefi", "uefi", nil},
		{"uefi http", "uefi", []string{"-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=no",
			"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSegment(t)
			other := s.host()
			run(t, "ip", "-n", other, "addr", "add", "10.77.0.2/24", "dev", "eth0")
			dnsmasq(t, other)
			h := s.serve(helperConfig{Mode: pxe.ModeProxy, Action: pxe.BootEnvironment, Files: bootFiles(t, kernel), Args: "console=ttyS0 quiet"})
			h.line("HELPER ready")
			v := s.boot(tt.firmware, tt.extra...)
			line, took := v.mark("BOOTYARD-MARK ", bootLimit)
			h.phases(v)
			t.Logf("%.1f s from power-on to init: %s", took.Seconds(), line)
			require.Contains(t, line, "second-archive")
		})
	}
}

// A UEFI machine whose card brings iPXE (QEMU's e1000e): the kernel by iPXE, the local disk by GRUB.
func TestBootUEFIiPXE(t *testing.T) {
	kernel := needVM(t)
	for _, action := range []pxe.Action{pxe.BootEnvironment, pxe.LocalDisk} {
		t.Run(string(action), func(t *testing.T) {
			s := newSegment(t)
			h := s.serve(helperConfig{Mode: pxe.ModeServer, Action: action, RA: true, Files: bootFiles(t, kernel), Args: "console=ttyS0 quiet", Force: true})
			h.line("HELPER ready")
			v := s.boot("uefi-e1000e", "-drive", "if=none,id=d0,format=raw,file="+uefiDisk(t), "-device", "virtio-blk-pci,drive=d0,bootindex=2")
			want := "BOOTYARD-MARK"
			if action == pxe.LocalDisk {
				want = "DISK-MARK uefi"
			}
			line, took := v.mark(want, bootLimit)
			h.phases(v)
			t.Logf("%.1f s from power-on: %s", took.Seconds(), line)
		})
	}
}

// A key in the menu starts the deployment (PXE-20).
func TestBootMenuChoice(t *testing.T) {
	kernel := needVM(t)
	for _, firmware := range []string{"bios", "uefi"} {
		t.Run(firmware, func(t *testing.T) {
			s := newSegment(t)
			h := s.serve(helperConfig{Mode: pxe.ModeServer, Action: pxe.BootEnvironment, Menu: true, MenuTime: time.Minute, RA: true, Files: bootFiles(t, kernel),
				Args: "console=ttyS0 quiet", Force: true})
			h.line("HELPER ready")
			v := s.boot(firmware)
			_, took := v.mark("Install", bootLimit)
			v.press("down", "ret")
			_, end := v.mark("BOOTYARD-MARK", bootLimit)
			h.phases(v)
			t.Logf("%.1f s to the menu, %.1f s to init", took.Seconds(), end.Seconds())
			h.event("script for the choice", func(e pxe.Event) bool { return e.Machine.Choice == "BYD20000" && e.Answer == "script" })
		})
	}
}

// A machine that got no decision, then no kernel, asks again by itself until it boots.
func TestBootAfterFailures(t *testing.T) {
	kernel := needVM(t)
	for _, firmware := range []string{"bios", "uefi"} {
		t.Run(firmware, func(t *testing.T) {
			s := newSegment(t)
			h := s.serve(helperConfig{Mode: pxe.ModeServer, Action: pxe.BootEnvironment, FailScripts: 1, FailFiles: 1, RA: true,
				Files: bootFiles(t, kernel), Args: "console=ttyS0 quiet", Force: true})
			h.line("HELPER ready")
			v := s.boot(firmware)
			line, took := v.mark("BOOTYARD-MARK", bootLimit)
			h.phases(v)
			t.Logf("%.1f s to init", took.Seconds())
			require.Contains(t, line, "second-archive")
		})
	}
}

// The iPXE that other BIOS ROMs load by TFTP, and the library's way of sending it. QEMU has no ROM but iPXE, so a bare
// iPXE fetches it.
func TestBootUndionly(t *testing.T) {
	kernel := needVM(t)
	const lkrn = "/boot/ipxe.lkrn"
	if _, err := os.Stat(lkrn); err != nil {
		t.Skip("needs Debian package ipxe")
	}
	s := newSegment(t)
	h := s.serve(helperConfig{Mode: pxe.ModeServer, Action: pxe.BootEnvironment, RA: true, Files: bootFiles(t, kernel), Args: "console=ttyS0 quiet", Force: true})
	h.line("HELPER ready")
	script := writeDisk(t, []byte("#!ipxe\ndhcp\nchain tftp://10.77.0.1/undionly.kpxe\n"))
	v := s.boot("bios", "-kernel", lkrn, "-initrd", script)
	line, took := v.mark("BOOTYARD-MARK", bootLimit)
	h.phases(v)
	t.Logf("%.1f s to init", took.Seconds())
	require.Contains(t, line, "second-archive")
	h.event("undionly by TFTP", func(e pxe.Event) bool { return e.Protocol == "tftp" && e.Answer == "file" && e.File == "undionly.kpxe" })
}

package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Firmware is what a machine starts with.
type Firmware string

// Firmware kinds.
const (
	// BIOS is SeaBIOS, with its text and iPXE's on the serial console. The
	// network card's ROM is iPXE.
	BIOS Firmware = "bios"
	// UEFI is OVMF. With a virtio card its own PXE stack is used.
	UEFI Firmware = "uefi"
	// UEFIHTTP is OVMF with PXE switched off, so that the first thing it tries
	// on the network is HTTP Boot.
	UEFIHTTP Firmware = "uefi-http"
	// UEFISecureBoot is OVMF with Microsoft's keys enrolled and enforced.
	UEFISecureBoot Firmware = "uefi-secureboot"
)

// Bus is how a disk is attached.
type Bus string

// Buses.
const (
	Virtio Bus = "virtio"
	SCSI   Bus = "scsi" // virtio-scsi
	AHCI   Bus = "ahci"
	NVMe   Bus = "nvme"
	USB    Bus = "usb" // a removable stick on xHCI
)

// Disk is one disk. With File it is that file, used in place. With Size it is
// an empty one that the lab makes and keeps until the machine is removed. Disks
// are attached in the order of the list, so a stick that is listed first is
// found first by firmware and kernel.
type Disk struct {
	Bus      Bus    // default Virtio
	Size     int64  // bytes, multiple of 512; ignored with File
	File     string // existing image
	Format   string // "raw" (default) or "qcow2"
	Serial   string // default: disk0, disk1, ...
	ReadOnly bool
}

// BootDevice is a kind of device in a boot order.
type BootDevice string

// Boot devices.
const (
	BootNetwork BootDevice = "network"
	BootDisk    BootDevice = "disk" // disks that are not USB
	BootCD      BootDevice = "cd"
	BootUSB     BootDevice = "usb"
)

// MachineSpec describes a machine. Only Name is needed.
type MachineSpec struct {
	// Name is lower-case letters, digits and dashes, at most 30.
	Name     string
	Firmware Firmware // default BIOS
	// MAC and UUID default to values made from the names of lab and machine,
	// the same each time.
	MAC       string
	UUID      string
	MemoryMiB int // default 1536: firmware may download a RAM disk
	CPUs      int // default 1
	// NIC is the QEMU device name: virtio-net-pci (default), e1000, e1000e ...
	// "none" leaves the card out.
	NIC string
	// NICROM keeps iPXE, QEMU's option ROM, on a virtio card under UEFI; the
	// default is to leave it out, so that the firmware's own PXE is tested.
	NICROM bool
	Disks  []Disk
	CDROM  string // ISO file
	// BootOrder lists what is tried first; what it does not name follows in the
	// order network, disk, cd, usb.
	BootOrder []BootDevice
	// RTC is the hardware clock at power-on; zero: the true time (UTC).
	RTC time.Time
	// Accel is "kvm", "tcg" or empty, which takes what ProbeAccel found.
	Accel string
	// VGA adds a graphics card, for Screenshot. Without one all text goes to
	// the serial console.
	VGA bool
	// ExtraArgs go to the end of QEMU's command line.
	ExtraArgs []string
}

func (s MachineSpec) complete(labName string) (MachineSpec, error) {
	if !validName.MatchString(s.Name) {
		return s, fmt.Errorf("machine name %q: use 1 to 30 lower-case letters, digits and dashes", s.Name)
	}
	fail := func(format string, args ...any) (MachineSpec, error) {
		return s, fmt.Errorf("machine %q: "+format, append([]any{s.Name}, args...)...)
	}
	if s.Firmware == "" {
		s.Firmware = BIOS
	}
	if !slices.Contains([]Firmware{BIOS, UEFI, UEFIHTTP, UEFISecureBoot}, s.Firmware) {
		return fail("firmware %q: use %s, %s, %s or %s", s.Firmware, BIOS, UEFI, UEFIHTTP, UEFISecureBoot)
	}
	if s.MAC == "" {
		s.MAC = stableMAC(0x00, labName, s.Name).String()
	}
	mac, err := net.ParseMAC(s.MAC)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 {
		return fail("MAC %q: give a unicast address such as 52:54:00:12:34:56", s.MAC)
	}
	s.MAC = mac.String()
	if s.UUID == "" {
		s.UUID = uuid.NewSHA1(uuid.NameSpaceURL, []byte("bootyard-lab/"+labName+"/"+s.Name)).String()
	}
	id, err := uuid.Parse(s.UUID)
	if err != nil {
		return fail("UUID %q: %w", s.UUID, err)
	}
	s.UUID = id.String()
	if s.MemoryMiB == 0 {
		s.MemoryMiB = 1536
	}
	if s.CPUs == 0 {
		s.CPUs = 1
	}
	if s.NIC == "" {
		s.NIC = "virtio-net-pci"
	}
	if s.MemoryMiB < 32 || s.CPUs < 1 || s.CPUs > 64 {
		return fail("memory %d MiB and %d CPUs: at least 32 MiB and 1 to 64 CPUs", s.MemoryMiB, s.CPUs)
	}
	if !slices.Contains([]string{"", accelKVM, accelTCG}, s.Accel) {
		return fail("accel %q: use %s, %s or leave it out", s.Accel, accelKVM, accelTCG)
	}
	for _, b := range s.BootOrder {
		if !slices.Contains(defaultBootOrder, b) {
			return fail("boot device %q: use %v", b, defaultBootOrder)
		}
	}
	if s.CDROM != "" {
		if s.CDROM, err = existingFile(s.CDROM); err != nil {
			return fail("CD: %w", err)
		}
	}
	s.Disks = slices.Clone(s.Disks)
	for i := range s.Disks {
		if err := s.Disks[i].complete(i); err != nil {
			return fail("disk %d: %w", i, err)
		}
	}
	return s, nil
}

func (d *Disk) complete(index int) (err error) {
	if d.Bus == "" {
		d.Bus = Virtio
	}
	if !slices.Contains([]Bus{Virtio, SCSI, AHCI, NVMe, USB}, d.Bus) {
		return fmt.Errorf("bus %q: use %s, %s, %s, %s or %s", d.Bus, Virtio, SCSI, AHCI, NVMe, USB)
	}
	if d.Format == "" {
		d.Format = "raw"
	}
	if d.Format != "raw" && d.Format != "qcow2" {
		return fmt.Errorf("format %q: use raw or qcow2", d.Format)
	}
	if d.Serial == "" {
		d.Serial = fmt.Sprintf("disk%d", index)
	}
	if d.File == "" {
		if d.Size <= 0 || d.Size%512 != 0 {
			return fmt.Errorf("size %d: give a positive multiple of 512 bytes, or an existing file", d.Size)
		}
		return nil
	}
	d.File, err = existingFile(d.File)
	return err
}

func existingFile(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s is a folder", abs)
	}
	return abs, nil
}

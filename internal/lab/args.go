package lab

import (
	"fmt"
	"slices"
	"strings"
)

const qemuBinary = "qemu-system-x86_64"

var defaultBootOrder = []BootDevice{BootNetwork, BootDisk, BootCD, BootUSB}

// launch is what the command line needs beyond the spec: files and descriptors.
type launch struct {
	lab       string
	tap       string
	accel     string
	code      string   // UEFI code image, read only
	vars      string   // this machine's own variable store
	disks     []string // one file per spec.Disks
	qmpFD     int      // listening sockets, inherited
	serialFD  int
	serialLog string
}

// arguments makes QEMU's command line. It is a pure function, so that tests can
// read what a spec means without starting anything.
func (s MachineSpec) arguments(l launch) []string {
	a := []string{
		"-name", "guest=" + comma(l.lab+"/"+s.Name),
		"-nodefaults", "-no-user-config", "-display", "none",
		"-uuid", s.UUID,
		"-m", fmt.Sprint(s.MemoryMiB), "-smp", fmt.Sprint(s.CPUs),
		"-chardev", fmt.Sprintf("socket,id=serial0,fd=%d,server=on,wait=off,logfile=%s,logappend=on", l.serialFD, comma(l.serialLog)),
		"-serial", "chardev:serial0",
		"-chardev", fmt.Sprintf("socket,id=qmp0,fd=%d,server=on,wait=off", l.qmpFD),
		"-mon", "chardev=qmp0,mode=control",
		"-device", "virtio-rng-pci",
	}
	a = append(a, s.machineArguments(l)...)
	order := s.bootIndexes()
	a = append(a, s.nicArguments(l, order)...)
	for i, d := range s.Disks {
		a = append(a, d.arguments(i, l.disks[i], order.disks[i])...)
	}
	if s.CDROM != "" {
		a = append(a,
			"-drive", "if=none,id=cd0,media=cdrom,readonly=on,file="+comma(s.CDROM),
			"-device", fmt.Sprintf("ide-cd,drive=cd0,bus=ide.1,bootindex=%d", order.cd))
	}
	if s.VGA {
		a = append(a, "-vga", "std")
	}
	if !s.RTC.IsZero() {
		a = append(a, "-rtc", "base="+s.RTC.UTC().Format("2006-01-02T15:04:05")+",clock=host")
	}
	return append(a, s.ExtraArgs...)
}

func (s MachineSpec) machineArguments(l launch) []string {
	machine := "q35"
	if s.Firmware == BIOS {
		// SeaBIOS and iPXE then write to the serial port.
		machine += ",graphics=off"
	}
	if s.Firmware == UEFISecureBoot {
		machine += ",smm=on"
	}
	a := append([]string{"-machine", machine}, accelArguments(l.accel)...)
	if s.Firmware == BIOS {
		return a
	}
	if s.Firmware == UEFISecureBoot {
		a = append(a, "-global", "driver=cfi.pflash01,property=secure,value=on",
			"-global", "ICH9-LPC.disable_s3=1")
	}
	if s.Firmware == UEFIHTTP {
		a = append(a, "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=no",
			"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=no")
	}
	return append(a,
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+comma(l.code),
		"-drive", "if=pflash,format=raw,unit=1,file="+comma(l.vars))
}

func (s MachineSpec) nicArguments(l launch, order bootIndexes) []string {
	if s.NIC == "none" {
		return nil
	}
	device := fmt.Sprintf("%s,netdev=n0,mac=%s,bootindex=%d", s.NIC, s.MAC, order.network)
	if s.Firmware != BIOS && !s.NICROM && strings.HasPrefix(s.NIC, "virtio-net") {
		// OVMF has a driver for virtio-net only; other cards work through
		// their iPXE ROM, so it must stay.
		device += ",romfile="
	}
	return []string{
		"-netdev", "tap,id=n0,ifname=" + l.tap + ",script=no,downscript=no,vhost=off",
		"-device", device,
	}
}

func (d Disk) arguments(i int, file string, bootIndex int) []string {
	id := fmt.Sprintf("d%d", i)
	// cache=unsafe: a lab disk need not survive this computer's power failure,
	// only QEMU's end, and syncs cost minutes in an installation.
	drive := fmt.Sprintf("if=none,id=%s,format=%s,cache=unsafe,discard=unmap,detect-zeroes=unmap,file=%s", id, d.Format, comma(file))
	if d.ReadOnly {
		drive += ",readonly=on"
	}
	common := fmt.Sprintf("drive=%s,bootindex=%d", id, bootIndex)
	serial := ",serial=" + comma(d.Serial)
	a := []string{"-drive", drive}
	switch d.Bus {
	case SCSI:
		return append(a, "-device", "virtio-scsi-pci,id=scsi"+id, "-device", "scsi-hd,bus=scsi"+id+".0,"+common+serial)
	case AHCI:
		// A controller per disk: its place on the PCI bus then follows the
		// order of the list, beside disks of other kinds.
		return append(a, "-device", "ich9-ahci,id=ahci"+id, "-device", "ide-hd,bus=ahci"+id+".0,"+common+serial)
	case NVMe:
		return append(a, "-device", "nvme,"+common+serial)
	case USB:
		return append(a, "-device", "qemu-xhci,id=usb"+id, "-device", "usb-storage,bus=usb"+id+".0,removable=on,"+common+serial)
	default:
		return append(a, "-device", "virtio-blk-pci,"+common+serial)
	}
}

type bootIndexes struct {
	network, cd int
	disks       []int
}

// bootIndexes gives every bootable device its place: the kinds of BootOrder
// first, then the others, disks of one kind in the order of the list.
func (s MachineSpec) bootIndexes() bootIndexes {
	order := slices.Clone(s.BootOrder)
	for _, kind := range defaultBootOrder {
		if !slices.Contains(order, kind) {
			order = append(order, kind)
		}
	}
	next := 0
	take := func() int { next++; return next }
	out := bootIndexes{disks: make([]int, len(s.Disks))}
	for _, kind := range order {
		switch kind {
		case BootNetwork:
			out.network = take()
		case BootCD:
			out.cd = take()
		default:
			for i, d := range s.Disks {
				if (d.Bus == USB) == (kind == BootUSB) {
					out.disks[i] = take()
				}
			}
		}
	}
	return out
}

// comma escapes a value in QEMU's key=value lists.
func comma(s string) string { return strings.ReplaceAll(s, ",", ",,") }

// accelArguments says how the processor is run. Under emulation, one thread per
// guest CPU and a cache large enough that a whole boot is translated once.
func accelArguments(accel string) []string {
	if accel == accelKVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"}
}

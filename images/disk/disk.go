package disk

import (
	"fmt"
	"strings"
)

// Bus is how a disk is attached.
type Bus string

// The buses that are told apart. A disk on none of them is BusOther.
const (
	BusATA    Bus = "ata"
	BusNVMe   Bus = "nvme"
	BusVirtio Bus = "virtio"
	BusSCSI   Bus = "scsi"
	BusUSB    Bus = "usb"
	BusMMC    Bus = "mmc"
	BusOther  Bus = "other"
)

// Disk is one whole disk as sysfs describes it at one moment.
type Disk struct {
	Name       string   // kernel name, such as nvme0n1; not stable over restarts
	Path       string   // device node
	DevPath    string   // sysfs device path, by which disks are ordered
	Model      string   // empty when the disk does not say
	Serial     string   // empty when the disk does not say
	WWID       string   // world-wide name, empty when the disk has none
	Size       int64    // bytes
	SectorSize int      // logical sector size in bytes
	Bus        Bus      //
	Number     string   // device number, major:minor
	Partitions []string // kernel names of its partitions
	Mounted    []string // mount points of the disk and its partitions; swap counts as "[swap]"
	Holders    []string // device mapper and md devices on top of it
	Excluded   string   // why the disk must never be a target; empty for a target
}

// String describes the disk the way a person tells two disks apart.
func (d Disk) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s", d.Path, FormatSize(d.Size))
	if d.Bus != "" {
		fmt.Fprintf(&b, ", %s", d.Bus)
	}
	for _, f := range []struct{ key, value string }{{"model", d.Model}, {"serial", d.Serial}} {
		if f.value == "" {
			f.value = "unknown"
		}
		fmt.Fprintf(&b, ", %s %s", f.key, f.value)
	}
	b.WriteByte(')')
	return b.String()
}

// FormatSize writes a number of bytes with a binary unit and one decimal.
func FormatSize(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, exp := float64(n)/unit, 0
	for v >= unit && exp < 4 {
		v /= unit
		exp++
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[exp])
}

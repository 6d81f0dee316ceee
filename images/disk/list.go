package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// MediumLabel begins the volume label of every boot medium that bootyard makes.
const MediumLabel = "BOOTYARD"

// System says where sys, proc and dev are found. The zero value is the machine
// itself; tests give the root of a tree of their own.
type System struct {
	Root string
}

func (s System) path(elem ...string) string {
	root := s.Root
	if root == "" {
		root = "/"
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// List returns the disks of the machine in stable bus order: by the path of the
// device in sysfs (PCI address first), never by the order in which drivers
// found them. Optical drives and devices without hardware of their own (loop,
// ram, zram, md, device mapper) are not disks. Disks that must not be written
// are in the list, with the reason in Excluded.
func List(ctx context.Context, sys System) ([]Disk, error) {
	entries, err := os.ReadDir(sys.path("sys/block"))
	if err != nil {
		return nil, fmt.Errorf("list disks: %w", err)
	}
	inUse := readInUse(sys)
	var disks []Disk
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list disks: %w", err)
		}
		if ignoredName(e.Name()) {
			continue
		}
		d, ok := readDisk(sys, e.Name(), inUse)
		if !ok || strings.HasPrefix(d.DevPath, "virtual/") || d.optical(sys) {
			continue
		}
		d.Excluded = exclude(sys, d)
		disks = append(disks, d)
	}
	slices.SortStableFunc(disks, func(a, b Disk) int { return compareDevPath(a.DevPath, b.DevPath) })
	markDuplicates(disks)
	return disks, nil
}

// Lookup describes one block device by its node, also one that List leaves out
// (a loop device of a test bench). Nothing is excluded here: Apply still
// refuses a disk that is mounted.
func Lookup(sys System, node string) (Disk, error) {
	name := filepath.Base(node)
	if _, err := os.Stat(sys.path("sys/block", name)); err != nil {
		return Disk{}, fmt.Errorf("look up disk %s: %w", node, err)
	}
	d, ok := readDisk(sys, name, readInUse(sys))
	if !ok {
		return Disk{}, fmt.Errorf("look up disk %s: sysfs does not describe a usable block device", node)
	}
	return d, nil
}

// Targets returns the disks that a task sequence may write, in bus order. The
// index into the result is OSDDiskIndex.
func Targets(disks []Disk) []Disk {
	var out []Disk
	for _, d := range disks {
		if d.Excluded == "" {
			out = append(out, d)
		}
	}
	return out
}

// ignoredName is needed beside the test for virtual devices because old
// kernels keep some of these outside devices/virtual, and because the boot and
// replay areas of an eMMC appear as disks of their own.
func ignoredName(name string) bool {
	for _, p := range []string{"loop", "ram", "zram", "md", "dm-", "sr", "fd", "nbd", "drbd", "mtdblock", "zd", "ubiblock"} {
		if rest, ok := strings.CutPrefix(name, p); ok && (rest == "" || rest[0] >= '0' && rest[0] <= '9') {
			return true
		}
	}
	return strings.HasPrefix(name, "mmcblk") && (strings.Contains(name, "boot") || strings.HasSuffix(name, "rpmb"))
}

func readDisk(sys System, name string, inUse map[string][]string) (Disk, bool) {
	dir := sys.path("sys/block", name)
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return Disk{}, false
	}
	if readAttr(dir, "hidden") == "1" { // one path of a native NVMe multipath disk
		return Disk{}, false
	}
	sectors, err := strconv.ParseInt(readAttr(dir, "size"), 10, 64)
	if err != nil || sectors < 0 || sectors > 1<<53 {
		return Disk{}, false
	}
	d := Disk{Name: name, Path: "/dev/" + strings.ReplaceAll(name, "!", "/"), Size: sectors * 512, SectorSize: 512,
		Number: readAttr(dir, "dev"), DevPath: devPath(sys, real)}
	if n, err := strconv.Atoi(readAttr(dir, "queue/logical_block_size")); err == nil && n >= 512 && n <= 65536 {
		d.SectorSize = n
	}
	d.Bus = busOf(name, d.DevPath)
	d.Model = firstAttr(dir, "device/model", "device/name")
	if v := readAttr(dir, "device/vendor"); v != "" && v != "ATA" && !strings.HasPrefix(v, "0x") && !strings.HasPrefix(d.Model, v) {
		d.Model = strings.TrimSpace(v + " " + d.Model)
	}
	d.Serial = firstAttr(dir, "serial", "device/serial")
	if d.Serial == "" {
		d.Serial = unitSerial(filepath.Join(dir, "device/vpd_pg80"))
	}
	d.WWID = firstAttr(dir, "wwid", "device/wwid")
	d.Holders = dirNames(filepath.Join(dir, "holders"))
	d.Mounted = append(d.Mounted, inUse[d.Number]...)
	for _, p := range dirNames(dir) {
		if readAttr(dir, p+"/partition") == "" {
			continue
		}
		d.Partitions = append(d.Partitions, p)
		d.Mounted = append(d.Mounted, inUse[readAttr(dir, p+"/dev")]...)
		d.Holders = append(d.Holders, dirNames(filepath.Join(dir, p, "holders"))...)
	}
	return d, true
}

// devPath is the path of the device below sys/devices. A multipath NVMe disk
// hangs below a virtual subsystem; its place in the machine is that of its
// first controller.
func devPath(sys System, real string) string {
	base, err := filepath.EvalSymlinks(sys.path("sys/devices"))
	if err != nil {
		base = sys.path("sys/devices")
	}
	rel, err := filepath.Rel(base, real)
	if err != nil || strings.HasPrefix(rel, "..") {
		return real
	}
	if !strings.HasPrefix(rel, "virtual/nvme-subsystem/") {
		return rel
	}
	var first string
	for _, n := range dirNames(filepath.Dir(real)) {
		ctrl, err := filepath.EvalSymlinks(filepath.Join(filepath.Dir(real), n))
		if !strings.HasPrefix(n, "nvme") || err != nil {
			continue
		}
		p, err := filepath.Rel(base, ctrl)
		if err != nil || strings.HasPrefix(p, "virtual/") || strings.HasPrefix(p, "..") {
			continue
		}
		if first == "" || compareDevPath(p, first) < 0 {
			first = p
		}
	}
	if first == "" {
		return "nvme-subsystem/" + filepath.Base(real)
	}
	return first + "/" + filepath.Base(real)
}

func busOf(name, devPath string) Bus {
	parts := strings.Split(devPath, "/")
	has := func(prefix string) bool {
		return slices.ContainsFunc(parts, func(p string) bool {
			rest, ok := strings.CutPrefix(p, prefix)
			return ok && rest != "" && rest[0] >= '0' && rest[0] <= '9'
		})
	}
	switch {
	case has("usb"):
		return BusUSB
	case strings.HasPrefix(name, "nvme"):
		return BusNVMe
	case strings.HasPrefix(name, "mmcblk"):
		return BusMMC
	case strings.HasPrefix(name, "vd"):
		return BusVirtio
	case has("ata"):
		return BusATA
	case strings.HasPrefix(name, "sd"):
		return BusSCSI
	}
	return BusOther
}

func (d Disk) optical(sys System) bool {
	return readAttr(sys.path("sys/block", d.Name), "device/type") == "5" // SCSI peripheral type: CD/DVD
}

// compareDevPath compares component by component and digits as numbers, so that
// ata10 comes after ata9. PCI addresses are hexadecimal of fixed width (only the
// domain can be longer) and compare as text.
func compareDevPath(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := 0; i < len(as) && i < len(bs); i++ {
		c := 0
		if pciAddress(as[i]) && pciAddress(bs[i]) {
			c = cmp.Or(len(as[i])-len(bs[i]), strings.Compare(as[i], bs[i]))
		} else {
			c = compareNatural(as[i], bs[i])
		}
		if c != 0 {
			return c
		}
	}
	return len(as) - len(bs)
}

func pciAddress(s string) bool {
	return len(s) >= 12 && s[len(s)-2] == '.' && strings.Count(s, ":") == 2
}

func compareNatural(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da > 0 && db > 0 {
			na, nb := strings.TrimLeft(a[:da], "0"), strings.TrimLeft(b[:db], "0")
			if len(na) != len(nb) {
				return len(na) - len(nb)
			}
			if c := strings.Compare(na, nb); c != 0 {
				return c
			}
			if da != db {
				return db - da
			}
			a, b = a[da:], b[db:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func readAttr(dir, name string) string {
	b, err := readBounded(filepath.Join(dir, name), 4096)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ToValidUTF8(strings.Trim(string(b), "\x00"), ""))
}

func firstAttr(dir string, names ...string) string {
	for _, n := range names {
		if v := readAttr(dir, n); v != "" {
			return v
		}
	}
	return ""
}

// unitSerial reads the SCSI vital product data page 80h: four bytes of header,
// then the serial in ASCII (SPC-4, 7.8.16).
func unitSerial(path string) string {
	b, err := readBounded(path, 256)
	if err != nil || len(b) < 4 || b[1] != 0x80 {
		return ""
	}
	n := min(int(b[2])<<8|int(b[3]), len(b)-4)
	return strings.TrimSpace(strings.ToValidUTF8(strings.Trim(string(b[4:4+n]), "\x00"), ""))
}

func dirNames(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.SortFunc(names, compareNatural)
	return names
}

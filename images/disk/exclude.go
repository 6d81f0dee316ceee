package disk

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// exclude says why a disk may not be a target; empty means that it may.
func exclude(sys System, d Disk) string {
	dir := sys.path("sys/block", d.Name)
	switch {
	case d.Size == 0:
		return "has no medium"
	case readAttr(dir, "removable") == "1":
		return "removable"
	case readAttr(dir, "ro") == "1":
		return "read-only"
	}
	if label := mediumLabel(sys, d); label != "" {
		return fmt.Sprintf("boot medium (label %s)", label)
	}
	if len(d.Mounted) > 0 {
		if isoMounted(sys, d) {
			return "boot medium (mounted)"
		}
	}
	// Many sticks, and QEMU's, claim not to be removable. A disk on a USB port
	// is taken only when the firmware says that the port is not one people
	// can reach (ACPI _PLD, shown as "fixed").
	if d.Bus == BusUSB && !fixedPort(sys, d) {
		return "attached by USB"
	}
	return ""
}

// fixedPort walks up from the disk to the first USB device that says whether it
// can be unplugged.
func fixedPort(sys System, d Disk) bool {
	dir := sys.path("sys/devices", d.DevPath)
	for p := dir; strings.Contains(p, "/usb"); p = filepath.Dir(p) {
		// A usb device has busnum; the block device's own "removable" is a number.
		if readAttr(p, "busnum") != "" {
			return readAttr(p, "removable") == "fixed"
		}
	}
	return false
}

// mediumLabel returns the volume label when it is one of bootyard's media: an
// ISO 9660 volume (ECMA-119, 8.4) on the disk or a FAT volume on it or one of
// its partitions. A disk that cannot be read has no label.
func mediumLabel(sys System, d Disk) string {
	for _, name := range append([]string{d.Name}, d.Partitions...) {
		f, err := os.Open(sys.path("dev", strings.ReplaceAll(name, "!", "/")))
		if err != nil {
			continue
		}
		label := volumeLabel(f)
		_ = f.Close() // only read from
		if strings.HasPrefix(strings.ToUpper(label), MediumLabel) {
			return label
		}
	}
	return ""
}

func volumeLabel(r io.ReaderAt) string {
	var pvd [72]byte
	if _, err := r.ReadAt(pvd[:], 16*2048); err == nil && bytes.Equal(pvd[1:6], []byte("CD001")) {
		return trimLabel(pvd[40:72])
	}
	var boot [512]byte
	if _, err := r.ReadAt(boot[:], 0); err != nil || boot[510] != 0x55 || boot[511] != 0xaa {
		return ""
	}
	switch {
	case bytes.HasPrefix(boot[82:], []byte("FAT32")):
		return trimLabel(boot[71:82])
	case bytes.HasPrefix(boot[54:], []byte("FAT1")):
		return trimLabel(boot[43:54])
	}
	return ""
}

func trimLabel(b []byte) string {
	return strings.TrimRight(strings.ToValidUTF8(string(b), ""), " \x00")
}

// markDuplicates excludes all but the first path to a disk that several SCSI
// paths lead to. Only the SCSI bus is looked at: NVMe hides its own paths, and
// cheap ATA and USB disks are known to share identifiers without being one disk.
func markDuplicates(disks []Disk) {
	first := map[string]string{}
	for i, d := range disks {
		if d.Bus != BusSCSI || d.WWID == "" {
			continue
		}
		key := fmt.Sprintf("%s\x00%s\x00%d", d.WWID, d.Serial, d.Size)
		if other, ok := first[key]; !ok {
			first[key] = d.Path
		} else if d.Excluded == "" {
			disks[i].Excluded = "another path to " + other
		}
	}
}

// readInUse maps device numbers to the places where they are mounted.
func readInUse(sys System) map[string][]string {
	inUse := map[string][]string{}
	for _, m := range readMounts(sys) {
		inUse[m.number] = append(inUse[m.number], m.point)
	}
	b, err := readBounded(sys.path("proc/swaps"), 1<<16)
	if err != nil {
		return inUse
	}
	for line := range strings.Lines(string(b)) {
		node, _, _ := strings.Cut(line, " ")
		if name, ok := strings.CutPrefix(strings.TrimSpace(node), "/dev/"); ok {
			if number := deviceNumber(sys, name); number != "" {
				inUse[number] = append(inUse[number], "[swap]")
			}
		}
	}
	return inUse
}

func deviceNumber(sys System, name string) string {
	return readAttr(sys.path("sys/class/block", strings.ReplaceAll(name, "/", "!")), "dev")
}

type mount struct {
	number, point, fsType, source string
}

// readMounts parses proc/self/mountinfo (proc(5)). Btrfs shows an anonymous
// device number there, so its source is looked up instead.
func readMounts(sys System) []mount {
	b, err := readBounded(sys.path("proc/self/mountinfo"), 4<<20)
	if err != nil {
		return nil
	}
	var out []mount
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		left, right, ok := strings.Cut(sc.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 2 {
			continue
		}
		m := mount{number: l[2], point: unescapeMount(l[4]), fsType: r[0], source: unescapeMount(r[1])}
		if strings.HasPrefix(m.number, "0:") {
			if name, ok := strings.CutPrefix(m.source, "/dev/"); ok {
				if number := deviceNumber(sys, name); number != "" {
					m.number = number
				}
			}
		}
		out = append(out, m)
	}
	return out
}

func isoMounted(sys System, d Disk) bool {
	numbers := map[string]bool{d.Number: true}
	for _, p := range d.Partitions {
		numbers[deviceNumber(sys, p)] = true
	}
	for _, m := range readMounts(sys) {
		if numbers[m.number] && (m.fsType == "iso9660" || m.fsType == "udf") {
			return true
		}
	}
	return false
}

// unescapeMount undoes the octal escapes of blanks and backslashes.
func unescapeMount(s string) string {
	for _, e := range []struct{ from, to string }{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		s = strings.ReplaceAll(s, e.from, e.to)
	}
	return s
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	return io.ReadAll(io.LimitReader(f, limit))
}

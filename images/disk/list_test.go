package disk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
)

// machine is a fake sysfs, built as the kernel builds the real one: devices in
// their bus tree, links to them in sys/block.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) machine {
	m := machine{t, t.TempDir()}
	for _, d := range []string{"sys/block", "sys/devices", "sys/class/block", "proc/self", "dev"} {
		require.NoError(t, os.MkdirAll(filepath.Join(m.root, d), 0o755))
	}
	return m
}

func (m machine) write(path, content string) {
	m.t.Helper()
	p := filepath.Join(m.root, path)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(p), 0o755))
	require.NoError(m.t, os.WriteFile(p, []byte(content), 0o644))
}

func (m machine) link(target, path string) {
	m.t.Helper()
	p := filepath.Join(m.root, path)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(p), 0o755))
	require.NoError(m.t, os.Symlink(filepath.Join(m.root, target), p))
}

// add makes a disk of 10 GiB below the device, with attributes on top.
func (m machine) add(name, device, number string, attrs map[string]string) {
	m.t.Helper()
	dir := filepath.Join("sys/devices", device, "block", name)
	if strings.Contains(device, "nvme") || strings.HasPrefix(device, "virtual") {
		dir = filepath.Join("sys/devices", device, name)
	}
	all := map[string]string{"size": "20971520", "ro": "0", "removable": "0", "dev": number, "queue/logical_block_size": "512"}
	for k, v := range attrs {
		if p, ok := strings.CutPrefix(k, "device/"); ok {
			m.write(filepath.Join("sys/devices", device, p), v+"\n")
			delete(all, k)
			continue
		}
		all[k] = v
	}
	for k, v := range all {
		m.write(filepath.Join(dir, k), v+"\n")
	}
	if !strings.HasPrefix(device, "virtual") {
		m.link(filepath.Join("sys/devices", device), filepath.Join(dir, "device"))
	}
	m.link(dir, "sys/block/"+name)
	m.link(dir, "sys/class/block/"+name)
}

func (m machine) list() []disk.Disk {
	m.t.Helper()
	disks, err := disk.List(m.t.Context(), disk.System{Root: m.root})
	require.NoError(m.t, err)
	return disks
}

func names(disks []disk.Disk) []string {
	var out []string
	for _, d := range disks {
		out = append(out, d.Name)
	}
	return out
}

func TestListOrdersByBusNotByProbe(t *testing.T) {
	m := newMachine(t)
	// The stick was found first and is sda, as happens on real machines.
	m.add("sda", "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0", "8:0", nil)
	m.add("sdb", "pci0000:00/0000:00:1f.2/ata10/host9/target9:0:0/9:0:0:0", "8:16", map[string]string{"device/model": "BIG", "device/vendor": "ATA"})
	m.add("sdc", "pci0000:00/0000:00:1f.2/ata9/host8/target8:0:0/8:0:0:0", "8:32", map[string]string{"device/vpd_pg80": "\x00\x80\x00\x04 S/1"})
	m.add("nvme0n1", "pci0000:00/0000:00:06.0/nvme/nvme0", "259:0", map[string]string{"device/serial": "N-1", "device/model": "FAST"})
	m.add("vda", "pci0000:00/0000:00:03.0/virtio1", "254:0", map[string]string{"serial": "v1", "device/vendor": "0x1af4"})
	m.add("sr0", "pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", "11:0", map[string]string{"device/type": "5", "removable": "1"})
	for i, name := range []string{"loop0", "ram0", "zram0", "md127", "dm-0"} {
		m.add(name, "virtual/block", "7:"+string(rune('0'+i)), nil)
	}

	disks := m.list()

	assert.Equal(t, []string{"vda", "nvme0n1", "sda", "sdc", "sdb"}, names(disks))
	assert.Equal(t, []string{"vda", "nvme0n1", "sdc", "sdb"}, names(disk.Targets(disks)))
	assert.Equal(t, "attached by USB", disks[2].Excluded)
	assert.Equal(t, disk.BusVirtio, disks[0].Bus)
	assert.Equal(t, disk.BusNVMe, disks[1].Bus)
	assert.Equal(t, disk.BusATA, disks[3].Bus)
	assert.Equal(t, "/dev/nvme0n1 (10.0 GiB, nvme, model FAST, serial N-1)", disks[1].String())
	assert.Equal(t, "S/1", disks[3].Serial, "vital product data page 80h")
	assert.Equal(t, "/dev/vda (10.0 GiB, virtio, model unknown, serial v1)", disks[0].String())
}

func TestListExcludes(t *testing.T) {
	const ahci = "pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0"
	const usb = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0"
	iso := make([]byte, 17*2048)
	copy(iso[16*2048:], "\x01CD001\x01")
	copy(iso[16*2048+40:], "BOOTYARD_MEDIUM                 ")
	fat := make([]byte, 512)
	copy(fat[71:], "BOOTYARD   FAT32   ")
	fat[510], fat[511] = 0x55, 0xaa
	tests := map[string]struct {
		device string
		attrs  map[string]string
		extra  func(m machine)
		want   string
	}{
		"good":                {ahci, nil, nil, ""},
		"read-only":           {ahci, map[string]string{"ro": "1"}, nil, "read-only"},
		"card reader":         {ahci, map[string]string{"size": "0"}, nil, "has no medium"},
		"removable":           {usb, map[string]string{"removable": "1"}, nil, "removable"},
		"stick says fixed":    {usb, nil, nil, "attached by USB"},
		"soldered USB":        {usb, nil, func(m machine) { usbPort(m, "fixed") }, ""},
		"USB port unknown":    {usb, nil, func(m machine) { usbPort(m, "unknown") }, "attached by USB"},
		"medium by iso label": {ahci, nil, func(m machine) { m.write("dev/sda", string(iso)) }, "boot medium (label BOOTYARD_MEDIUM)"},
		"medium by fat label": {ahci, map[string]string{"sda1/partition": "1", "sda1/dev": "8:1"},
			func(m machine) { m.write("dev/sda", strings.Repeat("\x00", 40960)); m.write("dev/sda1", string(fat)) }, "boot medium (label BOOTYARD)"},
		"medium mounted": {ahci, nil, func(m machine) {
			m.write("proc/self/mountinfo", "36 25 8:0 / /run/my\\040medium ro,relatime shared:1 - iso9660 /dev/sda ro\n")
		}, "boot medium (mounted)"},
		"foreign label is no medium": {ahci, nil, func(m machine) {
			other := append([]byte(nil), iso...)
			copy(other[16*2048+40:], "DEBIAN                          ")
			m.write("dev/sda", string(other))
		}, ""},
		"a mounted disk is a target and refused later": {ahci, nil, func(m machine) {
			m.write("proc/self/mountinfo", "36 25 8:0 / /mnt rw - ext4 /dev/sda rw\n")
		}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.add("sda", tc.device, "8:0", tc.attrs)
			if tc.extra != nil {
				tc.extra(m)
			}
			disks := m.list()
			require.Len(t, disks, 1)
			assert.Equal(t, tc.want, disks[0].Excluded)
		})
	}
}

func usbPort(m machine, removable string) {
	m.write("sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/busnum", "2\n")
	m.write("sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/removable", removable+"\n")
}

func TestListSeesUse(t *testing.T) {
	m := newMachine(t)
	m.add("vda", "pci0000:00/0000:00:03.0/virtio1", "254:0", map[string]string{
		"vda1/partition": "1", "vda1/dev": "254:1", "vda2/partition": "2", "vda2/dev": "254:2",
		"vda3/partition": "3", "vda3/dev": "254:3", "vda3/holders/dm-0/x": "",
	})
	for n, dev := range map[string]string{"vda1": "254:1", "vda2": "254:2"} {
		m.write("sys/class/block/"+n+"/dev", dev+"\n")
	}
	m.write("proc/self/mountinfo", "1 0 254:1 / /boot rw - ext4 /dev/vda1 rw\n2 0 0:40 / /data rw - btrfs /dev/vda2 rw\nbroken line\n")
	m.write("proc/swaps", "Filename Type Size Used Priority\n/dev/vda2                               partition 1 0 -2\n")

	d := m.list()[0]

	assert.Equal(t, []string{"vda1", "vda2", "vda3"}, d.Partitions)
	assert.ElementsMatch(t, []string{"/boot", "/data", "[swap]"}, d.Mounted)
	assert.Equal(t, []string{"dm-0"}, d.Holders)
}

func TestListMultipath(t *testing.T) {
	m := newMachine(t)
	wwn := map[string]string{"device/wwid": "naa.600508b1001c", "device/vpd_pg80": "\x00\x80\x00\x03LUN"}
	m.add("sda", "pci0000:00/0000:00:05.0/host1/rport-1:0-0/target1:0:0/1:0:0:0", "8:0", wwn)
	m.add("sdb", "pci0000:00/0000:00:04.0/host2/rport-2:0-0/target2:0:0/2:0:0:0", "8:16", wwn)
	m.add("sdc", "pci0000:00/0000:00:04.0/host2/rport-2:0-0/target2:0:0/2:0:0:1", "8:32", map[string]string{"device/wwid": "naa.other"})
	// Native NVMe multipath: the disk hangs below a virtual subsystem, its paths are hidden.
	m.add("nvme0n1", "virtual/nvme-subsystem/nvme-subsys0", "259:0", nil)
	m.add("nvme0c0n1", "pci0000:00/0000:00:02.0/nvme/nvme0", "259:1", map[string]string{"hidden": "1"})
	m.link("sys/devices/pci0000:00/0000:00:02.0/nvme/nvme0", "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0")

	disks := m.list()

	assert.Equal(t, []string{"nvme0n1", "sdb", "sdc", "sda"}, names(disks))
	assert.Equal(t, "another path to /dev/sdb", disks[3].Excluded)
	assert.Equal(t, []string{"nvme0n1", "sdb", "sdc"}, names(disk.Targets(disks)))
}

func TestChoose(t *testing.T) {
	two := []disk.Disk{
		{Path: "/dev/sda", Size: 256 << 30, Bus: disk.BusATA, Model: "Alpha", Serial: "A1"},
		{Path: "/dev/nvme0n1", Size: 1 << 40, Bus: disk.BusNVMe, Model: "Beta"},
	}
	index := func(n int) *int { return &n }
	tests := map[string]struct {
		targets []disk.Disk
		index   *int
		want    string
		err     error
		text    []string
	}{
		"only one":     {two[:1], nil, "/dev/sda", nil, nil},
		"one by index": {two[:1], index(0), "/dev/sda", nil, nil},
		"by index":     {two, index(1), "/dev/nvme0n1", nil, nil},
		"ambiguous": {two, nil, "", disk.ErrAmbiguous, []string{"OSDDiskIndex", "nothing was written",
			"0: /dev/sda (256.0 GiB, ata, model Alpha, serial A1)", "1: /dev/nvme0n1 (1.0 TiB, nvme, model Beta, serial unknown)"}},
		"too high": {two, index(2), "", disk.ErrNoSuchDisk, []string{"OSDDiskIndex is 2", "0: /dev/sda"}},
		"negative": {two, index(-1), "", disk.ErrNoSuchDisk, nil},
		"none":     {nil, nil, "", disk.ErrNoTarget, []string{"driver"}},
		"none, 0":  {nil, index(0), "", disk.ErrNoTarget, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := disk.Choose(tc.targets, tc.index)
			require.ErrorIs(t, err, tc.err)
			assert.Equal(t, tc.want, d.Path)
			for _, text := range tc.text {
				assert.ErrorContains(t, err, text)
			}
		})
	}
}

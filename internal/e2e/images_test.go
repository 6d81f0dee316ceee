package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

// TestTS118bImages deploys one Debian from each kind of image and starts it: WIM,
// squashfs, a raw disk and a qcow2 disk, the disks being those of the two
// machines before them (TS-118b). The disk for UEFI comes without the loader
// that firmware starts by itself, as systems write it that trust in their entry.
func TestTS118bImages(t *testing.T) {
	needsVM(t, true)
	s := newScene(t)
	files, disks := debianWithFacts(t), wholeDisk(t, debianWithFacts(t))
	root, seen := unpackedDebian(t), map[string]facts{}
	sources := map[string]string{}
	for i, c := range []struct {
		name     string
		firmware lab.Firmware
		disk     lab.Disk
		sequence string
		pack     func(t *testing.T, file string)
		file     string
	}{
		{"wim-uefi", lab.UEFI, lab.Disk{Bus: lab.Virtio, Size: 3 << 30}, files, func(t *testing.T, file string) {
			tool(t, "wimlib-imagex", "capture", root, file, "Debian", "--unix-data", "--compress=fast", "--check")
		}, "debian.wim"},
		{"squashfs-bios", lab.BIOS, lab.Disk{Bus: lab.AHCI, Size: 3 << 30}, files, func(t *testing.T, file string) {
			tool(t, "mksquashfs", root, file, "-comp", "zstd", "-Xcompression-level", "3", "-noappend", "-quiet", "-no-progress")
		}, "debian.squashfs"},
		{"raw-uefi", lab.UEFI, lab.Disk{Bus: lab.NVMe, Size: 4 << 30}, disks, func(t *testing.T, file string) {
			withoutFallback(t, sources["wim-uefi"])
			tool(t, "zstd", "-q", "-3", "-T0", sources["wim-uefi"], "-o", file)
		}, "disk.raw.zst"},
		{"qcow2-bios", lab.BIOS, lab.Disk{Bus: lab.Virtio, Size: 4 << 30}, disks, func(t *testing.T, file string) {
			tool(t, "qemu-img", "convert", "-c", "-O", "qcow2", sources["squashfs-bios"], file)
		}, "disk.qcow2"},
	} {
		ok := t.Run(c.name, func(t *testing.T) {
			s := &scene{s.Stage, t}
			dir := t.TempDir()
			c.pack(t, filepath.Join(dir, c.file))
			spec := small(c.name, c.firmware, 0x60+i)
			spec.MemoryMiB, spec.Disks = 2048, []lab.Disk{c.disk}
			m, _ := s.deployImage(spec, c.name, dir, c.sequence)
			seen[c.name] = readFacts(s, m)
			require.Equal(t, c.name, seen[c.name].hostName)
			s.startsFromDisk(m)
			if c.firmware == lab.UEFI {
				s.startsElsewhere(spec)
			}
			m, err := s.Lab.Machine(c.name)
			require.NoError(t, err)
			require.NoError(t, m.Stop(t.Context()))
			sources[c.name] = m.DiskFile(0)
		})
		require.True(t, ok)
	}
	for _, of := range []func(facts) string{
		func(f facts) string { return f.machineID }, func(f facts) string { return f.hostName },
		func(f facts) string { return f.sshKey }, func(f facts) string { return f.address },
	} {
		values := map[string]bool{}
		for _, f := range seen {
			values[of(f)] = true
		}
		require.Len(t, values, len(seen), "each machine has its own")
	}
}

// deployImage imports the image in dir, deploys it with the sequence to a new
// machine, and waits until the installed agent reported success.
func (s *scene) deployImage(spec lab.MachineSpec, name, dir, sequence string) (*lab.Machine, wire.RunInfo) {
	s.t.Helper()
	pkg, err := s.Package(s.t.Context(), name, "osImage", dir)
	require.NoError(s.t, err)
	return s.deployPackage(spec, pkg, sequence)
}

func (s *scene) deployPackage(spec lab.MachineSpec, pkg, sequence string) (*lab.Machine, wire.RunInfo) {
	s.t.Helper()
	id, err := s.Sequence(s.t.Context(), "Deploy "+spec.Name, strings.ReplaceAll(sequence, "BYD00002", pkg))
	require.NoError(s.t, err)
	s.device(spec)
	_, err = s.DeployNow(s.t.Context(), spec.Name, id)
	require.NoError(s.t, err)
	m := s.boot(spec)
	run := s.succeeded(spec.Name)
	for _, p := range run.Phases {
		s.t.Logf("phase %-10s %6.1f s", p.Phase, p.Seconds)
	}
	return m, run
}

// startsElsewhere looks for the entry in the firmware of a deployed machine, and
// starts the disk in another one, whose firmware knows no entry.
func (s *scene) startsElsewhere(spec lab.MachineSpec) {
	s.t.Helper()
	m, err := s.Lab.Machine(spec.Name)
	require.NoError(s.t, err)
	require.NoError(s.t, m.Stop(s.t.Context()))
	s.hasEntry(m)
	other := spec
	other.Name, other.UUID, other.MAC, other.NIC = spec.Name+"-moved", "", "", "none"
	other.Disks = []lab.Disk{{Bus: spec.Disks[0].Bus, File: m.DiskFile(0)}}
	other.BootOrder = []lab.BootDevice{lab.BootDisk}
	moved := s.boot(other)
	s.wait(moved, wire.MarkInstalledOS)
	require.NoError(s.t, moved.Stop(s.t.Context()))
}

// hasEntry looks into the variables of a machine's firmware for bootyard's entry.
func (s *scene) hasEntry(m *lab.Machine) {
	s.t.Helper()
	variables, err := os.ReadFile(filepath.Join(filepath.Dir(m.DiskFile(0)), "vars.fd"))
	require.NoError(s.t, err)
	var label []byte
	for _, c := range "bootyard: disk" {
		label = append(label, byte(c), 0) // UTF-16
	}
	require.True(s.t, bytes.Contains(variables, label), "the firmware has no entry for the disk")
}

var partitionStep = regexp.MustCompile(`(?s)    <step type="SMS_TaskSequence_PartitionDiskAction".*?</step>\n`)

// wholeDisk makes the sequence one for images of whole disks: nothing is
// partitioned, and the image goes to the only disk.
func wholeDisk(t *testing.T, sequence string) string {
	t.Helper()
	const destination = `<variable name="DestinationVariable" property="DestinationVariable" hidden="true">OSDisk</variable>`
	require.Contains(t, sequence, destination)
	out := partitionStep.ReplaceAllString(sequence, "")
	require.NotContains(t, out, "PartitionDisk")
	return strings.ReplaceAll(strings.Replace(out, destination, "", 1), "/target:%OSDisk% ", "")
}

// unpackedDebian is the demo's image as a folder.
func unpackedDebian(t *testing.T) string {
	t.Helper()
	built, err := images()
	require.NoError(t, err)
	root := t.TempDir()
	tool(t, "tar", "-C", root, "--zstd", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "-xpf", filepath.Join(built.OSDir, "image.tar.zst"))
	return root
}

// withoutFallback takes EFI/BOOT away from a disk's EFI partition. By mtools: the
// kernel of the test's machine may have no FAT.
func withoutFallback(t *testing.T, file string) {
	t.Helper()
	var found struct {
		Table struct {
			Partitions []struct {
				Start int64  `json:"start"`
				Type  string `json:"type"`
			} `json:"partitions"`
		} `json:"partitiontable"`
	}
	require.NoError(t, json.Unmarshal([]byte(tool(t, "sfdisk", "--json", file)), &found))
	require.NotEmpty(t, found.Table.Partitions)
	require.Equal(t, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", found.Table.Partitions[0].Type)
	esp := fmt.Sprintf("%s@@%d", file, found.Table.Partitions[0].Start*512)
	require.Contains(t, tool(t, "mdir", "-b", "-i", esp, "::/EFI/BOOT"), "BOOTX64.EFI")
	tool(t, "mdeltree", "-i", esp, "::/EFI/BOOT")
}

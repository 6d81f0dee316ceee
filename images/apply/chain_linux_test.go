package apply_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
)

// TestChain takes a real OS image from an empty disk to one that starts, by the
// calls that the agent makes. BOOTYARD_OS_IMAGE names the image (tar.zst of a
// Debian with GRUB, systemd and an SSH server). BOOTYARD_CHAIN_DEVICE names a
// disk to use, all of which is lost; without it a loop device on a sparse file
// is used, BOOTYARD_CHAIN_DISK when that is set and so kept for a boot by hand.
func TestChain(t *testing.T) {
	image := os.Getenv("BOOTYARD_OS_IMAGE")
	if image == "" {
		t.Skip("set BOOTYARD_OS_IMAGE to an OS image (tar.zst)")
	}
	needRoot(t)
	d := chainDisk(t)
	// ext4 and BIOS need nothing of the kernel; the ESP must be mounted.
	fat := canMount(t, "vfat")
	layout := disk.Layout{Style: disk.GPT, Partitions: []disk.Partition{{Type: disk.BIOSBoot, Size: disk.Size{Value: 1}}}}
	if fat {
		layout.Partitions = append(layout.Partitions, disk.Partition{Type: disk.EFI, FileSystem: disk.FAT32, Name: "EFI", Size: disk.Size{Value: 64}})
	} else {
		t.Log("this kernel has no vfat: only the BIOS half is tested here")
	}
	layout.Partitions = append(layout.Partitions,
		disk.Partition{Type: disk.Primary, FileSystem: disk.Swap, Size: disk.Size{Value: 64}},
		disk.Partition{Type: disk.LinuxRoot, FileSystem: disk.EXT4, Name: "root", LetterVariable: "OSDISK"})
	plan, err := disk.NewPlan(layout, d.Size, d.SectorSize)
	require.NoError(t, err)
	start := time.Now()
	phase := func(name string) { t.Logf("%-14s %6.2f s", name, time.Since(start).Seconds()); start = time.Now() }

	volumes, err := disk.Writer{Protected: []string{image}}.Apply(t.Context(), d, plan)
	require.NoError(t, err)
	phase("partition")
	var table disk.VolumeTable
	variables, err := table.Set(0, volumes)
	require.NoError(t, err)
	root, err := table.Find(variables["OSDISK"])
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "root")
	require.NoError(t, disk.Mount(t.Context(), root, dir))
	unmounted := false
	t.Cleanup(func() {
		if !unmounted {
			_ = disk.Unmount(t.Context(), dir)
		}
	})
	_, err = apply.Extract(t.Context(), image, apply.FormatAuto, dir, apply.Options{Volume: "C:"})
	require.NoError(t, err)
	phase("extract")

	target := apply.Target{Dir: dir, Root: root, Swaps: table.Swaps(0), Firmware: apply.BIOS, KernelArgs: []string{"console=tty0", "console=ttyS0"}}
	if esp, ok := table.ESP(0); ok {
		target.ESP = &esp
	}
	if _, err := os.Stat("/sys/firmware/efi"); err == nil {
		target.Firmware = apply.UEFI
	}
	before, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	warnings, err := apply.MakeBootable(t.Context(), target)
	require.NoError(t, err)
	assert.Empty(t, warnings)
	phase("bootable")
	after, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	assert.Equal(t, strings.Count(string(before), dir), strings.Count(string(after), dir), "nothing stays mounted")
	menu, err := os.ReadFile(filepath.Join(dir, "boot/grub/grub.cfg"))
	require.NoError(t, err)
	assert.Contains(t, string(menu), "root=UUID="+root.UUID)
	assert.Contains(t, string(menu), "console=ttyS0")

	require.NoError(t, apply.MakeUnique(t.Context(), dir, apply.Identity{HostName: "chain-1"}))
	binary := filepath.Join(t.TempDir(), "agent")
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\necho bootyard-chain: agent $1 token $(cat "+apply.ResumeToken+")\nexec sleep 1000000\n"), 0o755))
	require.NoError(t, apply.InstallAgent(t.Context(), dir, apply.Agent{Binary: binary, Config: []byte(`{}`), CA: []byte("pem"),
		State: map[string][]byte{"checkpoint.json": []byte("{}")}, Token: []byte("resume")}))
	has, err := apply.HasAgent(dir)
	require.NoError(t, err)
	assert.True(t, has)
	require.NoError(t, apply.WriteMarker(t.Context(), target, "0190-run"))
	if target.Firmware == apply.UEFI {
		warning, err := apply.SetFirmwareBoot(t.Context(), *target.ESP, "bootyard chain", apply.FirmwareOrder{Next: true, First: true})
		require.NoError(t, err)
		assert.Empty(t, warning)
		// Again: the entry is replaced, not doubled.
		_, err = apply.SetFirmwareBoot(t.Context(), *target.ESP, "bootyard chain", apply.FirmwareOrder{Next: true, First: true})
		require.NoError(t, err)
		out, err := exec.Command("efibootmgr").CombinedOutput()
		require.NoError(t, err)
		t.Log(string(out))
		assert.Equal(t, 1, strings.Count(string(out), "bootyard chain"))
	}
	require.NoError(t, disk.Unmount(t.Context(), dir))
	unmounted = true
	phase("the rest")
	if target.ESP != nil {
		require.NoError(t, disk.Mount(t.Context(), *target.ESP, dir))
		t.Cleanup(func() { _ = disk.Unmount(t.Context(), dir) })
		for _, f := range []string{"EFI/BOOT/BOOTX64.EFI", apply.MarkerOnESP} {
			assert.FileExists(t, filepath.Join(dir, f))
		}
		out, _ := exec.Command("find", dir, "-type", "f").Output()
		t.Log(string(out))
		require.NoError(t, disk.Unmount(t.Context(), dir))
	}
}

func canMount(t *testing.T, kind string) bool {
	t.Helper()
	_ = exec.Command("modprobe", kind).Run() // built in, or not there at all
	b, err := os.ReadFile("/proc/filesystems")
	require.NoError(t, err)
	return strings.Contains(string(b), "\t"+kind+"\n")
}

func chainDisk(t *testing.T) disk.Disk {
	t.Helper()
	if node := os.Getenv("BOOTYARD_CHAIN_DEVICE"); node != "" {
		disks, err := disk.List(t.Context(), disk.System{})
		require.NoError(t, err)
		for _, d := range disks {
			t.Log(d, d.DevPath, d.Excluded)
		}
		d, err := disk.Lookup(disk.System{}, node)
		require.NoError(t, err)
		return d
	}
	file := os.Getenv("BOOTYARD_CHAIN_DISK")
	if file == "" {
		file = filepath.Join(t.TempDir(), "disk")
	}
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Truncate(file, 2<<30))
	out, err := exec.Command("losetup", "--show", "--find", file).Output()
	if err != nil {
		t.Skipf("no loop device: %v", err)
	}
	node := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		_ = exec.Command("partx", "--delete", node).Run()
		assert.NoError(t, exec.Command("losetup", "--detach", node).Run())
		unix.Sync()
	})
	d, err := disk.Lookup(disk.System{}, node)
	require.NoError(t, err)
	return d
}

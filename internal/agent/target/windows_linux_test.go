package target

import (
	"cmp"
	"context"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// windowsImage is a WIM of something that looks like Windows: what its boot manager is made of, and nothing that runs.
func windowsImage(t *testing.T) string {
	t.Helper()
	tree, image := t.TempDir(), filepath.Join(t.TempDir(), "install.wim")
	shell(t, `cd "$1"; mkdir -p Windows/System32/config Windows/Boot/EFI/de-DE Windows/Boot/PCAT/de-DE Windows/Boot/Fonts Windows/Setup/Scripts
		echo hello > Windows/System32/ntoskrnl.exe; echo font > Windows/Boot/Fonts/wgl4_boot.ttf; echo mui > Windows/Boot/EFI/de-DE/bootmgfw.efi.mui
		printf 'MZ%058d\100\0\0\0PE\0\0\144\206 manager' 0 > Windows/Boot/EFI/bootmgfw.efi; echo bootmgr > Windows/Boot/PCAT/bootmgr; echo nxt > Windows/Boot/PCAT/bootnxt
		printf '@echo off\r\necho mine\r\n' > Windows/Setup/Scripts/setupcomplete.cmd
		wimlib-imagex capture . "$2" "Windows 99 Pro" >/dev/null
		wimlib-imagex info "$2" 1 --image-property WINDOWS/ARCH=9 --image-property WINDOWS/PRODUCTNAME=Test > /dev/null`, tree, image)
	return image
}

// partitioned is a disk in a file with a table and file systems, as Format and Partition Disk leaves it.
func partitioned(t *testing.T, firmware wire.Firmware, table string, systems ...disk.FileSystem) *Target {
	t.Helper()
	needTools(t, "sfdisk", "mkfs.ntfs", "mkfs.vfat", "ntfs-3g", "wimlib-imagex", "getfattr")
	table, size, _ := strings.Cut(table, "@")
	loopVolume(t) // skips where there is no loop device
	file := filepath.Join(t.TempDir(), "disk")
	shell(t, `truncate -s "$3" "$1"; printf '%b' "$2" | sfdisk -q "$1"`, file, table, cmp.Or(size, "200M"))
	d, err := disk.Lookup(disk.System{}, loop(t, file))
	require.NoError(t, err)
	volumes, err := disk.Adopt(t.Context(), d)
	require.NoError(t, err)
	require.Len(t, volumes, len(systems))
	program := filepath.Join(t.TempDir(), "agent.exe")
	require.NoError(t, os.WriteFile(program, []byte("MZ agent"), 0o600))
	target := New(Options{Mounts: t.TempDir(), Firmware: firmware, Say: t.Logf, Run: "r1", Files: func(_ context.Context, system string) (agent.InstalledAgent, error) {
		require.Equal(t, "windows", system)
		return agent.InstalledAgent{Binary: program, Config: []byte(`{"url":"https://x"}`), CA: []byte("ca"), Token: []byte("secret token")}, nil
	}})
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	for i, fs := range systems {
		if volumes[i].FileSystem = fs; fs != disk.NoFileSystem {
			volumes[i].UUID, err = disk.Format(t.Context(), volumes[i])
			require.NoError(t, err)
		}
	}
	_, err = target.table.Set(0, volumes)
	require.NoError(t, err)
	return target
}

// withESP puts a folder where the EFI partition is mounted, because the kernels that tests run on may have no FAT.
func withESP(t *testing.T, target *Target) string {
	t.Helper()
	dir := t.TempDir()
	if esp, ok := target.table.ESP(0); ok {
		target.mounted[esp.PARTUUID] = dir
	}
	return dir
}

const (
	gptTable = `label: gpt\nsize=40M, type=U\nsize=16M, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\ntype=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n`
	mbrTable = `label: dos\nlabel-id: 0xb3eba8f1\nsize=20M, type=7, bootable\ntype=7\n`
)

func windowsRequest(image string, partition int) machine.ApplyRequest {
	r := request(image)
	r.Bootable, r.Target.Partition = true, partition
	return r
}

// ask lets hivexsh look into the boot configuration.
func ask(t *testing.T, store, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "hivexsh", store)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.ReplaceAll(strings.TrimSpace(string(out)), ",", "")
}

func TestTS118WindowsByUEFI(t *testing.T) {
	target := partitioned(t, wire.UEFI, gptTable, disk.FAT32, disk.NoFileSystem, disk.NTFS)
	boot, image := withESP(t, target), windowsImage(t)
	r := windowsRequest(image, 3)
	r.ConfigFile = filepath.Join(t.TempDir(), "unattend.xml")
	require.NoError(t, os.WriteFile(r.ConfigFile, []byte(`<unattend xmlns="urn:schemas-microsoft-com:unattend"><!--mine--></unattend>`), 0o600))
	applied, err := images{target}.Apply(t.Context(), r, nothing)
	require.NoError(t, err)
	system, err := target.find(applied.Volume)
	require.NoError(t, err)
	root, err := target.mount(t.Context(), system)
	require.NoError(t, err)
	esp, ok := target.table.ESP(0)
	require.True(t, ok)
	shell(t, `cd "$1"; cmp EFI/Microsoft/Boot/bootmgfw.efi "$2/Windows/Boot/EFI/bootmgfw.efi"; cmp EFI/Boot/bootx64.efi EFI/Microsoft/Boot/bootmgfw.efi
		[ -s EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf ]; [ -s EFI/Microsoft/Boot/de-DE/bootmgfw.efi.mui ]; [ -e EFI/bootyard/deployed ]`, boot, root)
	needTools(t, "hivexsh")
	store := filepath.Join(boot, "EFI/Microsoft/Boot/BCD")
	loader := ask(t, store, `cd \Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003`+"\nlsval Element\n")
	assert.Equal(t, "Windows 99 Pro", ask(t, store, `cd \Objects\`+loader+`\Elements\12000004`+"\nlsval Element\n"))
	place, err := disk.Locate(t.Context(), system)
	require.NoError(t, err)
	device := ask(t, store, `cd \Objects\`+loader+`\Elements\21000001`+"\nlsval\n")
	assert.Contains(t, device, hex.EncodeToString(place.ID[:]))
	assert.Contains(t, device, hex.EncodeToString(place.Disk[:]))
	place, err = disk.Locate(t.Context(), esp)
	require.NoError(t, err)
	assert.Contains(t, ask(t, store, `cd \Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\11000001`+"\nlsval\n"), hex.EncodeToString(place.ID[:]))

	// Drivers, settings, the agent, and the state of the run.
	driver := t.TempDir()
	shell(t, `mkdir "$1/net"; echo inf > "$1/net/E1.INF"; echo sys > "$1/net/e1.sys"`, driver)
	_, err = drivers{target}.AddDrivers(t.Context(), machine.DriverRequest{Target: applied.Volume, PackageID: "BYD00005", Dir: driver})
	require.NoError(t, err)
	_, err = settings{target}.ApplySystem(t.Context(), machine.SystemRequest{Target: applied.Volume, Settings: machine.SystemSettings{ComputerName: "PC1"}})
	require.NoError(t, err)
	for range 2 { // repeating it is safe
		files, err := target.options.Files(t.Context(), "windows")
		require.NoError(t, err)
		require.NoError(t, target.setupWindows(t.Context(), files, root))
		target.installed = &files
	}
	require.NoError(t, target.KeepState(t.Context(), map[string][]byte{"state.json": []byte("{}"), "outbox/1": []byte("x")}))
	content := t.TempDir() // TS-136: to where the agent of that Windows has its client cache
	shell(t, `mkdir "$1/BYD00009.1-abc"; echo x > "$1/BYD00009.1-abc/file"`, content)
	require.NoError(t, target.KeepContent(t.Context(), content, "ClientCache/BYD00009.1-abc"))
	require.FileExists(t, filepath.Join(root, "ProgramData/bootyard/state/ClientCache/BYD00009.1-abc/file"))
	shell(t, `cd "$1"; [ "$(cat "Program Files/bootyard/bootyard-agent.exe")" = "MZ agent" ]; [ "$(cat ProgramData/bootyard/state/run/token)" = "secret token" ]
		[ -e ProgramData/bootyard/state/run/outbox/1 ]; [ -e ProgramData/bootyard/ca.pem ]; [ -e Windows/Temp/bootyard-drivers/BYD00005/net/E1.INF ]
		[ "$(ls Windows/Setup/Scripts)" = setupcomplete.cmd ]; [ "$(grep -c service.cmd Windows/Setup/Scripts/setupcomplete.cmd)" = 1 ]; tail -1 Windows/Setup/Scripts/setupcomplete.cmd | grep -q mine`, root)
	answers, err := os.ReadFile(filepath.Join(root, "Windows/Panther/unattend.xml"))
	require.NoError(t, err)
	for want, times := range map[string]int{"<!--mine-->": 1, "<ComputerName>PC1</ComputerName>": 1, "service.cmd": 1, "pnputil.exe": 1, "<SkipMachineOOBE>true": 1, `<Order>2</Order>`: 1} {
		assert.Equal(t, times, strings.Count(string(answers), want), want)
	}
	for _, secret := range []string{"ProgramData/bootyard/state/run/token", "Windows/Panther/unattend.xml"} {
		out, err := exec.Command("getfattr", "--only-values", "-n", "system.ntfs_acl", filepath.Join(root, secret)).Output()
		require.NoError(t, err)
		users := "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x21\x02" // S-1-5-32-545
		everybody := "\x01\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"     // S-1-1-0
		assert.NotContains(t, string(out), users, secret)
		assert.NotContains(t, string(out), everybody, secret)
		assert.Contains(t, string(out), "\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00", secret)
	}
}

func TestTS118WindowsByBIOS(t *testing.T) {
	if _, err := os.Stat("/usr/lib/grub/i386-pc/ntldr.mod"); err != nil {
		t.Skip("needs GRUB's parts for BIOS (Debian package grub-pc-bin)")
	}
	needTools(t, "grub-mkimage", "hivexsh")
	target := partitioned(t, wire.BIOS, mbrTable, disk.NTFS, disk.NTFS)
	applied, err := images{target}.Apply(t.Context(), windowsRequest(windowsImage(t), 2), nothing)
	require.NoError(t, err)
	system, err := target.find(applied.Volume)
	require.NoError(t, err)
	active := target.table.Volumes()[0]
	boot, err := target.mount(t.Context(), active)
	require.NoError(t, err)
	shell(t, `cd "$1"; [ "$(cat bootmgr)" = bootmgr ]; [ "$(cat BOOTNXT)" = nxt ]; [ -s Boot/Fonts/wgl4_boot.ttf ]; [ -e Boot/BCD ]`, boot)
	store := filepath.Join(boot, "Boot/BCD")
	loader := ask(t, store, `cd \Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003`+"\nlsval Element\n")
	device := ask(t, store, `cd \Objects\`+loader+`\Elements\11000001`+"\nlsval\n")
	assert.Contains(t, device, "f1a8ebb3")
	assert.Contains(t, device, "0000500100000000", "it begins at 21 MiB")
	head := make([]byte, 1024)
	f, err := os.Open(system.DiskPath)
	require.NoError(t, err)
	_, err = f.Read(head)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Contains(t, string(head[:440]), "GRUB")
	assert.Equal(t, "f1a8ebb3", hex.EncodeToString(head[440:444]))
	assert.NotEqual(t, make([]byte, 512), head[512:])
}

// With nothing but NTFS on the disk the run's data, and the image with them, lie in the volume's last third until the image
// is on it; then in a folder of the new Windows.
func TestTS117aDataBesideWindows(t *testing.T) {
	needTools(t, "ntfsresize", "ntfsfix", "ntfsinfo")
	target := partitioned(t, wire.UEFI, gptTable+"@4G", disk.FAT32, disk.NoFileSystem, disk.NTFS)
	withESP(t, target)
	system := target.table.Volumes()[2]
	target.fresh = []string{system.PARTUUID}
	target.useForData(t.Context())
	data := target.DataDir()
	require.NotEmpty(t, data)
	require.NotNil(t, target.staging)
	packageDir := filepath.Join(data, "Packages", "BYD00002")
	shell(t, `mkdir -p "$2"; cp "$1" "$2/"; [ "$(df --output=size -BM "$2" | tail -1 | tr -dc 0-9)" -gt 1000 ]`, windowsImage(t), packageDir)

	// The state of the run goes on: the volume is still nobody's.
	state, err := target.state()
	require.NoError(t, err)
	require.Contains(t, string(state), `"fresh":["`+system.PARTUUID)

	r := windowsRequest(filepath.Join(packageDir, "install.wim"), 3)
	applied, err := images{target}.Apply(t.Context(), r, nothing)
	require.NoError(t, err)
	require.Nil(t, target.staging)
	require.Empty(t, target.fresh)
	root := target.mounted[system.PARTUUID]
	require.Equal(t, filepath.Join(root, dataFolder), target.DataDir(), "as in the model, on the volume of Windows")
	shell(t, `cd "$1"; [ "$(cat Windows/System32/ntoskrnl.exe)" = hello ]; [ "$(df --output=size -BM . | tail -1 | tr -dc 0-9)" -gt 3900 ]; dd if=/dev/urandom of=large bs=1M count=64 status=none; sync`, root)
	require.NoError(t, target.Clean())
	require.NoError(t, target.Close())
	device := applied.Volume.Device
	out, err := exec.CommandContext(t.Context(), "ntfsinfo", "--mft", device).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "DIRTY")
	shell(t, `ntfsfix --no-action "$1"; ntfsresize --check "$1"`, device)
	require.Equal(t, applied.Volume.UUID, strings.TrimSpace(output(t, "blkid", "-p", "-o", "value", "-s", "UUID", device)), "GRUB finds it by this")
}

// What uses the volume before an image is on it gets it formatted and empty, and the data move to memory.
func TestTS117aStagingGivesWay(t *testing.T) {
	target := partitioned(t, wire.UEFI, gptTable+"@4G", disk.FAT32, disk.NoFileSystem, disk.NTFS)
	system := target.table.Volumes()[2]
	target.fresh = []string{system.PARTUUID}
	target.useForData(t.Context())
	require.NotNil(t, target.staging)
	root, err := target.mount(t.Context(), system)
	require.NoError(t, err)
	require.Empty(t, target.DataDir())
	shell(t, `cd "$1"; dd if=/dev/zero of=large bs=1M count=64 status=none; [ "$(df --output=size -BM . | tail -1 | tr -dc 0-9)" -gt 3900 ]`, root)
	target.useForData(t.Context())
	require.Nil(t, target.staging, "it is in use now")
}

// TS-117a: an agent that comes after one that was killed in the same boot makes its own place, and nothing of the other
// writes into it.
func TestTS117aStagingOfAKilledAgent(t *testing.T) {
	killed := partitioned(t, wire.UEFI, gptTable+"@4G", disk.FAT32, disk.NoFileSystem, disk.NTFS)
	system := killed.table.Volumes()[2]
	killed.fresh = []string{system.PARTUUID}
	killed.useForData(t.Context())
	require.NotNil(t, killed.staging)
	next := New(killed.options)
	t.Cleanup(func() { require.NoError(t, next.Close()) })
	next.table, next.fresh = killed.table, killed.fresh
	killed.staging = nil
	require.NoError(t, next.takeOver(t.Context()))
	next.useForData(t.Context())
	require.NotNil(t, next.staging)
	require.Len(t, strings.Fields(output(t, "losetup", "--noheadings", "--output", "NAME", "--associated", system.Device)), 1)
	require.Equal(t, 1, strings.Count(output(t, "cat", "/proc/self/mounts"), " "+next.staging.Dir+" "))
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	require.NoError(t, err)
	return string(out)
}

// What cannot start is told before anything is written.
func TestWindowsThatCannotStart(t *testing.T) {
	for name, c := range map[string]struct {
		firmware wire.Firmware
		table    string
		systems  []disk.FileSystem
		want     string
	}{
		"BIOS, GPT":       {wire.BIOS, gptTable, []disk.FileSystem{disk.FAT32, disk.NoFileSystem, disk.NTFS}, "MBR style"},
		"UEFI, MBR":       {wire.UEFI, mbrTable, []disk.FileSystem{disk.NTFS, disk.NTFS}, "GPT style"},
		"UEFI, no ESP":    {wire.UEFI, gptTable, []disk.FileSystem{disk.NTFS, disk.NoFileSystem, disk.NTFS}, "no EFI partition"},
		"ext4":            {wire.BIOS, mbrTable, []disk.FileSystem{disk.NTFS, disk.EXT4}, "lives on NTFS"},
		"no boot manager": {wire.UEFI, gptTable, []disk.FileSystem{disk.FAT32, disk.NoFileSystem, disk.NTFS}, "bootmgfw.efi"},
	} {
		t.Run(name, func(t *testing.T) {
			target := partitioned(t, c.firmware, c.table, c.systems...)
			withESP(t, target)
			image := windowsImage(t)
			if name == "no boot manager" {
				shell(t, `printf 'delete --recursive /Windows/Boot/EFI\n' | wimlib-imagex update "$1" 1 >/dev/null`, image)
			}
			last := target.table.Volumes()[len(c.systems)-1]
			_, err := images{target}.Apply(t.Context(), windowsRequest(image, len(c.systems)), nothing)
			require.ErrorContains(t, err, c.want)
			if name == "no boot manager" {
				require.ErrorIs(t, err, apply.ErrNoWindows)
				return // that is seen in its files
			}
			require.ErrorContains(t, err, "nothing was written")
			dir := t.TempDir()
			require.NoError(t, disk.Mount(t.Context(), last, dir))
			defer func() { require.NoError(t, disk.Unmount(t.Context(), dir)) }()
			assert.NoDirExists(t, filepath.Join(dir, "Windows"))
		})
	}
}

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

// standInMark is what the programs in place of Windows' boot manager print.
const standInMark = "STAND-IN BOOT MANAGER"

// TestTS118WindowsFromWIM deploys an image that looks like Windows, in which free programs stand where Windows has its boot
// manager: the firmware starts them from where Windows is expected, beside a boot configuration store that leads to its
// partition. No Windows was harmed.
func TestTS118WindowsFromWIM(t *testing.T) {
	for _, tool := range []string{"wimlib-imagex", "grub-mkstandalone", "hivexsh", "mcopy", "ntfscat"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s (scripts/install-packages)", tool)
		}
	}
	for _, firmware := range []lab.Firmware{lab.UEFI, lab.BIOS} {
		t.Run(string(firmware), func(t *testing.T) {
			needsVM(t, true)
			s := newScene(t)
			image, err := s.Package(t.Context(), "Windows", "osImage", standInWindows(t))
			require.NoError(t, err)
			driver := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(driver, "e1.inf"), []byte("[Version]\r\n"), 0o600))
			drivers, err := s.Package(t.Context(), "Drivers", wire.KindDriverPackage, driver)
			require.NoError(t, err)
			sequence, err := s.Sequence(t.Context(), "Deploy Windows", windowsSequence(firmware, image, drivers))
			require.NoError(t, err)
			spec := small("pc", firmware, 0x77)
			spec.Disks = []lab.Disk{{Bus: lab.AHCI, Size: 4 << 30}}
			s.device(spec)
			_, err = s.DeployNow(t.Context(), "pc", sequence)
			require.NoError(t, err)
			pc := s.boot(spec)
			moved := s.until("pc", deployLimit, func(r wire.RunInfo) bool { return r.Awaits == wire.FullOS || r.Ended != nil })
			require.Nil(t, moved.Ended, "step %q: %s (%s)", moved.FailedStep, moved.Message, moved.Remedy)
			s.wait(pc, "DATA ON 1 STAGING") // TS-117a: there is no volume with a Linux file system
			from := map[lab.Firmware]string{lab.UEFI: `(?i) \S*/efi/microsoft/boot`, lab.BIOS: " bootmgr"}
			s.wait(pc, standInMark+from[firmware])
			require.NoError(t, pc.Stop(t.Context()))
			lookAtDisk(t, pc.DiskFile(0), firmware)
		})
	}
}

// standInWindows is a folder with the WIM.
func standInWindows(t *testing.T) string {
	t.Helper()
	tree, out := t.TempDir(), t.TempDir()
	for name, data := range map[string][]byte{
		"Windows/System32/ntoskrnl.exe": []byte("no kernel"), "Windows/Boot/Fonts/wgl4_boot.ttf": []byte("no font"),
		"Windows/Boot/EFI/de-DE/bootmgfw.efi.mui": []byte("no text"), "Windows/Boot/PCAT/bootmgr": realModeStandIn(), "Windows/Boot/EFI/bootmgfw.efi": nil,
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(tree, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(tree, name), data, 0o600))
	}
	config := filepath.Join(t.TempDir(), "grub.cfg")
	require.NoError(t, os.WriteFile(config, []byte("serial --unit=0 --speed=115200\nterminal_output serial\necho '"+standInMark+"' $cmdpath\nsleep 600\n"), 0o600))
	tool(t, "grub-mkstandalone", "-O", "x86_64-efi", "--install-modules=normal echo sleep serial", "--locales=", "--fonts=", "--themes=",
		"-o", filepath.Join(tree, "Windows/Boot/EFI/bootmgfw.efi"), "boot/grub/grub.cfg="+config)
	wim := filepath.Join(out, "install.wim")
	tool(t, "wimlib-imagex", "capture", tree, wim, "Windows of no kind", "--compress=none")
	tool(t, "wimlib-imagex", "info", wim, "1", "--image-property", "WINDOWS/ARCH=9", "--image-property", "WINDOWS/PRODUCTNAME=Windows")
	return out
}

// realModeStandIn is a bootmgr as a BIOS machine's loader starts it: code of 16 bits at the beginning of a segment. It
// writes the mark to the first serial port and stays.
func realModeStandIn() []byte {
	code := []byte{
		0x8c, 0xc8, 0x8e, 0xd8, // mov ax, cs; mov ds, ax
		0xfc, 0xbe, 34, 0, // cld; mov si, text
		0xac, 0x84, 0xc0, 0x74, 18, // next: lodsb; test al, al; jz end
		0x88, 0xc4, 0xba, 0xfd, 0x03, // mov ah, al; mov dx, 3fdh
		0xec, 0xa8, 0x20, 0x74, 0xfb, // wait: in al, dx; test al, 20h; jz wait
		0xba, 0xf8, 0x03, 0x88, 0xe0, 0xee, // mov dx, 3f8h; mov al, ah; out dx, al
		0xeb, 0xe9, // jmp next
		0xf4, 0xeb, 0xfd, // end: hlt; jmp end
	}
	return append(code, "\r\n"+standInMark+" bootmgr\r\n\x00"...)
}

// tool runs a program that must succeed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed: run scripts/install-packages", name)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
	return string(out)
}

func windowsSequence(firmware lab.Firmware, image, drivers string) string {
	step := func(kind, name, variables string) string {
		return fmt.Sprintf(`<step type="SMS_TaskSequence_%s" name="%s" description="" runIn="WinPE" successCodeList="0" retryCount="0" runFromNet="false"><action/><defaultVarList>%s</defaultVarList></step>`, kind, name, variables)
	}
	variable := func(name, value string) string { return fmt.Sprintf(`<variable name="%s">%s</variable>`, name, value) }
	style, partitions := "MBR", []string{"Primary NTFS 100 MB true", "Primary NTFS 100 Percent false"}
	if firmware == lab.UEFI {
		style, partitions = "GPT", []string{"EFI FAT32 200 MB false", "MSR - 16 MB false", "Primary NTFS 100 Percent false"}
	}
	disk := variable("OSDDiskIndex", "0") + variable("OSDPartitionStyle", style) + variable("OSDPartitions", fmt.Sprint(len(partitions)))
	for i, p := range partitions {
		f := strings.Fields(p)
		for j, name := range []string{"Type", "FileSystem", "Size", "SizeUnits", "Bootable"} {
			if f[j] != "-" {
				disk += variable(fmt.Sprintf("OSDPartitions%d%s", i, name), f[j])
			}
		}
	}
	return `<sequence version="3.10"><referenceList><reference package="` + image + `"/><reference package="` + drivers + `"/></referenceList>` +
		step("PartitionDiskAction", "Partition", disk) +
		step("RunCommandLineAction", "Where the data are", variable("CommandLine", `sh -c &quot;echo DATA ON $(grep -c volumes/staging /proc/mounts) STAGING &gt;/dev/ttyS0&quot;`)) +
		step("ApplyOperatingSystemAction", "Apply", variable("ImagePackageID", image)+variable("DestinationDisk", "0")+variable("DestinationPartition", fmt.Sprint(len(partitions)))) +
		step("ApplyWindowsSettingsAction", "Settings", variable("OSDComputerName", "PC77")) +
		step("ApplyDriverPackageAction", "Drivers", variable("OSDApplyDriverDriverPackageID", drivers)) +
		step("SetupWindowsAndSMSAction", "Setup", "") + `</sequence>`
}

// lookAtDisk lets other people's programs read what lies on the disk.
func lookAtDisk(t *testing.T, file string, firmware lab.Firmware) {
	t.Helper()
	dir := t.TempDir()
	store, number := filepath.Join(dir, "BCD"), 2
	if firmware == lab.UEFI {
		number = 3
		tool(t, "mcopy", "-n", "-i", fmt.Sprintf("%s@@%d", file, partitionStart(t, file, 1)), "::/EFI/Microsoft/Boot/BCD", store)
	} else {
		data := fromNTFS(t, file, 1, "Boot/BCD")
		require.NoError(t, os.WriteFile(store, []byte(data), 0o600))
	}
	ask := func(script string) string {
		cmd := exec.CommandContext(t.Context(), "hivexsh", store)
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	loader := ask(`cd \Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003` + "\nlsval Element\n")
	require.Equal(t, "Windows of no kind", ask(`cd \Objects\`+loader+`\Elements\12000004`+"\nlsval Element\n"))
	answers := fromNTFS(t, file, number, "Windows/Panther/unattend.xml")
	for _, want := range []string{"<ComputerName>PC77</ComputerName>", "pnputil.exe", "service.cmd"} {
		require.Contains(t, answers, want)
	}
	require.True(t, strings.HasPrefix(fromNTFS(t, file, number, "Program Files/bootyard/bootyard-agent.exe"), "MZ"))
	require.Contains(t, fromNTFS(t, file, number, "ProgramData/bootyard/state/run/run.json"), "Deploy Windows")
}

func partitionStart(t *testing.T, file string, number int) int64 {
	t.Helper()
	var start int64
	for line := range strings.Lines(tool(t, "sfdisk", "--dump", file)) {
		if strings.HasPrefix(line, fmt.Sprintf("%s%d ", file, number)) || strings.HasPrefix(line, fmt.Sprintf("%sp%d ", file, number)) {
			_, rest, _ := strings.Cut(line, "start=")
			_, err := fmt.Sscanf(rest, "%d", &start)
			require.NoError(t, err)
		}
	}
	require.Positive(t, start)
	return start * 512
}

// fromNTFS reads a file of a partition, which is attached as a disk for that.
func fromNTFS(t *testing.T, file string, number int, name string) string {
	t.Helper()
	device := strings.TrimSpace(tool(t, "losetup", "--find", "--show", "--read-only", "--offset", fmt.Sprint(partitionStart(t, file, number)), file))
	defer tool(t, "losetup", "--detach", device)
	out, err := exec.CommandContext(t.Context(), "ntfscat", "-f", device, name).Output()
	require.NoError(t, err, name)
	return string(out)
}

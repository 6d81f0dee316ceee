package target

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// shell runs a script that makes something for a test.
func shell(t *testing.T, script string, args ...string) {
	t.Helper()
	out, err := exec.Command("sh", append([]string{"-ec", script, "sh"}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
}

func needTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
}

// linuxTree is a small thing that looks like a Linux system with an identity of its own.
func linuxTree(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	shell(t, `cd "$1"; mkdir -p etc/ssh sbin root bin dev; printf 'ID=debian\n' > etc/os-release; printf '#!/bin/sh\n' > sbin/init; chmod 4755 sbin/init
		echo 0123456789abcdef0123456789abcdef > etc/machine-id; echo secret > etc/ssh/ssh_host_rsa_key; echo origin > etc/hostname
		mkdir -m 1777 tmp; ln -s ../etc/os-release root/link; ln sbin/init bin/hard; chown 1000:1001 root/; touch owned; chown 12:34 owned; mknod dev/null c 1 3`, tree)
	return tree
}

// loop attaches a file as a disk.
func loop(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command("losetup", "--find", "--show", file).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device here: %s", out)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		_ = exec.Command("partx", "--delete", device).Run()
		require.NoError(t, exec.Command("losetup", "-d", device).Run())
	})
	return device
}

// newTarget is a target with one volume at disk 0, partition 1.
func newTarget(t *testing.T, device string, fs disk.FileSystem) *Target {
	t.Helper()
	target := New(Options{Mounts: t.TempDir(), Firmware: "bios", Say: t.Logf})
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	_, err := target.table.Set(0, []disk.Volume{{Partition: 1, Device: device, DiskPath: device, PARTUUID: "p1", Type: disk.Primary, FileSystem: fs, Size: 64 << 20}})
	require.NoError(t, err)
	return target
}

func request(image string) machine.ApplyRequest {
	return machine.ApplyRequest{PackageID: "BYD00002", Dir: filepath.Dir(image), Index: 1, Target: machine.Target{Disk: 0, Partition: 1}}
}

func nothing(int64, int64, string) {}

// Each file-level format gives the same files, and the run's own folder stays (TS-117).
func TestTS117FormatsOfFiles(t *testing.T) {
	needTools(t, "mksquashfs", "unsquashfs", "wimlib-imagex", "xz")
	for name, pack := range map[string]string{
		"tar.xz":   `tar -C "$1" --xattrs -cJf "$2" .`,
		"tar.gz":   `tar -C "$1" -czf "$2" .`,
		"squashfs": `mksquashfs "$1" "$2" -quiet -no-progress`,
		"wim":      `wimlib-imagex capture "$1" "$2" --unix-data >/dev/null`,
		"swm":      `head -c 3000000 /dev/urandom > "$1/big1"; head -c 3000000 /dev/urandom > "$1/big2"; wimlib-imagex capture "$1" "$2.whole" --unix-data >/dev/null; wimlib-imagex split "$2.whole" "$2" 3.5 > /dev/null; rm "$2.whole"`,
	} {
		t.Run(name, func(t *testing.T) {
			device := loopVolume(t)
			tree, image := linuxTree(t), filepath.Join(t.TempDir(), "it[1]."+name)
			shell(t, pack, tree, image)
			target := newTarget(t, device, disk.EXT4)
			v, err := target.find(machine.Volume{Partition: 1})
			require.NoError(t, err)
			root, err := target.mount(t.Context(), v)
			require.NoError(t, err)
			shell(t, `cd "$1"; mkdir -p _SMSTaskSequence/State state/user other; echo x | tee _SMSTaskSequence/State/id state/user/f other/f old`, root)
			r := request(image)
			r.Data, r.Preserve = true, []string{"state"}
			_, err = images{target}.Apply(t.Context(), r, nothing)
			require.NoError(t, err)
			for _, kept := range []string{"_SMSTaskSequence/State/id", "state/user/f"} {
				assert.FileExists(t, filepath.Join(root, kept))
			}
			assert.NoFileExists(t, filepath.Join(root, "other/f"))
			assert.NoFileExists(t, filepath.Join(root, "old"))
			shell(t, `diff -r --no-dereference -x lost+found -x _SMSTaskSequence -x state -x null "$1" "$2"`, tree, root)
			shell(t, `cd "$1"; [ "$(stat -c %u:%g owned)" = 12:34 ]; [ "$(stat -c %a sbin/init)" = 4755 ]; [ "$(stat -c %h sbin/init)" = 2 ]; [ -c dev/null ]; [ "$(readlink root/link)" = ../etc/os-release ]`, root)
		})
	}
}

// OSDWipeDestinationPartition false leaves what is there.
func TestApplyKeepsWhatIsThere(t *testing.T) {
	target := newTarget(t, loopVolume(t), disk.EXT4)
	v, err := target.find(machine.Volume{Partition: 1})
	require.NoError(t, err)
	root, err := target.mount(t.Context(), v)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "mine"), nil, 0o600))
	r := machine.ApplyRequest{Dir: imagePackage(t, ""), Target: machine.Target{Partition: 1}, Data: true, Keep: true}
	_, err = images{target}.Apply(t.Context(), r, nothing)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(root, "mine"))
	assert.FileExists(t, filepath.Join(root, "hello"))
}

// The image of one file system goes to the partition, which it then fills.
func TestApplyFileSystemImage(t *testing.T) {
	needTools(t, "mkfs.ext4", "zstd", "resize2fs")
	device := loopVolume(t)
	image := filepath.Join(t.TempDir(), "fs.raw.zst")
	shell(t, `truncate -s 16M "$2.raw"; mkfs.ext4 -q -F -d "$1" "$2.raw"; zstd -q --rm "$2.raw" -o "$2"`, linuxTree(t), image)
	target := newTarget(t, device, disk.EXT4)
	r := request(image)
	r.Data = true
	applied, err := images{target}.Apply(t.Context(), r, nothing)
	require.NoError(t, err)
	assert.Equal(t, "EXT4", applied.Volume.FileSystem)
	v, err := target.find(machine.Volume{Partition: 1})
	require.NoError(t, err)
	require.NotEmpty(t, v.UUID)
	assert.Equal(t, v.UUID, applied.Volume.UUID)
	root, err := target.mount(t.Context(), v)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(root, "etc/os-release"))
	shell(t, `[ "$(df --output=size -B1M "$1" | tail -1)" -gt 20 ]`, root)
	assert.NotEmpty(t, target.DataDir(), "the run's folder is made again (TS-117a)")
}

// A whole-disk image: written, fitted to the disk, and made unique (TS-118b).
func TestTS118bWholeDisk(t *testing.T) {
	loopVolume(t) // skips where there is no loop device
	needTools(t, "qemu-img", "sfdisk", "zstd")
	dir := t.TempDir()
	shell(t, `truncate -s 100M "$2/raw"; printf 'label: gpt\n, 1M, 21686148-6449-6E6F-744E-656564454649\n, , L\n' | sfdisk -q "$2/raw"; mkfs.ext4 -q -F -d "$1" -E offset=2097152 "$2/raw" 90M
		mkdir "$2/q" "$2/z"; qemu-img convert -c -f raw -O qcow2 "$2/raw" "$2/q/disk.qcow2"; zstd -q "$2/raw" -o "$2/z/disk.raw.zst"`, linuxTree(t), dir)
	for _, image := range []string{filepath.Join(dir, "q/disk.qcow2"), filepath.Join(dir, "z/disk.raw.zst")} {
		t.Run(filepath.Base(image), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "disk")
			shell(t, `truncate -s 50M "$1"`, file)
			small := loop(t, file)
			target := New(Options{Mounts: t.TempDir(), Firmware: "bios", Say: t.Logf})
			t.Cleanup(func() { require.NoError(t, target.Close()) })
			_, format, err := findImage(filepath.Dir(image))
			require.NoError(t, err)
			w := work{request: request(image), image: image, format: format, progress: nothing}
			w.request.Bootable, w.request.ComputerName = true, "pc-1"
			d, err := disk.Lookup(disk.System{}, small)
			require.NoError(t, err)
			_, err = target.writeDisk(t.Context(), w, d, 0)
			require.ErrorIs(t, err, apply.ErrTooSmall)
			shell(t, `cmp -n 52428800 "$1" /dev/zero`, small)

			large := filepath.Join(t.TempDir(), "large")
			shell(t, `truncate -s 300M "$1"`, large)
			d, err = disk.Lookup(disk.System{}, loop(t, large))
			require.NoError(t, err)
			applied, err := target.writeDisk(t.Context(), w, d, 0)
			require.NoError(t, err)
			require.Len(t, applied.Volumes, 2)
			assert.Equal(t, 2, applied.Volume.Partition)
			assert.Greater(t, applied.Volume.Bytes, int64(250<<20))
			v, err := target.find(applied.Volume)
			require.NoError(t, err)
			root, err := target.mount(t.Context(), v)
			require.NoError(t, err)
			shell(t, `cd "$1"; [ ! -s etc/machine-id ]; [ ! -e etc/ssh/ssh_host_rsa_key ]; [ "$(cat etc/hostname)" = pc-1 ]; [ "$(df --output=size -B1M . | tail -1)" -gt 200 ]`, root)
			assert.Equal(t, v.PARTUUID, target.system)
			assert.True(t, strings.HasPrefix(target.DataDir(), root))
			require.NoError(t, target.Close())
		})
	}
}

// Windows' files go to NTFS by wimlib.
func TestApplyWIMToNTFS(t *testing.T) {
	needTools(t, "mkfs.ntfs", "wimlib-imagex", "ntfscat")
	device := loopVolume(t)
	target := newTarget(t, device, disk.NTFS)
	r := request(windowsImage(t))
	r.Data = true
	applied, err := images{target}.Apply(t.Context(), r, nothing)
	require.NoError(t, err)
	assert.NotEmpty(t, applied.Volume.UUID)
	out, err := exec.Command("ntfscat", "-f", device, "Windows/System32/ntoskrnl.exe").Output()
	require.NoError(t, err)
	assert.Equal(t, "hello\n", string(out))
}

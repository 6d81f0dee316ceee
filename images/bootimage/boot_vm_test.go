package bootimage_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/bootimage"
)

// TestVersionGone locks a version that no mirror has: Build says so, or takes
// the current ones where that is allowed.
func TestVersionGone(t *testing.T) {
	ctx := needMirror(t)
	l, err := bootimage.DefaultLock()
	require.NoError(t, err)
	for i := range l.Packages {
		if l.Packages[i].Name == "tar" {
			l.Packages[i].Version, l.Packages[i].SHA256 = "0.0-1", strings.Repeat("0", 64)
		}
	}
	cfg := bootimage.Config{
		OutDir: t.TempDir(), CacheDir: t.TempDir(), LockFile: filepath.Join(t.TempDir(), "lock.json"),
		AgentBinary: agent(t, helloAgent), CompressionLevel: bootimage.QuickLevel, Logger: logger(t),
	}
	require.NoError(t, l.Write(cfg.LockFile))
	_, err = bootimage.Build(ctx, cfg)
	require.ErrorIs(t, err, bootimage.ErrVersionGone)
	require.ErrorContains(t, err, "--update")
	cfg.AllowRelock = true
	r, err := bootimage.Build(ctx, cfg)
	require.NoError(t, err)
	require.True(t, r.Relocked)
	r, err = bootimage.Build(ctx, cfg)
	require.NoError(t, err)
	require.True(t, r.Cached)
}

const probeAgent = `package main

import ("fmt"; "os"; "os/exec"; "path/filepath")

func main() {
	disks, _ := filepath.Glob("/sys/class/block/*/device")
	cards, _ := filepath.Glob("/sys/class/net/*/device")
	site, _ := os.ReadFile("/etc/bootyard/site")
	tar, _ := exec.Command("sh", "-c", "tar --version | head -1").Output()
	fmt.Printf("probe: %d disks %d cards site=%s tar=%s\n", len(disks), len(cards), site, tar)
	os.Exit(3)
}
`

// TestBoot boots the image with a site archive on two kinds of hardware and
// waits for the console marks.
func TestBoot(t *testing.T) {
	ctx := needMirror(t)
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("needs qemu-system-x86")
	}
	r, err := bootimage.Build(ctx, bootimage.Config{
		OutDir: t.TempDir(), CacheDir: cacheDir(t), AllowRelock: true, AgentBinary: agent(t, probeAgent),
		CompressionLevel: bootimage.QuickLevel, Logger: logger(t),
	})
	require.NoError(t, err)
	dir := t.TempDir()
	disk, initrd := filepath.Join(dir, "disk"), filepath.Join(dir, "initrd")
	require.NoError(t, os.WriteFile(disk, nil, 0o600))
	require.NoError(t, os.Truncate(disk, 64<<20))
	var site, all bytes.Buffer
	require.NoError(t, bootimage.SiteArchive(&site, map[string][]byte{"etc/bootyard/site": []byte("here")}))
	image, err := os.ReadFile(r.Initramfs)
	require.NoError(t, err)
	require.NoError(t, bootimage.Concat(&all, bytes.NewReader(image), &site))
	require.NoError(t, os.WriteFile(initrd, all.Bytes(), 0o600))

	for name, hardware := range map[string][]string{
		"virtio": {"-device", "virtio-net-pci,netdev=n", "-device", "virtio-blk-pci,drive=d"},
		"bare":   {"-device", "e1000e,netdev=n", "-device", "ahci,id=a", "-device", "ide-hd,bus=a.0,drive=d"},
		"nvme":   {"-device", "e1000,netdev=n", "-device", "nvme,serial=1,drive=d"},
	} {
		t.Run(name, func(t *testing.T) {
			slot(t)
			args := append([]string{
				"-machine", "q35,accel=tcg", "-m", "768", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", r.Kernel, "-initrd", initrd,
				"-append", "console=tty0 console=ttyS0,115200 quiet no_timer_check", "-nodefaults", "-vga", "std", "-netdev", "user,id=n,restrict=on",
				"-drive", "file=" + disk + ",format=raw,if=none,id=d",
			}, hardware...)
			waitFor(t, args, "bootyard: boot environment up", "probe: 1 disks 1 cards site=here tar=tar (GNU tar)", "bootyard: a shell follows")
		})
	}
}

// slot limits how many machines run at once where BOOTYARD_QEMU_LOCK names a
// file that others lock too.
func slot(t *testing.T) {
	name := os.Getenv("BOOTYARD_QEMU_LOCK")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
}

// waitFor runs a machine until its serial line has shown all marks in order.
func waitFor(t *testing.T, args []string, marks ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 180*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	serial, err := cmd.StdoutPipe()
	require.NoError(t, err)
	start := time.Now()
	require.NoError(t, cmd.Start())
	defer func() {
		cancel()
		cmd.Wait() //nolint:errcheck // killed by us
	}()
	lines := bufio.NewScanner(serial)
	for len(marks) > 0 && lines.Scan() {
		t.Logf("%5.1f %s", time.Since(start).Seconds(), lines.Text())
		if strings.Contains(lines.Text(), marks[0]) {
			marks = marks[1:]
		}
	}
	require.Empty(t, marks, "not seen on the console")
}

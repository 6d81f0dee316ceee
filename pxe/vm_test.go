package pxe_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe"
)

// vm is one QEMU machine without accelerator. It holds one of the two QEMU slots of the host while it runs.
type vm struct {
	t       *testing.T
	console string
	monitor string
	started time.Time
	cmd     *exec.Cmd
	done    chan struct{}
}

// needVM skips unless the boot tests were asked for and a kernel is there.
func needVM(t *testing.T) (kernel string) {
	if os.Getenv("BOOTYARD_VM") != "1" {
		t.Skip("set BOOTYARD_VM=1 for tests that boot machines")
	}
	kernel = os.Getenv("BOOTYARD_TEST_KERNEL")
	if kernel == "" {
		found, _ := filepath.Glob("/boot/vmlinuz-*")
		if len(found) == 0 {
			t.Skip("set BOOTYARD_TEST_KERNEL to a Debian kernel (apt-get download linux-image-..., dpkg -x)")
		}
		kernel = found[len(found)-1]
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("needs qemu-system-x86")
	}
	return kernel
}

// bootFiles makes a directory with vmlinuz and two archives; the second proves that both were loaded.
func bootFiles(t *testing.T, kernel string) string {
	dir, root := t.TempDir(), t.TempDir()
	data, err := os.ReadFile(kernel)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vmlinuz"), data, 0o644))
	busybox, err := exec.LookPath("busybox")
	require.NoError(t, err)
	data, err = os.ReadFile(busybox)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(root, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin/busybox"), data, 0o755))
	const script = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox echo "BOOTYARD-MARK $(/bin/busybox cat /site) efi=$([ -d /sys/firmware/efi ] && echo y) $(/bin/busybox cat /proc/cmdline)"
/bin/busybox sleep 1
/bin/busybox poweroff -f
`
	require.NoError(t, os.WriteFile(filepath.Join(root, "init"), []byte(script), 0o755))
	cpio(t, root, filepath.Join(dir, "initrd.img"), "init\nbin\nbin/busybox\n")
	require.NoError(t, os.WriteFile(filepath.Join(root, "site"), []byte("second-archive\n"), 0o644))
	cpio(t, root, filepath.Join(dir, "site.img"), "site\n")
	return dir
}

func cpio(t *testing.T, root, out, list string) {
	f, err := os.Create(out)
	require.NoError(t, err)
	defer f.Close()
	cmd := exec.Command("cpio", "-o", "-H", "newc", "--quiet")
	cmd.Dir, cmd.Stdin, cmd.Stdout = root, strings.NewReader(list), f
	require.NoError(t, cmd.Run())
}

// boot starts a machine on the segment: firmware "bios" or "uefi", and further QEMU arguments.
func (s *segment) boot(firmware string, extra ...string) *vm {
	t := s.t
	s.n++
	tap := fmt.Sprintf("t%d", s.n)
	run(t, "ip", "-n", s.sw(), "tuntap", "add", tap, "mode", "tap")
	run(t, "ip", "-n", s.sw(), "link", "set", tap, "master", "br0", "up")
	dir := t.TempDir()
	v := &vm{t: t, console: filepath.Join(dir, "console"), monitor: filepath.Join(dir, "mon"), done: make(chan struct{})}
	mac := fmt.Sprintf("52:54:00:77:00:%02x", s.n)
	args := []string{"netns", "exec", s.sw(), "qemu-system-x86_64", "-accel", "tcg", "-m", "1024", "-display", "none", "-no-reboot",
		"-uuid", "00112233-4455-6677-8899-aabbccddeeff", "-device", "virtio-rng-pci",
		"-netdev", "tap,id=n0,ifname=" + tap + ",script=no,downscript=no", "-serial", "file:" + v.console, "-monitor", "unix:" + v.monitor + ",server,nowait"}
	if strings.HasPrefix(firmware, "uefi") {
		vars := filepath.Join(dir, "vars.fd")
		data, err := os.ReadFile("/usr/share/OVMF/OVMF_VARS_4M.fd")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(vars, data, 0o600))
		nic := "virtio-net-pci,romfile="
		if firmware == "uefi-e1000e" {
			nic = "e1000e"
		}
		args = append(args, "-machine", "q35", "-device", nic+",netdev=n0,bootindex=1,mac="+mac,
			"-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd", "-drive", "if=pflash,format=raw,file="+vars)
	} else {
		args = append(args, "-machine", "q35,graphics=off", "-device", "virtio-net-pci,netdev=n0,bootindex=1,mac="+mac)
	}
	v.cmd = exec.Command("ip", append(args, extra...)...)
	unlock := qemuSlot(t)
	out, err := os.Create(filepath.Join(dir, "qemu"))
	require.NoError(t, err)
	v.cmd.Stdout, v.cmd.Stderr = out, out
	require.NoError(t, v.cmd.Start())
	v.started = time.Now()
	go func() { _ = v.cmd.Wait(); close(v.done) }()
	t.Cleanup(func() {
		_ = v.cmd.Process.Kill()
		<-v.done
		unlock()
		_ = exec.Command("ip", "-n", s.sw(), "link", "del", tap).Run()
		if t.Failed() {
			b, _ := os.ReadFile(v.console)
			q, _ := os.ReadFile(out.Name())
			t.Logf("console:\n%s\nqemu: %s", printable(b), q)
		}
	})
	return v
}

// qemuSlot takes one of the slots that everybody on this host shares, so that no more machines run than it has cores.
func qemuSlot(t *testing.T) (release func()) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond) // other processes hold the slots: there is nothing to wait on
	defer tick.Stop()
	for {
		for n := 1; n <= 2; n++ {
			f, err := os.OpenFile(fmt.Sprintf("%s/qemu-slot-%d.lock", os.TempDir(), n), os.O_CREATE|os.O_RDWR, 0o666)
			require.NoError(t, err)
			if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				return func() { _ = f.Close() }
			}
			_ = f.Close()
		}
		select {
		case <-ctx.Done():
			t.Fatal("no QEMU slot became free")
		case <-tick.C:
		}
	}
}

func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r >= ' ' && r < 0x7f {
			return r
		}
		return -1
	}, string(b))
}

// mark waits for text on the console and returns the rest of its line and the time since power-on.
func (v *vm) mark(text string, limit time.Duration) (string, time.Duration) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := os.Open(v.console)
		if err == nil {
			b, _ := io.ReadAll(f)
			_ = f.Close()
			if _, after, ok := strings.Cut(string(b), text); ok && (strings.Contains(after, "\n") || strings.Contains(text, "Install")) {
				line, _, _ := strings.Cut(after, "\n")
				return strings.TrimSpace(line), time.Since(v.started)
			}
		}
		select {
		case <-v.done:
			if b, _ := os.ReadFile(v.console); strings.Contains(string(b), text) {
				continue
			}
			v.t.Fatalf("the machine ended without %q on its console", text)
		case <-ctx.Done():
			v.t.Fatalf("no %q on the console in %s", text, limit)
		case <-tick.C:
		}
	}
}

// press types keys, by their QEMU names.
func (v *vm) press(keys ...string) {
	c, err := net.Dial("unix", v.monitor)
	require.NoError(v.t, err)
	defer c.Close()
	require.NoError(v.t, c.SetDeadline(time.Now().Add(30*time.Second+time.Duration(len(keys))*time.Second)))
	pace := time.NewTicker(300 * time.Millisecond) // a person's typing: firmware looks at the keyboard that often
	defer pace.Stop()
	for _, k := range keys {
		_, err := fmt.Fprintf(c, "sendkey %s\n", k)
		require.NoError(v.t, err)
		<-pace.C
	}
}

// phases prints how long after power-on each stage was.
func (h *helper) phases(v *vm) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		h.t.Logf("%6.1fs %-9s %-8s %-6s %s %s %d bytes", e.Time.Sub(v.started).Seconds(), e.Protocol, e.Message, e.Answer, e.Machine.Loader, e.File, e.Bytes)
	}
}

const bootLimit = 4 * time.Minute

func TestBoot(t *testing.T) {
	kernel := needVM(t)
	for _, tt := range []struct {
		name, firmware string
		cfg            helperConfig
		extra          []string
	}{
		{"bios", "bios", helperConfig{RA: true}, nil},
		{"uefi pxe", "uefi", helperConfig{RA: true}, nil},
		{"uefi port 8080", "uefi", helperConfig{RA: true, Port: 8080}, nil},
		{"uefi http", "uefi", helperConfig{RA: true}, []string{"-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=no",
			"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSegment(t)
			cfg := tt.cfg
			cfg.Mode, cfg.Action, cfg.Files = pxe.ModeServer, pxe.BootEnvironment, bootFiles(t, kernel)
			cfg.Args = "console=ttyS0 byd.token=abc_DEF-12 quiet"
			h := s.serve(cfg)
			h.line("HELPER ready")
			v := s.boot(tt.firmware, tt.extra...)
			line, took := v.mark("BOOTYARD-MARK ", bootLimit)
			h.phases(v)
			t.Logf("%s: %.1f s from power-on to init: %s", tt.name, took.Seconds(), line)
			h.line("HELPER asked /files/site.img?exp=99&sig=a-b_c%2F") // signed URLs arrive as they were made
			require.Contains(t, line, "second-archive")
			require.Contains(t, line, "byd.token=abc_DEF-12")
			require.Equal(t, tt.firmware == "uefi", strings.Contains(line, "efi=y"))
		})
	}
}

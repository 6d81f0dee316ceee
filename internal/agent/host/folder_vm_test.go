//go:build linux

package host_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
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

// TestFolderVM boots the boot image with a probe in place of the agent, because a share is mounted by the kernel of that
// image: Samba on this machine, the emulator's own network between them.
func TestFolderVM(t *testing.T) {
	if os.Getenv("BOOTYARD_VM") != "all" {
		t.Skip("boots a machine: set BOOTYARD_VM=all")
	}
	for _, tool := range []string{"smbd", "smbpasswd", "qemu-system-x86_64", "apt-get"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root for smbd")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	share := t.TempDir()
	port := samba(t, ctx, share)
	packages := packageShare(t, ctx)
	agent := filepath.Join(t.TempDir(), "agent")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", agent, "./testdata/folderprobe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))
	cache := os.Getenv("BOOTYARD_CACHE")
	if cache == "" {
		cache = t.TempDir()
	}
	image, err := bootimage.Build(ctx, bootimage.Config{OutDir: t.TempDir(), CacheDir: filepath.Join(cache, "bootimage"), AllowRelock: true, AgentBinary: agent,
		CompressionLevel: bootimage.QuickLevel, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	require.NoError(t, err)
	disk := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.WriteFile(disk, nil, 0o600))
	require.NoError(t, os.Truncate(disk, 300<<20))

	if name := os.Getenv("BOOTYARD_QEMU_LOCK"); name != "" {
		lock, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
		require.NoError(t, err)
		defer lock.Close()
		require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	}
	vm := exec.CommandContext(ctx, "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-m", "1024", "-display", "none", "-serial", "stdio", "-no-reboot", "-nodefaults",
		"-kernel", image.Kernel, "-initrd", image.Initramfs, "-append", fmt.Sprintf("console=ttyS0,115200 quiet probe.port=%d probe.share=%d probe.password=%s", port, packages.Port(), packages.Password()),
		"-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n", "-drive", "file="+disk+",format=raw,if=virtio")
	serial, err := vm.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, vm.Start())
	defer func() {
		_ = vm.Process.Kill()
		_ = vm.Wait() // killed by us
	}()
	marks := []string{"probe: read hello from the share at /run/bootyard/drives/Z", "probe: read hello from the share", "probe: mounted once true, password shown false",
		"probe: wrong password: the server refuses the account", "probe: wrong share: ", "probe: ready 1024 MB memory, 300 MB disk, wired true, uefi false",
		"probe: in place said hello from the share, writing refused true, sealed true, disconnected true"}
	lines := bufio.NewScanner(serial)
	for len(marks) > 0 && lines.Scan() {
		t.Log(lines.Text())
		require.NotContains(t, lines.Text(), "probe: failed")
		if strings.Contains(lines.Text(), marks[0]) {
			marks = marks[1:]
		}
	}
	require.Empty(t, marks, "not seen on the console")
	answer, err := os.ReadFile(filepath.Join(share, "deep", "answer.txt"))
	require.NoError(t, err)
	require.Equal(t, "from the boot environment\n", string(answer))
}

// samba serves a folder on a port of the loopback, with everything it writes below a temporary folder.
func samba(t *testing.T, ctx context.Context, share string) (port int) {
	t.Helper()
	require.NoError(t, os.Mkdir(filepath.Join(share, "deep"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(share, "deep", "hello.txt"), []byte("hello from the share\n"), 0o644))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port = l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	dir := t.TempDir()
	conf := filepath.Join(dir, "smb.conf")
	text := fmt.Sprintf(`[global]
	workgroup = WORKGROUP
	server role = standalone server
	interfaces = 127.0.0.1
	bind interfaces only = yes
	smb ports = %d
	disable netbios = yes
	map to guest = never
	passdb backend = tdbsam:%[2]s/passdb.tdb
	lock directory = %[2]s
	state directory = %[2]s
	cache directory = %[2]s
	pid directory = %[2]s
	private dir = %[2]s
	ncalrpc dir = %[2]s/ncalrpc
	log file = %[2]s/log
	load printers = no
[images]
	path = %[3]s
	read only = no
	force user = root
`, port, dir, share)
	require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	add := exec.CommandContext(ctx, "smbpasswd", "-c", conf, "-s", "-a", "nobody")
	add.Stdin = strings.NewReader("pass,word 1\npass,word 1\n")
	said, err := add.CombinedOutput()
	require.NoError(t, err, string(said))
	server := exec.CommandContext(ctx, "smbd", "--foreground", "--no-process-group", "-s", conf)
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGKILL)
		_ = server.Wait() // killed by us
	})
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 30*time.Second, 100*time.Millisecond, "smbd does not answer")
	return port
}

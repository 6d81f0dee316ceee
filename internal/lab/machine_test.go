package lab_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needVM skips a test that boots machines.
func needVM(t *testing.T) {
	t.Helper()
	needRoot(t, "qemu-system-x86_64")
	if os.Getenv("BOOTYARD_VM") != "1" {
		t.Skip("boots a machine: set BOOTYARD_VM=1")
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// magic makes an Ethernet-independent magic packet.
func magic(t *testing.T, address string) []byte {
	t.Helper()
	mac, err := net.ParseMAC(address)
	require.NoError(t, err)
	return append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(mac, 16)...)
}

func TestUEFIMachineKeepsDiskAndShowsItsConsole(t *testing.T) {
	needVM(t)
	l := up(t, config(t))
	ctx := within(t, 3*time.Minute)
	spec := lab.MachineSpec{
		Name: "uefi1", Firmware: lab.UEFI, MemoryMiB: 512,
		Disks:     []lab.Disk{{Size: 1 << 20}, {Bus: lab.NVMe, Size: 1 << 20}, {Bus: lab.AHCI, Size: 1 << 20}, {Bus: lab.SCSI, Size: 1 << 20, Format: "qcow2"}, {Bus: lab.USB, Size: 1 << 20}},
		BootOrder: []lab.BootDevice{lab.BootDisk},
	}
	m, err := l.Boot(ctx, spec)
	require.NoError(t, err)
	_, err = m.WaitConsole(ctx, `BdsDxe: .*Boot\d+`)
	require.NoError(t, err)
	state, err := m.RunState(ctx)
	require.NoError(t, err)
	assert.Equal(t, "running", state)

	_, err = l.Boot(ctx, spec)
	require.ErrorIs(t, err, lab.ErrRunning)

	// The reset begins again, and only what comes after it counts.
	size, err := m.ConsoleSize()
	require.NoError(t, err)
	require.NoError(t, m.Reset(ctx))
	mark, err := m.ConsoleFrom(size).Wait(ctx, `BdsDxe`)
	require.NoError(t, err)
	assert.Greater(t, mark.End, size)

	require.NoError(t, m.Stop(ctx))
	_, err = m.WaitConsole(ctx, `never printed`)
	require.ErrorIs(t, err, lab.ErrExited)
	assert.ErrorContains(t, err, "BdsDxe", "the error shows the last lines")

	require.NoError(t, os.WriteFile(m.DiskFile(0), bytes.Repeat([]byte("kept"), 1<<18), 0o600))
	again, err := l.Boot(ctx, m.Spec())
	require.NoError(t, err)
	assert.Greater(t, again.ConsoleStart(), mark.End, "a new power-on has its own part of the log")
	_, err = again.WaitConsole(ctx, `BdsDxe`)
	require.NoError(t, err)
	require.NoError(t, again.Stop(ctx))
	kept, err := os.ReadFile(again.DiskFile(0))
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(kept, []byte("keptkept")))

	require.NoError(t, l.RemoveMachine(ctx, "uefi1"))
	assert.NoFileExists(t, again.DiskFile(0))
}

func TestBIOSMachineBootsFromTheNetwork(t *testing.T) {
	needVM(t)
	needRoot(t, "dnsmasq")
	l := up(t, config(t))
	ctx := within(t, 3*time.Minute)
	root := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(root), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "hello.ipxe"), []byte("#!ipxe\necho this is the lab\nsleep 2\nreboot\n"), 0o644))
	d, err := l.Server().Daemon(ctx, filepath.Join(t.TempDir(), "dnsmasq.log"), "dnsmasq", "--no-daemon", "--conf-file=/dev/null",
		"--user=root", "--port=0", "--no-ping", "--leasefile-ro", "--interface="+lab.HostInterface, "--dhcp-range=10.77.0.100,10.77.0.200",
		"--enable-tftp", "--tftp-root="+root, "--dhcp-boot=hello.ipxe")
	require.NoError(t, err)
	pcap := filepath.Join(t.TempDir(), "wire.pcap")
	capture, err := l.Capture(ctx, lab.CaptureOptions{Port: "bios1", File: pcap})
	require.NoError(t, err)

	m, err := l.Boot(ctx, lab.MachineSpec{Name: "bios1", MemoryMiB: 256, ExtraArgs: []string{"-no-reboot"}})
	require.NoError(t, err)
	_, err = m.WaitConsole(ctx, `this is the lab`)
	require.NoError(t, err)
	require.NoError(t, m.Wait(ctx), "the script ends the machine")
	frames, err := capture.Stop()
	require.NoError(t, err)
	assert.Greater(t, frames, 6, "DHCP, ARP and TFTP were on the wire")
	if _, err := exec.LookPath("tcpdump"); err == nil {
		out, err := exec.CommandContext(ctx, "tcpdump", "-nr", pcap, "udp port 67").CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Contains(t, string(out), "BOOTP/DHCP, Request from "+m.MAC())
	}
	require.NoError(t, d.Stop(ctx))
}

func TestMagicPacketWakes(t *testing.T) {
	needVM(t)
	l := up(t, config(t))
	ctx := within(t, 2*time.Minute)
	told := make(chan lab.Wake, 1)
	s, err := l.Sleep(ctx, lab.MachineSpec{Name: "sleeper", MemoryMiB: 256}, func(w lab.Wake) { told <- w })
	require.NoError(t, err)
	conn, err := l.Server().DialContext(ctx, "udp4", "10.77.0.255:9")
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write(magic(t, "52:54:00:00:00:99"))
	require.NoError(t, err)
	_, err = conn.Write(magic(t, s.Spec().MAC))
	require.NoError(t, err)

	m, wake, err := s.Wait(ctx)
	require.NoError(t, err)
	assert.Equal(t, wake, <-told)
	assert.Equal(t, uint16(9), wake.UDPPort)
	assert.Equal(t, l.Server().MAC(), wake.Source.String())
	_, err = m.WaitConsole(ctx, `SeaBIOS`)
	require.NoError(t, err)
}

func TestProbeAccelRemembersItsAnswer(t *testing.T) {
	needVM(t)
	dir := t.TempDir()
	accel, why, err := lab.ProbeAccel(within(t, time.Minute), dir)
	require.NoError(t, err)
	t.Logf("%s: %s", accel, why)
	assert.Contains(t, []string{"kvm", "tcg"}, accel)
	assert.NotEmpty(t, why)

	if _, err := os.Stat("/dev/kvm"); err != nil {
		return
	}
	// The second answer comes from the file: what is written there counts.
	file := filepath.Join(dir, "accel.json")
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, bytes.Replace(raw, []byte(`"Why":"`), []byte(`"Why":"noted: `), 1), 0o600))
	_, again, err := lab.ProbeAccel(within(t, time.Second), dir)
	require.NoError(t, err)
	assert.Equal(t, "noted: "+why, again)
}

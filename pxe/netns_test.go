package pxe_test

import (
	"context"
	"net/netip"
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

// udhcpc gets a lease in ns with a stock client and returns its address; it fails the test when there is none.
func udhcpc(t *testing.T, ns string, extra ...string) string {
	t.Helper()
	out, err := tryUdhcpc(t, ns, extra...)
	require.NoError(t, err, "%s", out)
	_, ip, ok := strings.Cut(out, "LEASE ")
	require.True(t, ok, out)
	return strings.Fields(ip)[0]
}

func tryUdhcpc(t *testing.T, ns string, extra ...string) (string, error) {
	if _, err := exec.LookPath("udhcpc"); err != nil {
		t.Skip("needs udhcpc (Debian package udhcpc)")
	}
	script := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n[ \"$1\" = bound ] && echo \"LEASE $ip mask $subnet server $serverid file $boot_file siaddr $siaddr router $router\"\nexit 0\n"), 0o755))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	args := append([]string{"netns", "exec", ns, "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "4", "-T", "1", "-A", "1", "-s", script}, extra...)
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	return string(out), err
}

func dnsmasq(t *testing.T, ns string, extra ...string) {
	if _, err := exec.LookPath("dnsmasq"); err != nil {
		t.Skip("needs dnsmasq (Debian package dnsmasq-base)")
	}
	dir := t.TempDir()
	args := append([]string{"netns", "exec", ns, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--no-ping",
		"--dhcp-authoritative", "--dhcp-range=10.77.0.50,10.77.0.59,255.255.255.0,1h", "--dhcp-leasefile=" + filepath.Join(dir, "leases"),
		"--log-dhcp", "--log-facility=" + filepath.Join(dir, "log")}, extra...)
	cmd := exec.Command("ip", args...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("dnsmasq:\n%s", b)
		}
	})
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "log"))
		return strings.Contains(string(b), "started")
	}, 10*time.Second, 10*time.Millisecond)
}

func TestServerModeWithStockClient(t *testing.T) {
	s := newSegment(t)
	leases := filepath.Join(t.TempDir(), "leases")
	cfg := helperConfig{Mode: pxe.ModeServer, Action: pxe.BootEnvironment, Leases: leases, Force: true}
	h := s.serve(cfg)
	h.line("HELPER ready")
	ns := s.host()
	first := udhcpc(t, ns)
	// One machine keeps its address whatever client id it sends (netboot-facts, DESIGN.md "DHCP server mode").
	require.Equal(t, first, udhcpc(t, ns, "-x", "0x3d:00112233445566"))
	require.Equal(t, first, udhcpc(t, ns, "-C"))
	require.Equal(t, first, udhcpc(t, ns, "-V", "PXEClient:Arch:00007:UNDI:003000"))
	e := h.event("offer to the netboot client", func(e pxe.Event) bool { return e.Answer == "offer" && e.Machine.Loader == pxe.LoaderROM })
	require.Equal(t, "grub-x64-10.77.0.1-80.efi", e.File, "the architecture is read from option 60 when 93 is missing")
	require.NotEqual(t, first, udhcpc(t, s.host()), "another machine, another address")
	plain := h.event("ack without boot file", func(e pxe.Event) bool { return e.Answer == "ack" && e.Machine.Loader == "" })
	require.Empty(t, plain.File)

	h.stop(syscall.SIGKILL)
	h = s.serve(cfg)
	h.line("HELPER ready")
	require.Equal(t, first, udhcpc(t, ns), "leases survive SIGKILL")
}

func TestServerModeSeesStranger(t *testing.T) {
	s := newSegment(t)
	h := s.serve(helperConfig{Mode: pxe.ModeServer, Force: true})
	h.line("HELPER ready")
	stranger := s.host()
	run(t, "ip", "-n", stranger, "addr", "add", "10.77.0.150/24", "dev", "eth0")
	start := time.Now()
	got := udhcpc(t, s.host(), "-r", "10.77.0.150")
	require.NotEqual(t, "10.77.0.150", got, "an address that answers ARP is not given")
	require.Less(t, time.Since(start), 3*time.Second, "and no ping of 3 s is waited for")
}

func TestServerModeRefusesBesideAnother(t *testing.T) {
	s := newSegment(t)
	other := s.host()
	run(t, "ip", "-n", other, "addr", "add", "10.77.0.2/24", "dev", "eth0")
	dnsmasq(t, other)
	h := s.serve(helperConfig{Mode: pxe.ModeServer})
	line := h.line("another DHCP server answers here on eth0: 10.77.0.2")
	require.Contains(t, line, "use dhcp.mode proxy")
	<-h.ended
}

func TestProxyBesideDHCPServer(t *testing.T) {
	for _, where := range []string{"other host", "same host"} {
		t.Run(where, func(t *testing.T) {
			s := newSegment(t)
			ns := s.srv()
			server := "10.77.0.1"
			if where == "other host" {
				ns, server = s.host(), "10.77.0.2"
				run(t, "ip", "-n", ns, "addr", "add", "10.77.0.2/24", "dev", "eth0")
			}
			dnsmasq(t, ns)
			// udhcpc is no PXE client: it would take the proxy's offer for a lease if that came first. So the proxy waits
			// (PXE-3), which lets the DHCP server win.
			h := s.serve(helperConfig{Mode: pxe.ModeProxy, Action: pxe.BootEnvironment, Delay: 500 * time.Millisecond})
			h.line("HELPER ready")
			client := s.host()
			out, err := tryUdhcpc(t, client)
			require.NoError(t, err)
			require.Contains(t, out, "server "+server)
			out, err = tryUdhcpc(t, client, "-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000")
			require.NoError(t, err)
			require.Contains(t, out, "server "+server, "the address comes from the DHCP server")
			e := h.event("proxy offer", func(e pxe.Event) bool { return e.Answer == "offer" })
			require.Equal(t, "proxydhcp", e.Protocol)
			require.Equal(t, "undionly.kpxe", e.File)
			require.False(t, e.Offered.IsValid(), "a proxy gives no address")
			renew(t, client, out)
			h.mu.Lock()
			defer h.mu.Unlock()
			for _, e := range h.events {
				require.NotEmpty(t, e.Machine.Loader, "clients that do not boot from the network are left alone: %+v", e)
				require.NotEqual(t, "request", e.Message, "the request is the DHCP server's")
			}
		})
	}
}

// renew lets a client renew its lease by unicast: with the proxy on the same host the packet must reach the server.
func renew(t *testing.T, ns, lease string) {
	ip := strings.Fields(strings.SplitN(lease, "LEASE ", 2)[1])[0]
	run(t, "ip", "-n", ns, "addr", "add", ip+"/24", "dev", "eth0")
	script := filepath.Join(t.TempDir(), "script")
	mark := filepath.Join(t.TempDir(), "mark")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho $1 >> "+mark+"\n"), 0o755))
	cmd := exec.Command("ip", "netns", "exec", ns, "udhcpc", "-i", "eth0", "-f", "-t", "4", "-T", "1", "-s", script, "-r", ip)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	has := func(word string) func() bool {
		return func() bool {
			b, _ := os.ReadFile(mark)
			return strings.Contains(string(b), word)
		}
	}
	require.Eventually(t, has("bound"), 10*time.Second, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGUSR1)) // renew now, by unicast
	require.Eventually(t, has("renew"), 10*time.Second, 10*time.Millisecond)
}

func TestThroughRelay(t *testing.T) {
	if _, err := exec.LookPath("dhcrelay"); err != nil {
		t.Skip("needs dhcrelay (Debian package isc-dhcp-relay)")
	}
	s := newSegment(t)
	relay := s.host()
	run(t, "ip", "-n", relay, "addr", "add", "10.77.0.3/24", "dev", "eth0")
	far := s.name + "far"
	run(t, "ip", "netns", "add", far)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", far).Run() })
	run(t, "ip", "-n", relay, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", far)
	for _, d := range [][2]string{{relay, "eth1"}, {far, "eth0"}, {relay, "lo"}} {
		run(t, "ip", "-n", d[0], "link", "set", d[1], "up")
	}
	run(t, "ip", "-n", relay, "addr", "add", "10.78.0.1/24", "dev", "eth1")
	run(t, "ip", "-n", s.srv(), "route", "add", "10.78.0.0/24", "via", "10.77.0.3")
	h := s.serve(helperConfig{Mode: pxe.ModeServer, Action: pxe.BootEnvironment, Force: true, Relay: true})
	h.line("HELPER ready")
	cmd := exec.Command("ip", "netns", "exec", relay, "dhcrelay", "-4", "-d", "-a", "-iu", "eth0", "-id", "eth1", "10.77.0.1")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var out string
	require.Eventually(t, func() bool { // the relay does not say when it is ready
		var err error
		out, err = tryUdhcpc(t, far, "-V", "PXEClient:Arch:00007:UNDI:003000")
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	require.Contains(t, out, "LEASE 10.78.0.1")
	require.Contains(t, out, "server 10.77.0.1 file grub-x64-10.77.0.1-80.efi siaddr 10.77.0.1 router 10.78.0.1")
}

func TestOneBadInterfaceIsReported(t *testing.T) {
	cfg := pxe.Config{Mode: pxe.ModeProxy, Interfaces: []string{"nosuch0"}, Policy: fixedPolicy{}, Loaders: mapLoaders{}}
	srv, err := pxe.NewServer(cfg)
	require.NoError(t, err)
	err = srv.Run(t.Context())
	require.ErrorIs(t, err, pxe.ErrNoInterface)
	require.ErrorContains(t, err, "dhcp.interfaces must name existing ones")
	require.Error(t, srv.Health()["nosuch0"])
}

// An interface that comes late is served when it comes; the others do not wait for it.
func TestInterfaceThatComesLate(t *testing.T) {
	s := newSegment(t)
	h := s.serve(helperConfig{Mode: pxe.ModeProxy, Action: pxe.LocalDisk, Extra: []string{"eth9"}})
	h.line("HELPER ready")
	log, err := os.ReadFile(h.log)
	require.NoError(t, err)
	require.Contains(t, string(log), "dhcp.interfaces must name existing ones")
	run(t, "ip", "-n", s.srv(), "link", "add", "eth9", "type", "veth", "peer", "name", "eth8")
	run(t, "ip", "-n", s.srv(), "addr", "add", "10.99.0.1/24", "dev", "eth9")
	run(t, "ip", "-n", s.srv(), "link", "set", "eth9", "up")
	h.line("HELPER all served")
}

type mapLoaders map[string][]byte

func (m mapLoaders) Prepare(context.Context, netip.AddrPort) error { return nil }

func (m mapLoaders) File(n string) ([]byte, bool) { b, ok := m[n]; return b, ok }

package lab_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needRoot skips a test that makes namespaces.
func needRoot(t *testing.T, tools ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	for _, tool := range append([]string{"ip"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs the tool %s", tool)
		}
	}
}

// config returns a lab of its own for a test. Names carry the process id, so
// that two runs of the tests on one computer do not meet.
func config(t *testing.T) lab.Config {
	t.Helper()
	dir := t.TempDir()
	return lab.Config{
		Name:     fmt.Sprintf("t%d-%x", os.Getpid(), len(t.Name())*7919%4096),
		StateDir: filepath.Join(dir, "s"), DataDir: filepath.Join(dir, "d"), LogDir: filepath.Join(dir, "l"),
	}
}

func up(t *testing.T, cfg lab.Config) *lab.Lab {
	t.Helper()
	l, err := lab.Up(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Down(context.Background())) })
	return l
}

// namespaces lists the lab's namespaces that exist.
func namespaces(t *testing.T, labName string) []string {
	t.Helper()
	found, err := filepath.Glob("/run/netns/bylab-" + labName + "-*")
	require.NoError(t, err)
	return found
}

func output(t *testing.T, h *lab.Host, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := h.Command(ctx, argv...).CombinedOutput()
	require.NoErrorf(t, err, "%v: %s", argv, out)
	return string(out)
}

func TestUpAndDownLeaveNothing(t *testing.T) {
	needRoot(t)
	cfg := config(t)
	l, err := lab.Up(t.Context(), cfg)
	require.NoError(t, err)
	require.Len(t, namespaces(t, cfg.Name), 2, "switch and server")

	server := l.Server()
	assert.Equal(t, netip.MustParseAddr("10.77.0.1"), server.Addr())
	links := output(t, server, "ip", "-brief", "link")
	assert.Contains(t, links, lab.HostInterface)
	assert.Len(t, strings.Split(strings.TrimSpace(links), "\n"), 2, "lo and eth0 only: nothing links to the computer")

	orphan := server.Command(context.Background(), "sh", "-c", "echo in; exec sleep 60")
	pipe, err := orphan.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, orphan.Start())
	_, err = pipe.Read(make([]byte, 1))
	require.NoError(t, err)
	starting := server.Command(context.Background(), "sleep", "60")
	require.NoError(t, starting.Start())

	require.NoError(t, l.Down(t.Context()))
	require.Error(t, orphan.Wait(), "Down ends what runs in the lab")
	require.Error(t, starting.Wait(), "and what is just being started")
	assert.Empty(t, namespaces(t, cfg.Name))
	for _, dir := range []string{filepath.Join(cfg.StateDir, cfg.Name), filepath.Join(cfg.DataDir, cfg.Name)} {
		assert.NoDirExists(t, dir)
	}
	left, err := os.ReadDir(cfg.StateDir)
	require.NoError(t, err)
	assert.Empty(t, left)
	require.NoError(t, l.Down(t.Context()), "Down is safe to repeat")
	require.NoError(t, lab.Down(t.Context(), cfg))
	_, err = lab.Open(cfg)
	assert.ErrorIs(t, err, lab.ErrNotUp)
}

func TestHostsReachEachOther(t *testing.T) {
	needRoot(t)
	l := up(t, config(t))
	other, err := l.AddHost(t.Context(), "client", netip.MustParseAddr("10.77.0.9"))
	require.NoError(t, err)
	assert.Equal(t, 5, exchange(t, l.Server(), other, 5))
	assert.Equal(t, 5, exchange(t, other, l.Server(), 5))

	_, err = l.AddHost(t.Context(), "client", netip.Addr{})
	assert.ErrorContains(t, err, "already has")
	_, err = l.AddHost(t.Context(), "far", netip.MustParseAddr("10.78.0.1"))
	assert.ErrorContains(t, err, "not in the lab's")
}

// exchange sends n datagrams from one host to another and returns how many
// arrived.
func exchange(t *testing.T, from, to *lab.Host, n int) int {
	t.Helper()
	in, err := to.ListenPacket(t.Context(), "udp4", to.Addr().String()+":0")
	require.NoError(t, err)
	defer func() { _ = in.Close() }()
	out, err := from.DialContext(t.Context(), "udp4", in.LocalAddr().String())
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	for range n {
		_, err := out.Write([]byte("hello"))
		require.NoError(t, err)
	}
	// What a bridge and a veth carry is there when the sender's call returns,
	// but for the first, which waits for ARP.
	got := 0
	for buf := make([]byte, 64); got < n; got++ {
		require.NoError(t, in.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
		if _, _, err := in.ReadFrom(buf); err != nil {
			break
		}
	}
	return got
}

func TestSecondUpIsRefusedWhileTheFirstLives(t *testing.T) {
	needRoot(t)
	cfg := config(t)
	l := up(t, cfg)
	_, err := lab.Up(t.Context(), cfg)
	require.ErrorIs(t, err, lab.ErrInUse)
	assert.ErrorContains(t, err, "bootyard lab down")

	again, err := lab.Open(lab.Config{Name: cfg.Name, StateDir: cfg.StateDir})
	require.NoError(t, err)
	assert.Equal(t, l.Subnet(), again.Subnet())
	assert.Equal(t, l.Server().Addr(), again.Server().Addr())
}

func TestDropLosesAboutTheFraction(t *testing.T) {
	needRoot(t, "nft")
	l := up(t, config(t))
	client, err := l.AddHost(t.Context(), "client", netip.MustParseAddr("10.77.0.9"))
	require.NoError(t, err)
	const sent = 150 // fits the receive buffer
	// Both know each other's hardware address before any loss.
	require.Equal(t, 1, exchange(t, client, l.Server(), 1))
	tests := []struct {
		way      lab.Direction
		from, to *lab.Host
	}{{lab.FromMachine, client, l.Server()}, {lab.ToMachine, l.Server(), client}}
	for _, tt := range tests {
		require.NoError(t, l.Drop(t.Context(), "client", tt.way, 1.0/3))
		// Six standard deviations of the binomial distribution around a third.
		assert.InDeltaf(t, sent*2/3, exchange(t, tt.from, tt.to, sent), 35, "a third is lost %s the host", tt.way)
		assert.Equalf(t, sent, exchange(t, tt.to, tt.from, sent), "nothing is lost the other way")
		require.NoError(t, l.Undrop(t.Context(), "client", tt.way))
		require.NoError(t, l.Undrop(t.Context(), "client", tt.way), "Undrop is safe to repeat")
		assert.Equal(t, sent, exchange(t, tt.from, tt.to, sent))
	}
	assert.Error(t, l.Drop(t.Context(), "client", "sideways", 0.5))
	assert.Error(t, l.Drop(t.Context(), "client", lab.ToMachine, 1.5))
}

func TestCaptureSeesTheWireAndEnds(t *testing.T) {
	needRoot(t)
	l := up(t, config(t))
	client, err := l.AddHost(t.Context(), "client", netip.MustParseAddr("10.77.0.9"))
	require.NoError(t, err)
	c, err := l.Capture(t.Context(), lab.CaptureOptions{
		File:   filepath.Join(t.TempDir(), "udp.pcap"),
		Filter: func(f lab.Frame) bool { return f.EtherType() == 0x0800 && f.Source().String() == client.MAC() },
	})
	require.NoError(t, err)
	require.Equal(t, 3, exchange(t, client, l.Server(), 3))
	// What has been delivered may still be in the capture's queue.
	assert.Eventually(t, func() bool { return c.Count() == 3 }, 5*time.Second, 5*time.Millisecond)
	n, err := c.Stop()
	require.NoError(t, err)
	assert.Equal(t, 3, n, "each frame once")

	ctx, cancel := context.WithCancel(t.Context())
	s, err := l.Sleep(ctx, lab.MachineSpec{Name: "sleeper"}, nil)
	require.NoError(t, err)
	cancel()
	_, _, err = s.Wait(t.Context())
	require.ErrorIs(t, err, context.Canceled)
}

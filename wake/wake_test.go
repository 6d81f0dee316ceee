package wake_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/wake"
)

func mac(t *testing.T, s string) net.HardwareAddr {
	t.Helper()
	m, err := net.ParseMAC(s)
	require.NoError(t, err)
	return m
}

func TestBroadcast(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.77.0.5/24":     "10.77.0.255",
		"10.77.3.5/22":     "10.77.3.255",
		"192.168.1.130/25": "192.168.1.255",
		"10.0.0.1/30":      "10.0.0.3",
		"10.0.0.1/31":      "",
		"10.0.0.1/32":      "",
		"fd00::1/64":       "",
		"0.0.0.0/0":        "",
	} {
		got, ok := wake.Broadcast(netip.MustParsePrefix(prefix))
		require.Equal(t, want != "", ok, prefix)
		if ok {
			require.Equal(t, want, got.String(), prefix)
		}
	}
	_, ok := wake.Broadcast(netip.Prefix{})
	require.False(t, ok)
}

func TestSendPutsAMagicPacketOnTheWire(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	s := &wake.Sender{}
	target := mac(t, "52:54:00:12:34:56")
	to := netip.MustParseAddrPort(conn.LocalAddr().String())
	require.NoError(t, s.Send(t.Context(), target, to))

	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	buf := make([]byte, 200)
	n, _, err := conn.ReadFrom(buf)
	require.NoError(t, err)
	want := append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(target, 16)...)
	require.Equal(t, want, buf[:n])

	require.ErrorIs(t, s.Send(t.Context(), net.HardwareAddr{1, 2}, to), wake.ErrNoTarget)
}

func TestTargetsPreferTheLastKnownNetwork(t *testing.T) {
	s := &wake.Sender{Port: 9, Networks: func() ([]netip.Prefix, error) {
		return []netip.Prefix{netip.MustParsePrefix("10.1.0.1/16"), netip.MustParsePrefix("192.168.5.1/24")}, nil
	}}
	got, err := s.Targets(netip.MustParsePrefix("10.77.0.5/24"))
	require.NoError(t, err)
	require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.77.0.255:9")}, got)
	got, err = s.Targets(netip.Prefix{})
	require.NoError(t, err)
	require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.1.255.255:9"), netip.MustParseAddrPort("192.168.5.255:9")}, got)

	s.Networks = func() ([]netip.Prefix, error) { return nil, nil }
	_, err = s.Targets(netip.Prefix{})
	require.ErrorIs(t, err, wake.ErrNoTarget)
}

type recorder struct {
	mu      sync.Mutex
	results []wake.Result
	at      []time.Time
}

func (r *recorder) report(x wake.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, x)
	r.at = append(r.at, time.Now())
}

type transmitter struct{ err error }

func (transmitter) Targets(netip.Prefix) ([]netip.AddrPort, error) {
	return []netip.AddrPort{netip.MustParseAddrPort("10.77.0.255:9")}, nil
}

func (f transmitter) Send(context.Context, net.HardwareAddr, netip.AddrPort) error { return f.err }

// run lets a queue work for d of virtual time.
func run(t *testing.T, s wake.Settings, f transmitter, jobs []wake.Job, d time.Duration) *recorder {
	t.Helper()
	rec := &recorder{}
	q := wake.NewQueue(s, f, rec.report)
	for _, j := range jobs {
		require.NoError(t, q.Submit(j))
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	require.ErrorIs(t, q.Run(ctx), context.DeadlineExceeded)
	return rec
}

func TestEachTargetGetsItsRetriesWithTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		rec := run(t, wake.DefaultSettings(), transmitter{}, []wake.Job{{Key: "a", MACs: []net.HardwareAddr{mac(t, "52:54:00:12:34:56")}}}, time.Hour)
		require.Len(t, rec.results, 3)
		for i, r := range rec.results {
			require.Equal(t, i+1, r.Attempt)
			require.Equal(t, time.Duration(i)*time.Minute, rec.at[i].Sub(start))
		}
	})
}

func TestRepeatLeavesOutTheFirstPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		rec := &recorder{}
		q := wake.NewQueue(wake.DefaultSettings(), transmitter{}, rec.report)
		require.NoError(t, q.Repeat(wake.Job{MACs: []net.HardwareAddr{mac(t, "52:54:00:12:34:56")}}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, q.Run(ctx), context.DeadlineExceeded)
		require.Len(t, rec.at, 2)
		require.Equal(t, time.Minute, rec.at[0].Sub(start))
		require.Equal(t, 2*time.Minute, rec.at[1].Sub(start))
	})
}

// A whole site may wait for its second packet: that must not cost a goroutine
// for each machine.
func TestWaitingMachinesHoldNoGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		q := wake.NewQueue(wake.Settings{Retries: 2, Delay: time.Minute, PauseAfter: 1e6, Threads: 3}, transmitter{}, func(wake.Result) {})
		before := runtime.NumGoroutine()
		done := make(chan error, 1)
		go func() { done <- q.Run(ctx) }()
		for range 2000 {
			require.NoError(t, q.Repeat(wake.Job{MACs: []net.HardwareAddr{mac(t, "52:54:00:12:34:56")}}))
		}
		synctest.Wait()
		require.Less(t, runtime.NumGoroutine()-before, 20)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

func TestPauseAfterManyPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		jobs := make([]wake.Job, 5)
		for i := range jobs {
			jobs[i] = wake.Job{MACs: []net.HardwareAddr{mac(t, "52:54:00:12:34:56")}}
		}
		rec := run(t, wake.Settings{Retries: 1, PauseAfter: 2, Pause: 10 * time.Second, Threads: 1}, transmitter{}, jobs, time.Hour)
		var seconds []float64
		for _, at := range rec.at {
			seconds = append(seconds, at.Sub(start).Seconds())
		}
		require.Equal(t, []float64{0, 0, 10, 10, 20}, seconds)
	})
}

func TestFailuresAreReportedNotFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := run(t, wake.Settings{Retries: 1, PauseAfter: 100, Threads: 1}, transmitter{err: errors.New("network is unreachable")},
			[]wake.Job{{Key: "no mac"}, {Key: "a", MACs: []net.HardwareAddr{mac(t, "52:54:00:12:34:56")}}}, time.Minute)
		require.Len(t, rec.results, 2)
		require.ErrorIs(t, rec.results[0].Err, wake.ErrNoTarget)
		require.ErrorContains(t, rec.results[1].Err, "unreachable")
	})
}

package lease_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe/lease"
)

var pool = lease.Range{First: netip.MustParseAddr("10.0.0.10"), Last: netip.MustParseAddr("10.0.0.12")}

func mac(i int) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)} }

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func TestOfferKeepsAddressOfMachine(t *testing.T) {
	c := &clock{t: time.Unix(1e9, 0)}
	tab := lease.NewTable(c.now)
	a, fresh, err := tab.Offer(mac(1), pool, netip.Addr{})
	require.NoError(t, err)
	require.True(t, fresh)
	require.NoError(t, tab.Commit(mac(1), pool, a, time.Hour))
	b, fresh, err := tab.Offer(mac(1), pool, netip.MustParseAddr("10.0.0.99"))
	require.NoError(t, err)
	require.False(t, fresh)
	require.Equal(t, a, b)
	got, ok := tab.MACFor(a)
	require.True(t, ok)
	require.Equal(t, mac(1), got)
	c.add(2 * time.Hour)
	_, ok = tab.MACFor(a)
	require.False(t, ok, "an expired lease names nobody")
	b, _, err = tab.Offer(mac(1), pool, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, a, b, "the binding outlives the lease")
}

func TestRangeExhaustedAndReused(t *testing.T) {
	c := &clock{t: time.Unix(1e9, 0)}
	tab := lease.NewTable(c.now)
	seen := map[netip.Addr]bool{}
	for i := range 3 {
		a, _, err := tab.Offer(mac(i), pool, netip.Addr{})
		require.NoError(t, err)
		require.False(t, seen[a])
		seen[a] = true
	}
	_, _, err := tab.Offer(mac(9), pool, netip.Addr{})
	require.ErrorIs(t, err, lease.ErrExhausted)
	c.add(lease.HoldOffer + time.Second)
	_, _, err = tab.Offer(mac(9), pool, netip.Addr{})
	require.NoError(t, err, "an offer that nobody took is free again")
}

func TestCommitRefusesTaken(t *testing.T) {
	tab := lease.NewTable(nil)
	a, _, err := tab.Offer(mac(1), pool, netip.Addr{})
	require.NoError(t, err)
	require.ErrorIs(t, tab.Commit(mac(2), pool, a, time.Hour), lease.ErrTaken)
	require.ErrorIs(t, tab.Commit(mac(2), pool, netip.MustParseAddr("10.9.9.9"), time.Hour), lease.ErrTaken)
	tab.Withdraw(mac(1))
	require.NoError(t, tab.Commit(mac(2), pool, a, time.Hour))
	require.Error(t, tab.Release(mac(1), a))
	require.NoError(t, tab.Release(mac(2), a))
}

func TestConflict(t *testing.T) {
	c := &clock{t: time.Unix(1e9, 0)}
	tab := lease.NewTable(c.now)
	a, _, err := tab.Offer(mac(1), pool, netip.Addr{})
	require.NoError(t, err)
	require.False(t, tab.Conflict(mac(2), a), "a machine cannot decline the address of another")
	require.True(t, tab.Conflict(mac(1), a))
	b, _, err := tab.Offer(mac(1), pool, a)
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	c.add(lease.HoldConflict + time.Second)
	require.NoError(t, tab.Commit(mac(3), pool, a, time.Hour))
}

func TestLogSurvivesKill(t *testing.T) {
	name := filepath.Join(t.TempDir(), "leases")
	big := lease.Range{First: netip.MustParseAddr("10.0.0.1"), Last: netip.MustParseAddr("10.0.3.255")}
	tab, err := lease.Open(name, nil)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			a, _, err := tab.Offer(mac(i), big, netip.Addr{})
			if err == nil {
				err = tab.Commit(mac(i), big, a, time.Hour)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	want := tab.Leases()
	require.Len(t, want, 200)
	// No Close: a killed process does not close. A torn line is what an interrupted write leaves.
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"mac":"02:00:00:00:00:01","addr":"10.0`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	again, err := lease.Open(name, nil)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(macs(want)), fmt.Sprint(macs(again.Leases())))
	require.NoError(t, again.Close())
	require.NoError(t, again.Close())
	require.Error(t, again.Commit(mac(1), big, big.First, time.Hour), "a closed table must not pretend to have saved")
}

func macs(ls []lease.Lease) (out []string) {
	for _, l := range ls {
		out = append(out, l.MAC+" "+l.Addr.String())
	}
	return out
}

func TestLogIsCompacted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "leases")
	c := &clock{t: time.Unix(1e9, 0)}
	tab, err := lease.Open(name, c.now)
	require.NoError(t, err)
	for range 4500 {
		c.add(time.Second)
		require.NoError(t, tab.Commit(mac(1), pool, pool.First, time.Hour))
	}
	st, err := os.Stat(name)
	require.NoError(t, err)
	require.Less(t, st.Size(), int64(100_000))
	require.NoError(t, tab.Close())
}

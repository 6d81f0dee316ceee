package lease_test

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe/lease"
)

var wide = lease.Range{First: netip.MustParseAddr("10.0.0.1"), Last: netip.MustParseAddr("10.0.15.255")}

// address is the i-th of wide, so that a test knows which machine has which.
func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte((i + 1) >> 8), byte(i + 1)})
}

// flaky fails the sync of every second write, and remembers what the good ones held.
type flaky struct {
	lease.AppendFile
	batches, failed int
	batch           []byte
	kept            bytes.Buffer
}

func (f *flaky) Write(p []byte) (int, error) {
	f.batch = bytes.Clone(p)
	return len(p), nil
}

func (f *flaky) Sync() error {
	if f.batches++; f.batches%2 == 0 {
		f.failed++
		return syscall.EIO
	}
	f.kept.Write(f.batch)
	return nil
}

// Who was told that a lease is saved must be right, also when the batch after a failed one is good.
func TestEachSaverGetsTheOutcomeOfItsOwnBatch(t *testing.T) {
	tab, err := lease.Open(filepath.Join(t.TempDir(), "leases"), nil)
	require.NoError(t, err)
	defer tab.Close()
	file := &flaky{}
	tab.Wrap(func(f lease.AppendFile) lease.AppendFile { file.AppendFile = f; return file })
	const savers, rounds = 64, 40
	told := make([]error, savers*rounds)
	var wg sync.WaitGroup
	for i := range savers {
		wg.Go(func() {
			for r := range rounds {
				n := i*rounds + r
				told[n] = tab.Commit(mac(n), wide, address(n), time.Hour)
			}
		})
	}
	wg.Wait()
	require.NotZero(t, file.failed)
	for n, err := range told {
		saved := strings.Contains(file.kept.String(), mac(n).String())
		if saved != (err == nil) {
			t.Fatalf("machine %d was told %v, saved is %v", n, err, saved)
		}
	}
}

// full takes only the first room bytes of one write, as a full disk does.
type full struct {
	lease.AppendFile
	room int
	hit  bool
}

func (f *full) Write(p []byte) (int, error) {
	if f.hit {
		return f.AppendFile.Write(p)
	}
	f.hit = true
	n, err := f.AppendFile.Write(p[:min(f.room, len(p))])
	if err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

func TestLeaseAfterAShortWriteIsNotSwallowed(t *testing.T) {
	c := &clock{t: time.Unix(1e9, 0).UTC()}
	for room := 0; ; room++ {
		name := filepath.Join(t.TempDir(), "leases")
		tab, err := lease.Open(name, c.now)
		require.NoError(t, err)
		require.NoError(t, tab.Commit(mac(1), wide, address(1), time.Hour))
		tab.Wrap(func(f lease.AppendFile) lease.AppendFile { return &full{AppendFile: f, room: room} })
		torn := tab.Commit(mac(2), wide, address(2), time.Hour)
		require.NoError(t, tab.Commit(mac(3), wide, address(3), time.Hour))
		again, err := lease.Open(name, c.now)
		require.NoError(t, err)
		have := strings.Join(macs(again.Leases()), "\n")
		require.NoError(t, again.Close())
		require.NoError(t, tab.Close())
		for _, i := range []int{1, 3} {
			require.Contains(t, have, mac(i).String(), "after %d bytes", room)
		}
		if torn == nil {
			require.Contains(t, have, mac(2).String())
			return
		}
	}
}

func TestLogTornAnywhereKeepsWhatWasWholeAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "leases")
	tab, err := lease.Open(name, nil)
	require.NoError(t, err)
	for i := range 4 {
		require.NoError(t, tab.Commit(mac(i), wide, address(i), time.Hour))
	}
	require.NoError(t, tab.Close())
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	zeros := strings.Repeat("\x00", 100_000) // what a file system may leave after a power cut
	for _, tail := range []string{"", "\x00\x00", zeros, zeros + "\n"} {
		for cut := range len(whole) + 1 {
			if len(tail) > 2 && cut%50 != 0 {
				continue
			}
			lines := bytes.Count(whole[:cut], []byte("\n"))
			require.NoError(t, os.WriteFile(name, append(bytes.Clone(whole[:cut]), tail...), 0o600))
			tab, err := lease.Open(name, nil)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(tab.Leases()), lines, "cut at %d", cut)
			require.NoError(t, tab.Commit(mac(9), wide, address(9), time.Hour))
			again, err := lease.Open(name, nil) // no Close before: the first one was killed
			require.NoError(t, err)
			_, ok := again.MACFor(address(9))
			require.True(t, ok, "cut at %d: the lease after the torn line is lost", cut)
			require.GreaterOrEqual(t, len(again.Leases()), lines+1)
			require.NoError(t, tab.Close())
			require.NoError(t, again.Close())
		}
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file is left")
}

// A block of zeros in the middle, longer than any line, must not end the reading.
func TestLeasesAfterABlockOfZerosAreRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "leases")
	tab, err := lease.Open(name, nil)
	require.NoError(t, err)
	require.NoError(t, tab.Commit(mac(1), wide, address(1), time.Hour))
	require.NoError(t, tab.Close())
	line, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, append([]byte(strings.Repeat("\x00", 100_000)+"\n"), line...), 0o600))
	tab, err = lease.Open(name, nil)
	require.NoError(t, err)
	defer tab.Close()
	assert.Len(t, tab.Leases(), 1)
}

// What a process that was killed while it wrote the log anew left is gone after the next start; other files stay.
func TestLeftoversOfAKillAreSwept(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "leases")
	for _, other := range []string{".leases.new-123", ".leases.new-", "leases.20260101", ".leases.old", "other"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, other), []byte("x"), 0o600))
	}
	tab, err := lease.Open(name, nil)
	require.NoError(t, err)
	require.NoError(t, tab.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{".leases.old", "leases", "leases.20260101", "other"}, names)
}

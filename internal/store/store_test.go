package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "a b?#%41", "site.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func update(t testing.TB, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), fn))
}

func device(n int) wire.Device {
	return wire.Device{ID: fmt.Sprintf("d%06d", n), Name: fmt.Sprintf("lab-%d", n), Kind: wire.KnownDevice, MACs: []string{fmt.Sprintf("52:54:00:%02x:%02x:%02x", n>>16, n>>8&0xff, n&0xff)}}
}

func TestDatabaseIsReadableByItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.db")
	s, err := store.Open(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	update(t, s, func(tx *store.Tx) error { return tx.PutDevice(device(1)) })
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

// Numbers rise and are never given twice, also by many at once.
func TestNumbersAreNeverGivenTwice(t *testing.T) {
	s := open(t)
	update(t, s, func(tx *store.Tx) error { return tx.Reserve("x", 7) })
	var mu sync.Mutex
	seen := map[int]bool{}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			var n int
			err := s.Update(context.Background(), func(tx *store.Tx) error {
				var err error
				n, err = tx.Next("x", 1)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil && n > 7 {
				seen[n] = true
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, 50)
	update(t, s, func(tx *store.Tx) error { return tx.Reserve("x", 3) })
	update(t, s, func(tx *store.Tx) error {
		n, err := tx.Next("x", 1)
		require.Equal(t, 58, n, "a lower reservation takes nothing back")
		return err
	})
}

// One that fails or panics takes nothing of the others in its batch along.
func TestFailedWriteIsAlone(t *testing.T) {
	s := open(t)
	var wg sync.WaitGroup
	boom := errors.New("boom")
	for i := range 60 {
		wg.Go(func() {
			err := s.Update(context.Background(), func(tx *store.Tx) error {
				if err := tx.PutDevice(device(i)); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return boom
				case 2:
					panic("bang")
				}
				return nil
			})
			switch i % 3 {
			case 0:
				if err != nil {
					t.Errorf("write %d: %v", i, err)
				}
			case 1:
				if !errors.Is(err, boom) {
					t.Errorf("write %d: %v", i, err)
				}
			case 2:
				if err == nil || !strings.Contains(err.Error(), "bang") {
					t.Errorf("write %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.Devices()
		require.Len(t, list, 20)
		return err
	}))
}

func TestClosedStoreRefuses(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "site.db"))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Error(t, s.Update(t.Context(), func(*store.Tx) error { return nil }))
	require.Error(t, s.View(t.Context(), func(*store.Tx) error { return nil }))
}

func TestDueWorkIsClaimedOnce(t *testing.T) {
	s := open(t)
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for range 2 { // planning again changes nothing
		update(t, s, func(tx *store.Tx) error {
			_, err := tx.AddDue(store.Due{Key: "k", Kind: "wake", At: now, Device: "d"})
			return err
		})
	}
	claim := func(holder string, at time.Time) (got bool) {
		update(t, s, func(tx *store.Tx) error {
			var err error
			got, err = tx.ClaimDue("k", holder, at, time.Minute)
			return err
		})
		return got
	}
	due := func(at time.Time) (list []store.Due) {
		require.NoError(t, s.View(t.Context(), func(tx *store.Tx) error {
			var err error
			list, err = tx.DueWork("wake", at, time.Minute, 10)
			return err
		}))
		return list
	}
	require.Empty(t, due(now.Add(-time.Second)))
	require.Equal(t, "d", due(now)[0].Device)
	require.True(t, claim("a", now))
	require.False(t, claim("b", now.Add(time.Second)))
	require.Empty(t, due(now.Add(time.Second)))
	require.True(t, claim("b", now.Add(2*time.Minute)), "a holder that died is replaced")
	update(t, s, func(tx *store.Tx) error {
		done, err := tx.FinishDue("k", "a", now)
		require.False(t, done, "the old holder may not finish it")
		return err
	})
	update(t, s, func(tx *store.Tx) error {
		done, err := tx.FinishDue("k", "b", now)
		require.True(t, done)
		return err
	})
	require.False(t, claim("c", now.Add(time.Hour)))
}

func TestOneActiveRunPerDevice(t *testing.T) {
	s := open(t)
	run := func(id, key string, state wire.RunState) error {
		return s.Update(t.Context(), func(tx *store.Tx) error {
			return tx.PutRun(store.Run{Key: key, RunInfo: wire.RunInfo{ID: id, Device: "d", State: state}})
		})
	}
	require.NoError(t, run("r1", "k1", wire.RunRunning))
	require.ErrorIs(t, run("r2", "k2", wire.RunRunning), store.ErrConflict)
	require.NoError(t, run("r1", "k1", wire.RunFailed))
	require.NoError(t, run("r2", "k2", wire.RunRunning))
	require.ErrorIs(t, run("r3", "k1", wire.RunFailed), store.ErrConflict, "a claim key is taken once")
}

// A program that was killed in the middle of writing loses nothing that was
// acknowledged, and the file is whole.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	if path := os.Getenv("STORE_TEST_VICTIM"); path != "" {
		s, err := store.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			if err := s.Update(context.Background(), func(tx *store.Tx) error { return tx.PutDevice(device(i)) }); err != nil {
				t.Fatal(err)
			}
			fmt.Println("ack", i)
		}
	}
	path := filepath.Join(t.TempDir(), "site.db")
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledWriterLosesNothingAcknowledged$")
		cmd.Env = append(os.Environ(), "STORE_TEST_VICTIM="+path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		last := -1
		for n := 0; n < 20+round*13; n++ {
			if _, err := fmt.Fscanf(out, "ack %d\n", &last); err != nil {
				break
			}
		}
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		require.Positive(t, last)
		s, err := store.Open(t.Context(), path)
		require.NoError(t, err)
		require.NoError(t, s.View(t.Context(), func(tx *store.Tx) error {
			list, err := tx.Devices()
			require.Greater(t, len(list), last)
			return err
		}))
		require.NoError(t, s.Close())
	}
}

// The rows come back as they were put.
func TestRowsComeBack(t *testing.T) {
	s := open(t)
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	want := device(1)
	want.LastSeen = &at
	update(t, s, func(tx *store.Tx) error {
		require.NoError(t, tx.PutDevice(want))
		require.NoError(t, tx.PutVariable("device", want.ID, wire.Variable{Name: "Aa", Value: "1", Hidden: true}))
		require.NoError(t, tx.PutVariable("device", want.ID, wire.Variable{Name: "aA", Value: "2"}))
		require.NoError(t, tx.PutLedger(store.LedgerEntry{Subject: "s", Deployment: "D", Handed: at, Expires: at.Add(time.Hour)}))
		require.NoError(t, tx.PutToken(store.Token{Hash: "h", ID: "i", Kind: "boot", MAC: "m", Expires: at}))
		require.NoError(t, tx.PutCollection(wire.Collection{ID: "C", Name: "c"}))
		return tx.AddMember("C", want.ID)
	})
	require.NoError(t, s.View(t.Context(), func(tx *store.Tx) error {
		got, err := tx.Device(want.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
		vars, err := tx.Variables("device", want.ID)
		require.NoError(t, err)
		require.Equal(t, []wire.Variable{{Name: "Aa", Value: "2"}}, vars, "names are compared without regard to case")
		l, err := tx.Ledger(at.Add(time.Minute), "s")
		require.NoError(t, err)
		require.Equal(t, at, l[0].Handed)
		l, err = tx.Ledger(at.Add(time.Hour), "s")
		require.NoError(t, err)
		require.Empty(t, l, "PXE-19")
		tok, err := tx.Token("h")
		require.NoError(t, err)
		require.Equal(t, "m", tok.MAC)
		_, err = tx.Token("H")
		require.ErrorIs(t, err, store.ErrNotFound)
		return nil
	}))
	update(t, s, func(tx *store.Tx) error {
		first, err := tx.UseToken("h", at)
		require.NoError(t, err)
		require.True(t, first)
		first, err = tx.UseToken("h", at)
		require.NoError(t, err)
		require.False(t, first)
		return tx.DeleteDevice(want.ID)
	})
	require.NoError(t, s.View(t.Context(), func(tx *store.Tx) error {
		ids, err := tx.DirectMembers("C")
		require.Empty(t, ids)
		return err
	}))
	require.Error(t, s.View(t.Context(), func(tx *store.Tx) error { return tx.PutDevice(want) }), "a view writes nothing")
}

func BenchmarkUpdateSideBySide(b *testing.B) {
	s := open(b)
	var n sync.Mutex
	i := 0
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n.Lock()
			i++
			d := device(i)
			n.Unlock()
			if err := s.Update(context.Background(), func(tx *store.Tx) error { return tx.PutDevice(d) }); err != nil {
				b.Error(err)
			}
		}
	})
}

package userstate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/agent/userstate"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// keeper is an appliance that keeps one state, and fails now and then.
type keeper struct {
	pieces   map[int][]byte
	complete []string
	limit    int64
	id       string
	away     int // requests that fail
	released bool
}

func (k *keeper) Do(_ context.Context, method, where string, in, out any) error {
	if k.away > 0 {
		k.away--
		return errors.New("away")
	}
	give := func(v any) error {
		data, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(data, out)
		}
		return err
	}
	key := sha256.Sum256([]byte("key of " + k.id))
	switch {
	case strings.HasSuffix(where, "/state"):
		if in.(wire.StateRequest).Restore && k.complete == nil {
			return &wire.Problem{Status: http.StatusNotFound, Detail: "no state"}
		}
		answer := wire.StateStore{ID: k.id, Key: key[:], MaxBytes: k.limit}
		if r := in.(wire.StateRequest); r.Restore || r.State != "" {
			answer.Pieces = k.complete
		}
		return give(answer)
	case strings.HasSuffix(where, "/complete"):
		k.complete = in.(wire.StateComplete).Pieces
		return nil
	case strings.HasSuffix(where, "/release"):
		k.released = true
		return nil
	}
	n, err := strconv.Atoi(path.Base(where))
	if err != nil {
		return err
	}
	if method == http.MethodPut {
		k.pieces[n] = in.(wire.StatePiece).Data
		return nil
	}
	return give(wire.StatePiece{Data: k.pieces[n]})
}

type instant struct{}

func (instant) Now() time.Time                             { return time.Now() }
func (instant) Sleep(context.Context, time.Duration) error { return nil }

func newStore(k *keeper) *userstate.Store {
	return &userstate.Store{Line: k, Run: "run", Clock: instant{}, Wait: link.Backoff{First: time.Millisecond, Max: time.Millisecond}, Say: func(string, ...any) {}}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(b)
	return b
}

func saved(t *testing.T, k *keeper, data []byte) {
	t.Helper()
	s := newStore(k)
	at, err := s.Request(t.Context(), false)
	require.NoError(t, err)
	require.True(t, s.Is(at))
	require.NoError(t, s.Save(t.Context(), at, func(w io.Writer) error { _, err := w.Write(data); return err }))
}

func loaded(t *testing.T, k *keeper) ([]byte, error) {
	t.Helper()
	s := newStore(k) // another agent, after a restart
	var b bytes.Buffer
	err := s.Load(t.Context(), "bootyard-state:"+k.id, func(r io.Reader) error { _, err := b.ReadFrom(r); return err })
	return b.Bytes(), err
}

func TestStoreRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 2 << 20, 2<<20 + 1, 5 << 20} {
		k := &keeper{pieces: map[int][]byte{}, limit: 1 << 30, id: "a"}
		data := random(n)
		saved(t, k, data)
		k.away = 2
		got, err := loaded(t, k)
		for range 2 { // the request of a store tries once, pieces wait
			if err != nil && strings.Contains(err.Error(), "away") {
				got, err = loaded(t, k)
			}
		}
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		for _, p := range k.pieces {
			require.LessOrEqual(t, len(p), wire.MaxStatePiece)
			if n > 100 {
				require.False(t, bytes.Contains(p, data[:50]), "pieces are encrypted")
			}
		}
		require.NoError(t, newStore(k).Release(t.Context(), "bootyard-state:a"))
		require.True(t, k.released)
	}
}

// What was changed, exchanged, cut off, or belongs to another state is refused.
func TestStoreRefusesWhatWasChanged(t *testing.T) {
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	for name, change := range map[string]func(k *keeper){
		"bit":          func(k *keeper) { k.pieces[1][100] ^= 1 },
		"bit and hash": func(k *keeper) { k.pieces[1][100] ^= 1; k.complete[1] = sum(k.pieces[1]) },
		"exchanged": func(k *keeper) {
			k.pieces[0], k.pieces[1] = k.pieces[1], k.pieces[0]
			k.complete[0], k.complete[1] = k.complete[1], k.complete[0]
		},
		"cut off": func(k *keeper) { k.complete = k.complete[:2] },
		"other":   func(k *keeper) { k.id = "b" },
		"empty":   func(k *keeper) { k.pieces[1], k.complete[1] = nil, sum(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			k := &keeper{pieces: map[int][]byte{}, limit: 1 << 30, id: "a"}
			saved(t, k, random(5<<20))
			change(k)
			_, err := loaded(t, k)
			require.ErrorIs(t, err, userstate.ErrDamaged)
		})
	}
}

func TestStoreLimitAndAbsence(t *testing.T) {
	k := &keeper{pieces: map[int][]byte{}, limit: 3 << 20, id: "a"}
	s := newStore(k)
	_, err := s.Request(t.Context(), true)
	require.ErrorIs(t, err, machine.ErrNoState)
	at, err := s.Request(t.Context(), false)
	require.NoError(t, err)
	err = s.Save(t.Context(), at, func(w io.Writer) error { _, err := w.Write(random(8 << 20)); return err })
	require.ErrorContains(t, err, "--state-max-bytes")
	require.Len(t, k.pieces, 1)
	require.Nil(t, k.complete)
}

// USM-2: an agent that started anew between the request and the capture gets the store's key again from the appliance, also
// in the middle of the capture; what is complete is not written over.
func TestStoreAfterARestart(t *testing.T) {
	k := &keeper{pieces: map[int][]byte{}, limit: 1 << 30, id: "a"}
	at, err := newStore(k).Request(t.Context(), false)
	require.NoError(t, err)
	broken := errors.New("killed")
	require.ErrorIs(t, newStore(k).Save(t.Context(), at, func(w io.Writer) error {
		_, err := w.Write(random(5 << 20))
		return errors.Join(err, broken)
	}), broken)
	k.away = 2
	require.NoError(t, newStore(k).Save(t.Context(), at, func(w io.Writer) error { _, err := w.Write(random(3 << 20)); return err }))
	err = newStore(k).Save(t.Context(), at, func(io.Writer) error { panic("not called") })
	require.ErrorIs(t, err, machine.ErrStateComplete)
	got, err := loaded(t, k)
	require.NoError(t, err)
	require.True(t, bytes.Equal(random(3<<20), got))
}

func TestPack(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "USMT", "empty"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "USMT", "USMT.MIG"), random(100000), 0o600))
	var b bytes.Buffer
	require.NoError(t, userstate.Pack(t.Context(), dir, &b))
	require.NoError(t, os.MkdirAll(filepath.Join(to, "old"), 0o700))
	require.NoError(t, userstate.Unpack(t.Context(), &b, to))
	got, err := os.ReadFile(filepath.Join(to, "USMT", "USMT.MIG"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(random(100000), got))
	require.DirExists(t, filepath.Join(to, "USMT", "empty"))
	require.NoDirExists(t, filepath.Join(to, "old"))
}

package imagestore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/imagestore"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// keeper is an appliance that keeps one image, and fails now and then.
type keeper struct {
	open   wire.CaptureStore
	asked  wire.CaptureRequest
	pieces map[int][]byte
	sent   int
	ends   []wire.CaptureComplete
	slow   int // answers before the image is stored
	away   int // requests that fail
	refuse error
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
	switch r := in.(type) {
	case wire.CaptureRequest:
		k.asked = r
		return give(k.open)
	case wire.CaptureComplete:
		k.ends = append(k.ends, r)
		if k.slow--; k.slow >= 0 {
			return give(wire.CaptureStored{})
		}
		return give(wire.CaptureStored{Package: "BYD00009"})
	case wire.CapturePieceData:
		n, err := strconv.Atoi(path.Base(where))
		if err != nil || method != http.MethodPut || !strings.Contains(where, "/captures/c1/") {
			return errors.Join(err, errors.New(where))
		}
		k.sent++
		k.pieces[n] = bytes.Clone(r.Data)
		return k.refuse
	}
	return errors.New(where)
}

type instant struct{}

func (instant) Now() time.Time                             { return time.Now() }
func (instant) Sleep(context.Context, time.Duration) error { return nil }

func store(k *keeper) *imagestore.Store {
	return &imagestore.Store{Line: k, Run: "run", Clock: instant{}, Wait: link.Backoff{First: time.Millisecond, Max: time.Millisecond}, Say: func(string, ...any) {}}
}

func newKeeper() *keeper {
	return &keeper{open: wire.CaptureStore{ID: "c1", MaxBytes: 1 << 30}, pieces: map[int][]byte{}}
}

var image = machine.StoredImage{Step: "3 Capture", Name: "ref", Tar: true, Author: "me", Description: "text", Version: "2"}

func written(data []byte) func(io.Writer) (int64, error) {
	return func(w io.Writer) (int64, error) {
		for i := 0; i < len(data); i += 700_001 { // as they come
			if _, err := w.Write(data[i:min(i+700_001, len(data))]); err != nil {
				return 0, errors.New("broken pipe")
			}
		}
		return 12345, nil
	}
}

// IMG-1: cut into pieces, over an appliance that is away, and stored in the end.
func TestIMG1Store(t *testing.T) {
	for _, n := range []int{1, wire.CapturePiece, wire.CapturePiece + 1, 3*wire.CapturePiece - 5} {
		k := newKeeper()
		k.away, k.slow = 2, 3
		data := make([]byte, n)
		rand.New(rand.NewSource(1)).Read(data)
		id, err := store(k).Store(t.Context(), image, written(data))
		require.NoError(t, err)
		require.Equal(t, "BYD00009", id)
		require.Equal(t, wire.CaptureRequest{Step: "3 Capture", Name: "ref", Format: wire.CaptureTar}, k.asked)
		var all []byte
		for i := 0; i < len(k.pieces); i++ {
			all = append(all, k.pieces[i]...)
		}
		require.True(t, bytes.Equal(data, all))
		require.Len(t, k.ends, 4)
		require.Len(t, k.ends[0].Pieces, len(k.pieces))
		require.Equal(t, int64(n), k.ends[0].Size)
		require.Equal(t, int64(12345), k.ends[0].Unpacked)
		require.Equal(t, [3]string{"me", "text", "2"}, [3]string{k.ends[0].Author, k.ends[0].Description, k.ends[0].Version})

		// The step is run again: only what differs is sent.
		again := newKeeper()
		again.open.Pieces = append([]string{}, k.ends[0].Pieces...)
		again.open.Pieces[len(again.open.Pieces)-1] = "" // was under way
		_, err = store(again).Store(t.Context(), image, written(data))
		require.NoError(t, err)
		require.Equal(t, 1, again.sent)
		require.Equal(t, k.ends[0].Pieces, again.ends[0].Pieces)
	}
}

// IMG-1: an image that came whole before the agent was killed is not captured again.
func TestIMG1CameWhole(t *testing.T) {
	k := newKeeper()
	k.open.Complete, k.slow = true, 1
	id, err := store(k).Store(t.Context(), image, func(io.Writer) (int64, error) {
		return 0, errors.New("captured again")
	})
	require.NoError(t, err)
	require.Equal(t, "BYD00009", id)
}

func TestStoreFails(t *testing.T) {
	k := newKeeper()
	k.refuse = &wire.Problem{Status: 413, Detail: "the disk is full"}
	_, err := store(k).Store(t.Context(), image, written(make([]byte, 2*wire.CapturePiece)))
	require.ErrorContains(t, err, "the disk is full", "and not the broken pipe")
	require.Empty(t, k.ends)

	k = newKeeper()
	k.open.MaxBytes = wire.CapturePiece
	_, err = store(k).Store(t.Context(), image, written(make([]byte, wire.CapturePiece+1)))
	require.ErrorContains(t, err, "capture-max-bytes")
	require.Equal(t, 1, k.sent)

	k = newKeeper()
	_, err = store(k).Store(t.Context(), image, func(w io.Writer) (int64, error) {
		_, _ = w.Write([]byte("half"))
		return 0, errors.New("tar: a file vanished")
	})
	require.ErrorContains(t, err, "vanished")
	require.Empty(t, k.ends, "half an image is none")
}

package userstate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// scheme begins the paths of the store.
const scheme = "bootyard-state:"

// Line is the way to the appliance.
type Line interface {
	Do(ctx context.Context, method, path string, in, out any) error
}

// Store is a machine.StateStore: the appliance keeps the state of the run's device. It is safe for concurrent use.
type Store struct {
	Line  Line
	Run   string
	Clock link.Clock
	Wait  link.Backoff                     // for an appliance that is away while pieces are sent
	Say   func(format string, args ...any) // never nil

	mu   sync.Mutex
	open map[string]wire.StateStore // requested by this agent; the keys are nowhere else on the machine
}

// Request implements machine.StateStore.
func (s *Store) Request(ctx context.Context, restore bool) (string, error) {
	answer, err := s.request(ctx, wire.StateRequest{Restore: restore})
	if link.Status(err) == http.StatusNotFound {
		return "", fmt.Errorf("%w: %w", machine.ErrNoState, err)
	}
	if err != nil {
		return "", err
	}
	return scheme + answer.ID, nil
}

// request tries once, and remembers what it was given.
func (s *Store) request(ctx context.Context, r wire.StateRequest) (answer wire.StateStore, err error) {
	if err := s.Line.Do(ctx, http.MethodPost, link.Path(wire.PathState, "run", s.Run), r, &answer); err != nil {
		return answer, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]wire.StateStore{}
	}
	s.open[answer.ID] = answer
	return answer, nil
}

// Is implements machine.StateStore.
func (s *Store) Is(path string) bool { return strings.HasPrefix(path, scheme) }

// Save implements machine.StateStore.
func (s *Store) Save(ctx context.Context, path string, write func(io.Writer) error) error {
	st, err := s.find(ctx, path, false)
	if err != nil {
		return err
	}
	if len(st.Pieces) > 0 {
		return fmt.Errorf("%w: request another store for another capture", machine.ErrStateComplete)
	}
	seal, err := newSealer(st.ID, st.Key)
	if err != nil {
		return err
	}
	w := &pieceWriter{sealer: seal, limit: st.MaxBytes, send: func(number int, sealed []byte) error {
		return s.do(ctx, http.MethodPut, s.piece(st.ID, number), wire.StatePiece{Data: sealed, SHA256: hash(sealed)}, nil)
	}}
	if err := errors.Join(write(w), w.err); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return s.do(ctx, http.MethodPost, link.Path(wire.PathStateComplete, "run", s.Run, "state", st.ID), wire.StateComplete{Pieces: w.hashes}, nil)
}

// Load implements machine.StateStore. The whole stream is read, so that a state that was cut off is seen.
func (s *Store) Load(ctx context.Context, path string, read func(io.Reader) error) error {
	st, err := s.find(ctx, path, true)
	if err != nil {
		return err
	}
	seal, err := newSealer(st.ID, st.Key)
	if err != nil {
		return err
	}
	if len(st.Pieces) == 0 {
		return errors.New("the state is empty: it was requested for capture, not for restore")
	}
	r := &pieceReader{sealer: seal, hashes: st.Pieces, fetch: func(number int) ([]byte, error) {
		var p wire.StatePiece
		err := s.do(ctx, http.MethodGet, s.piece(st.ID, number), nil, &p)
		return p.Data, err
	}}
	if err := read(r); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

// Release implements machine.StateStore.
func (s *Store) Release(ctx context.Context, path string) error {
	return s.do(ctx, http.MethodPost, link.Path(wire.PathStateRelease, "run", s.Run, "state", strings.TrimPrefix(path, scheme)), nil, nil)
}

// find is the store that was requested. An agent that started anew since then asks for it again: the one to capture into by
// its name, the one to restore from as before.
func (s *Store) find(ctx context.Context, path string, restore bool) (wire.StateStore, error) {
	id := strings.TrimPrefix(path, scheme)
	s.mu.Lock()
	st, ok := s.open[id]
	s.mu.Unlock()
	if ok {
		return st, nil
	}
	r := wire.StateRequest{Restore: restore}
	if !restore {
		r.State = id
	}
	err := s.retry(ctx, func(ctx context.Context) (err error) {
		st, err = s.request(ctx, r)
		return err
	})
	if err == nil && st.ID != id {
		err = fmt.Errorf("the state to restore is not %s any more, but %s", path, scheme+st.ID)
	}
	return st, err
}

func (s *Store) piece(id string, number int) string {
	return link.Path(wire.PathStatePiece, "run", s.Run, "state", id, "number", strconv.Itoa(number))
}

func (s *Store) do(ctx context.Context, method, path string, in, out any) error {
	return s.retry(ctx, func(ctx context.Context) error { return s.Line.Do(ctx, method, path, in, out) })
}

// retry waits for an appliance that is away.
func (s *Store) retry(ctx context.Context, try func(context.Context) error) error {
	return link.Retry(ctx, s.Clock, s.Wait, func(err error, wait time.Duration) {
		s.Say("user state: the appliance does not answer (%v), next try in %s", err, wait.Round(time.Second))
	}, try)
}

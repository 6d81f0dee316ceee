package site

import (
	"context"
	"sync"
)

// feed is a revision counter that can be waited for. It holds nothing per
// change, so a slow page costs no memory.
type feed struct {
	mu       sync.Mutex
	revision uint64
	changed  chan struct{}
}

func (f *feed) init() { f.changed, f.revision = make(chan struct{}), 1 }

func (f *feed) bump() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revision++
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feed) now() (uint64, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.revision, f.changed
}

// Revision rises with every change that a status page would show.
func (s *Service) Revision() uint64 {
	r, _ := s.feed.now()
	return r
}

// WaitChange returns the revision as soon as it is not seen any more, or the
// context's error.
func (s *Service) WaitChange(ctx context.Context, seen uint64) (uint64, error) {
	for {
		r, changed := s.feed.now()
		if r != seen {
			return r, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

package outbox

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
)

// pump sends what is queued now: events, log, result.
func (b *Outbox) pump(ctx context.Context) error {
	b.pumping.Lock()
	defer b.pumping.Unlock()
	if b.Empty() {
		return nil
	}
	err := b.send(ctx)
	switch link.Status(err) {
	case http.StatusNotFound, http.StatusGone:
		// The run was deleted on the appliance; nobody will ever take this.
		b.mu.Lock()
		defer b.mu.Unlock()
		b.gone = true
		b.log.Warn("the appliance no longer knows this run, its status is dropped", "run", b.options.Run, "err", err)
		return b.discard()
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		// The two sides disagree about what was sent: ask before the next attempt.
		b.mu.Lock()
		b.synced = false
		b.mu.Unlock()
	}
	return err
}

func (b *Outbox) send(ctx context.Context) error {
	if err := b.sync(ctx); err != nil {
		return err
	}
	for {
		more, err := b.sendEvents(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	for {
		more, err := b.sendLog(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return b.sendFinish(ctx)
}

// sync asks what the appliance has and drops that from the queue. Numbers that a crash left out are closed up, because the
// appliance takes only the next number.
func (b *Outbox) sync(ctx context.Context) error {
	b.mu.Lock()
	done := b.synced
	b.mu.Unlock()
	if done {
		return nil
	}
	var run wire.Run
	if err := b.options.Line.Do(ctx, http.MethodGet, link.Path(wire.PathRun, "run", b.options.Run), nil, &run); err != nil {
		return fmt.Errorf("ask for the state of the run: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := len(b.pending)
	if !b.met {
		// Before the first answer only what an earlier agent left has numbers that mean anything to the appliance.
		old = b.loaded
	}
	b.met = true
	kept := slices.DeleteFunc(slices.Clone(b.pending[:old]), func(e wire.Event) bool { return e.Number < run.NextEvent })
	b.pending = append(kept, b.pending[old:]...)
	number := max(run.NextEvent, 1)
	for i := range b.pending {
		b.pending[i].Number = number
		number++
	}
	b.next = number
	b.stream.continueAt(run.LogSize)
	b.synced = true
	return rewriteJournal(b.journal, b.pending)
}

func (b *Outbox) sendEvents(ctx context.Context) (more bool, err error) {
	b.mu.Lock()
	n := min(len(b.pending), maxBatch)
	batch := wire.Events{Events: slices.Clone(b.pending[:n])}
	b.flying = n
	b.mu.Unlock()
	if n == 0 {
		return false, nil
	}
	err = b.options.Line.Do(ctx, http.MethodPost, link.Path(wire.PathEvents, "run", b.options.Run), batch, nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying = 0
	if status := link.Status(err); status == http.StatusBadRequest || status == http.StatusUnprocessableEntity {
		if b.refused++; b.refused < 2 {
			return false, fmt.Errorf("send status: %w", err)
		}
		b.log.Warn("the appliance refuses these events, they are dropped", "run", b.options.Run, "events", n, "err", err)
		err = nil
	}
	if err != nil {
		return false, fmt.Errorf("send status: %w", err)
	}
	b.refused = 0
	b.pending = slices.Delete(b.pending, 0, n)
	return len(b.pending) > 0, rewriteJournal(b.journal, b.pending)
}

func (b *Outbox) sendLog(ctx context.Context) (more bool, err error) {
	b.mu.Lock()
	offset, data, err := b.stream.chunk(maxChunk)
	b.mu.Unlock()
	if err != nil || len(data) == 0 {
		return false, err
	}
	err = b.options.Line.Do(ctx, http.MethodPut, link.Path(wire.PathLog, "run", b.options.Run), wire.LogChunk{Offset: offset, Data: data}, nil)
	if status := link.Status(err); status == http.StatusRequestEntityTooLarge {
		// The appliance keeps no more; the result behind it is worth more than the log.
		b.log.Warn("the rest of the log is not uploaded", "run", b.options.Run, "err", err)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.stream.sent = b.stream.end
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("send log: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stream.sent = offset + int64(len(data))
	return b.stream.unsent() > 0, nil
}

func (b *Outbox) sendFinish(ctx context.Context) error {
	b.mu.Lock()
	finish := b.finish
	b.mu.Unlock()
	if finish == nil {
		return nil
	}
	if err := b.options.Line.Do(ctx, http.MethodPost, link.Path(wire.PathFinish, "run", b.options.Run), finish, nil); err != nil {
		return fmt.Errorf("send result: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finish = nil
	if err := os.Remove(filepath.Join(b.options.Dir, finishFile)); err != nil {
		return fmt.Errorf("forget sent result: %w", err)
	}
	return nil
}

// discard empties the queue. The caller holds the lock.
func (b *Outbox) discard() error {
	b.pending, b.finish = nil, nil
	b.stream.sent = b.stream.end
	_ = os.Remove(filepath.Join(b.options.Dir, finishFile))
	return rewriteJournal(b.journal, nil)
}

package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	maxBatch = 500       // events in one request (wire.Events)
	maxChunk = 512 << 10 // bytes of log in one request
	maxQueue = 20000     // events kept while the appliance is away; 20,000 are some 6 MB
	// linger gathers what comes in quick succession into one request.
	linger     = 250 * time.Millisecond
	finishFile = "finish.json"
)

// Line sends one request to the appliance; *link.Client is one.
type Line interface {
	Do(ctx context.Context, method, path string, in, out any) error
}

// Options of an Outbox.
type Options struct {
	Dir    string // for what is not delivered; made if missing, 0700
	Run    string
	Next   int64 // number of the next event, if Dir holds none
	Log    int64 // bytes of the log that were written before, if Dir holds none
	Line   Line
	Logger *slog.Logger
	// Backoff between attempts; zero is one second doubling to half a minute.
	Backoff link.Backoff
	// OneTry, asked after a failed delivery in the background, ends those of this Outbox; what is queued waits for a Flush or for
	// the next Outbox. Nil: never.
	OneTry func() bool
}

// Outbox is the queue of one run. It is safe for concurrent use.
type Outbox struct {
	options Options
	log     *slog.Logger
	wake    chan struct{}
	pumping sync.Mutex // one delivery at a time

	mu      sync.Mutex
	pending []wire.Event
	flying  int // how many of pending are being sent and must not change
	next    int64
	journal *os.File
	stream  *stream
	finish  *wire.Finish
	loaded  int  // how many of pending an earlier agent left with settled numbers
	met     bool // the appliance has said at least once what it has
	synced  bool // what it has is known now
	gone    bool
	dropped int
	refused int // how often the same events were refused
}

// Open takes up what dir holds and continues it.
func Open(o Options) (*Outbox, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Backoff.First <= 0 {
		o.Backoff = link.Backoff{First: time.Second, Max: 30 * time.Second}
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for unsent status: %w", err)
	}
	b := &Outbox{options: o, log: o.Logger, wake: make(chan struct{}, 1), next: max(o.Next, 1)}
	pending, settled, err := readJournal(o.Dir)
	if err != nil {
		return nil, err
	}
	b.loaded = settled
	if b.pending = pending; len(pending) > 0 {
		b.next = pending[len(pending)-1].Number + 1
	}
	if b.journal, err = openJournal(o.Dir); err != nil {
		return nil, err
	}
	if b.stream, err = openStream(o.Dir, o.Log); err != nil {
		b.journal.Close()
		return nil, err
	}
	if data, err := os.ReadFile(filepath.Join(o.Dir, finishFile)); err == nil {
		var f wire.Finish
		if json.Unmarshal(data, &f) == nil {
			b.finish = &f
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("read unsent result: %w", err), b.Close())
	}
	return b, nil
}

// Post queues an event and gives it its number. A progress event that follows another one of the same step replaces it,
// unless that is on its way already, so progress does not pile up.
func (b *Outbox) Post(e wire.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.pending); n > b.flying && e.Kind == wire.EventProgress {
		if last := &b.pending[n-1]; last.Kind == wire.EventProgress && last.Pointer == e.Pointer {
			e.Number = last.Number
			*last = e
			b.wakeUp()
			return
		}
	}
	if len(b.pending) >= maxQueue {
		if b.dropped++; b.dropped == 1 {
			b.log.Warn("status queue is full, later events are lost", "run", b.options.Run, "events", maxQueue)
		}
		return
	}
	e.Number = b.next
	b.next++
	b.pending = append(b.pending, e)
	// Progress is not worth a write; it is renumbered away after a crash, see sync.
	if err := appendJournal(b.journal, entry{e, !b.met}); err != nil {
		b.log.Warn("status is kept in memory only", "run", b.options.Run, "err", err)
	}
	b.wakeUp()
}

// Write appends to the log stream; it is the mirror of smsts.log. It never fails, because a log must not stop a run.
func (b *Outbox) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.stream.append(p); err != nil {
		b.log.Warn("log is not kept for the appliance", "run", b.options.Run, "err", err)
	}
	b.wakeUp()
	return len(p), nil
}

// Finish queues the result, which is sent after everything else.
func (b *Outbox) Finish(f wire.Finish) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finish = &f
	b.wakeUp()
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	return atomicfile.Write(filepath.Join(b.options.Dir, finishFile), data, 0o600)
}

// NextEvent is the number that the next event will carry.
func (b *Outbox) NextEvent() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// LogSize is the length of the log stream from the run's beginning, in bytes.
func (b *Outbox) LogSize() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stream.size()
}

// Empty reports whether the appliance has everything, or no longer wants it.
func (b *Outbox) Empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone || len(b.pending) == 0 && b.finish == nil && b.stream.unsent() == 0
}

func (b *Outbox) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Deliver sends in the background until ctx ends. Only one may run at a time.
func (b *Outbox) Deliver(ctx context.Context) {
	failures := 0
	for {
		wait := linger
		if err := b.pump(ctx); err != nil && ctx.Err() == nil {
			if b.options.OneTry != nil && b.options.OneTry() {
				b.log.Warn("status is not sent again before the next restart (SMSTSDisableStatusRetry)", "run", b.options.Run, "err", err)
				<-ctx.Done()
				return
			}
			failures++
			wait = b.options.Backoff.Wait(failures)
			if failures == 1 || failures%10 == 0 {
				b.log.Warn("status is queued", "run", b.options.Run, "tries", failures, "err", err)
			}
		} else {
			failures = 0
			select {
			case <-b.wake:
			case <-ctx.Done():
				return
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// Flush delivers everything that is queued now, trying until ctx ends.
func (b *Outbox) Flush(ctx context.Context) error {
	for n := 1; ; n++ {
		err := b.pump(ctx)
		if err == nil {
			return nil
		}
		if status := link.Status(err); !link.Temporary(err) && (n > 3 || status != http.StatusConflict && status != http.StatusBadRequest && status != http.StatusUnprocessableEntity) {
			return err
		}
		timer := time.NewTimer(b.options.Backoff.Wait(n))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("status stays queued: %w", err)
		}
	}
}

// FlushOnce makes one attempt.
func (b *Outbox) FlushOnce(ctx context.Context) error { return b.pump(ctx) }

// Close ends the outbox; what is queued stays in its folder.
func (b *Outbox) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.journal.Close(), b.stream.close())
}

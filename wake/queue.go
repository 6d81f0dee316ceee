package wake

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// ErrFull says that more machines wait to be woken than the queue holds.
var ErrFull = errors.New("wake-up queue is full")

// maxQueue bounds the jobs that wait: ten collections of the largest size.
const maxQueue = 100_000

// Settings are the tunables of WOL-8. All must be positive but Pause and Delay,
// which may be zero.
type Settings struct {
	Retries    int           // packets per target
	Delay      time.Duration // between the packets for one target
	PauseAfter int           // packets before a pause
	Pause      time.Duration
	Threads    int
}

// DefaultSettings are those of a published site configuration (WOL-8).
func DefaultSettings() Settings {
	return Settings{Retries: 3, Delay: time.Minute, PauseAfter: 10_000, Pause: 10 * time.Second, Threads: 3}
}

// Job is one machine to wake.
type Job struct {
	Key  string // caller's own, given back in Result
	MACs []net.HardwareAddr
	Last netip.Prefix // last known address with its network's bits; zero when unknown
}

// Result is one packet that was sent, or why it was not.
type Result struct {
	Key     string
	MAC     net.HardwareAddr
	To      netip.AddrPort
	Attempt int // from 1
	Err     error
}

// Transmitter is what Queue sends with; Sender is the real one.
type Transmitter interface {
	Targets(last netip.Prefix) ([]netip.AddrPort, error)
	Send(ctx context.Context, mac net.HardwareAddr, to netip.AddrPort) error
}

// Queue wakes machines at a bounded pace. Submit may be called from anywhere;
// Run is called once.
type Queue struct {
	settings Settings
	sender   Transmitter
	report   func(Result)

	jobs    chan delayed
	mu      sync.Mutex
	pending int // jobs waiting or in hand
	sent    int // packets since the last pause
	paused  time.Time
}

type delayed struct {
	job     Job
	attempt int
	sent    bool // this attempt is already on the wire
}

// NewQueue makes a queue; report gets every packet and must not block for long.
func NewQueue(s Settings, t Transmitter, report func(Result)) *Queue {
	return &Queue{settings: s, sender: t, report: report, jobs: make(chan delayed, maxQueue)}
}

// Submit takes a job or returns ErrFull. The first packet goes out at once when
// a thread is free.
func (q *Queue) Submit(j Job) error { return q.put(delayed{job: j, attempt: 1}) }

// Repeat takes a job whose first packet the caller has sent itself, and sends
// the others after the delay.
func (q *Queue) Repeat(j Job) error { return q.put(delayed{job: j, attempt: 1, sent: true}) }

func (q *Queue) put(d delayed) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.pending >= maxQueue {
		return ErrFull
	}
	q.pending++
	q.jobs <- d // has room: pending counts what is in it
	return nil
}

// Run sends until ctx ends. Jobs that wait then are dropped: their caller finds
// them unfinished in its own table.
func (q *Queue) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range q.settings.Threads {
		g.Go(func() error { return q.work(ctx) })
	}
	return g.Wait()
}

func (q *Queue) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d := <-q.jobs:
			if !d.sent {
				if err := q.wake(ctx, d); err != nil {
					return err
				}
			}
			d.sent = false
			if d.attempt >= q.settings.Retries {
				q.done()
				continue
			}
			d.attempt++
			// A timer holds no goroutine: a whole site may wait at once.
			time.AfterFunc(q.settings.Delay, func() { q.jobs <- d }) // has room, see put
		}
	}
}

func (q *Queue) wake(ctx context.Context, d delayed) error {
	targets, err := q.sender.Targets(d.job.Last)
	if err == nil && len(d.job.MACs) == 0 {
		err = ErrNoTarget
	}
	if err != nil {
		q.report(Result{Key: d.job.Key, Attempt: d.attempt, Err: err})
		return nil
	}
	for _, mac := range d.job.MACs {
		for _, to := range targets {
			if err := q.pace(ctx); err != nil {
				return err
			}
			q.report(Result{Key: d.job.Key, MAC: mac, To: to, Attempt: d.attempt, Err: q.sender.Send(ctx, mac, to)})
		}
	}
	return nil
}

// pace waits out the pause that follows every PauseAfter packets.
func (q *Queue) pace(ctx context.Context) error {
	q.mu.Lock()
	if q.sent >= q.settings.PauseAfter {
		q.sent = 0
		q.paused = time.Now().Add(q.settings.Pause)
	}
	q.sent++
	until := q.paused
	q.mu.Unlock()
	return wait(ctx, time.Until(until))
}

func (q *Queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending--
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

package appliance

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe"
)

const (
	journalQueue = 1024
	recentMax    = 20_000 // machines whose last decision is remembered
)

// recent remembers the last decision for a MAC, so that the journal can say
// which device an answer was for. It forgets everything when it is full: a flood
// of invented MACs must not grow it.
type recent struct {
	mu   sync.Mutex
	last map[string]wire.Decision
}

func newRecent() *recent { return &recent{last: map[string]wire.Decision{}} }

func (r *recent) put(mac string, d wire.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.last) >= recentMax {
		clear(r.last)
	}
	d.Considered, d.Notes = nil, nil // long, and no part of a boot record
	r.last[mac] = d
}

func (r *recent) get(mac string) wire.Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[mac]
}

// journal writes pxe's events into the site's boot records, in the background:
// an answer must not wait for the disk.
type journal struct {
	site    *site.Service
	recent  *recent
	log     *slog.Logger
	queue   chan site.BootSign
	dropped atomic.Int64
}

func newJournal(s *site.Service, r *recent, log *slog.Logger) *journal {
	return &journal{site: s, recent: r, log: log, queue: make(chan site.BootSign, journalQueue)}
}

// Record implements pxe.Journal.
func (j *journal) Record(_ context.Context, e pxe.Event) {
	if len(e.Machine.MAC) == 0 {
		return // TFTP from an address that no DHCP packet named: it is in the log
	}
	if e.Machine.Stage == pxe.StageScript && e.BootID != "" {
		return // the policy wrote that one down, because the boot token needs its id
	}
	sign := site.BootSign{
		Identity: identity(e.Machine), Decision: j.recent.get(e.Machine.MAC.String()),
		BootAnswer: wire.BootAnswer{Stage: stage(e.Machine.Stage), Protocol: e.Protocol, Asked: e.Message, Answer: answer(e), Reason: e.Reason, Rule: e.Rule, Bytes: e.Bytes},
	}
	switch {
	case e.Offered.IsValid():
		sign.Address = e.Offered.String()
	case e.Machine.Address.IsValid():
		sign.Address = e.Machine.Address.String()
	}
	j.put(sign)
}

func (j *journal) put(sign site.BootSign) {
	select {
	case j.queue <- sign:
	default:
		j.dropped.Add(1)
	}
}

func answer(e pxe.Event) string {
	switch {
	case e.Answer == "":
		return "nothing"
	case e.File != "":
		return e.Answer + " " + e.File
	}
	return e.Answer
}

// start writes in the background until the function it returns is called, which
// waits until everything that was recorded before is written. ctx ends nothing:
// the last answers are given while the appliance stops.
func (j *journal) start(ctx context.Context) (stop func()) {
	ctx = context.WithoutCancel(ctx)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case sign := <-j.queue:
				j.write(ctx, sign)
			case <-end:
				j.drain(ctx)
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(end); <-ended })
}

// drain writes what is in the queue, for a while: a stop must not hang on a disk.
func (j *journal) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	for ctx.Err() == nil {
		select {
		case sign := <-j.queue:
			j.write(ctx, sign)
		default:
			return
		}
	}
}

func (j *journal) write(ctx context.Context, sign site.BootSign) {
	if n := j.dropped.Swap(0); n > 0 {
		j.log.Warn("boot records dropped: more came in than could be written", "count", n)
	}
	if _, err := j.site.RecordBoot(ctx, sign); err != nil {
		j.log.Warn("boot record not written", "mac", sign.Identity.MACs, "err", err)
	}
}

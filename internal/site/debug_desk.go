package site

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// debugPresence is how long a person counts as attached after asking last.
	debugPresence = 2 * time.Minute
	// maxDebugPending bounds the commands that a machine has not taken yet.
	maxDebugPending = 16
	// maxDebugHolds bounds the requests of debuggers that wait at one time.
	maxDebugHolds = 128
	// maxDebugRuns bounds the runs that are kept in memory, maxDebugPeople who
	// is attached to one of them.
	maxDebugRuns = 64
	// debugUnheard is how long a person waits at a time for a machine that has
	// said nothing yet.
	debugUnheard   = time.Second
	maxDebugPeople = 32
	// maxDebugMemory bounds the trees and variables of all runs together, in bytes.
	maxDebugMemory = 32 << 20
	// debugForget is when a run that says nothing is forgotten, if nobody is attached and no command waits for it.
	debugForget = time.Hour
	// debugContact is how often a paused machine's contact is written down.
	debugContact = time.Minute
)

// debugDesk is where people and the machines they debug meet. It is memory
// only: a machine tells everything again after the appliance was restarted,
// and its checkpoint has the breaks (DBG-7).
type debugDesk struct {
	mu    sync.Mutex
	runs  map[string]*debugRun
	holds int
	left  int // how often a run has left
}

type debugRun struct {
	standing  wire.DebugStanding
	reported  *time.Time
	tree      []wire.DebugNode
	variables []wire.DebugVariable
	pending   []wire.DebugCommand
	last      *wire.DebugCommand
	number    int64            // of the last command
	keys      map[string]int64 // of commands given, by their key
	people    map[string]time.Time
	shell     *shell
	heard     time.Time // from its machine or a person
	size      int       // of tree and variables, about, in bytes
	gone      bool      // the entry is not on the desk any more
	revision  int64
	changed   chan struct{}
}

// of returns the entry of a run, made when it is not there. Call it locked.
func (d *debugDesk) of(run string, now time.Time) *debugRun {
	if r := d.runs[run]; r != nil {
		r.heard = now
		return r
	}
	if d.runs == nil {
		d.runs = map[string]*debugRun{}
	}
	for id, r := range d.runs {
		if now.Sub(r.heard) >= debugForget && len(r.pending) == 0 && len(r.attached(now)) == 0 {
			d.drop(id)
		}
	}
	if len(d.runs) >= maxDebugRuns { // its machine tells everything again
		d.drop(d.leastNeeded(now, func(*debugRun) bool { return true }))
	}
	r := &debugRun{keys: map[string]int64{}, people: map[string]time.Time{}, heard: now, changed: make(chan struct{})}
	d.runs[run] = r
	return r
}

// known returns the entry of a run, an empty one of which nothing was heard when it is not there. Call it locked.
func (d *debugDesk) known(run string) *debugRun {
	if r := d.runs[run]; r != nil {
		return r
	}
	return &debugRun{}
}

// leastNeeded is the run to which nobody is attached and that was silent longest, of those that suit; else the one that was
// silent longest. Call it locked.
func (d *debugDesk) leastNeeded(now time.Time, suits func(*debugRun) bool) string {
	found, watched := "", false
	for id, r := range d.runs {
		if !suits(r) {
			continue
		}
		attached := len(r.attached(now)) > 0
		if found == "" || watched && !attached || watched == attached && r.heard.Before(d.runs[found].heard) {
			found, watched = id, attached
		}
	}
	return found
}

func (d *debugDesk) memory() (bytes int) {
	for _, r := range d.runs {
		bytes += r.size
	}
	return bytes
}

// shrink forgets trees and variables until all are within the bound: those that nobody looks at first, which are asked for
// again when somebody does. What r has just told goes last.
func (d *debugDesk) shrink(r *debugRun, now time.Time) {
	for d.memory() > maxDebugMemory {
		other := d.runs[d.leastNeeded(now, func(o *debugRun) bool { return o != r && o.size > 0 })]
		if other == nil || len(other.attached(now)) > 0 {
			r.tree, r.variables, r.size = []wire.DebugNode{}, nil, 0
			return
		}
		other.tree, other.variables, other.size = nil, nil, 0
	}
}

// wantsAll says whether the machine is to send tree and variables. Call it locked.
func (d *debugDesk) wantsAll(r *debugRun, now time.Time) bool {
	return r.tree == nil && (len(r.attached(now)) > 0 || d.memory() < maxDebugMemory/2)
}

func (d *debugDesk) drop(run string) {
	if r := d.runs[run]; r != nil {
		delete(d.runs, run)
		if r.shell != nil {
			r.shell.close("the run is not debugged any more")
		}
		r.gone = true
		r.bump()
	}
}

// leave forgets a run that has ended. Call it when that is in the database, and not locked.
func (d *debugDesk) leave(run string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left++
	d.drop(run)
}

func (r *debugRun) bump() {
	r.revision++
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *debugRun) attached(now time.Time) []string {
	out := []string{}
	for name, at := range r.people {
		if now.Sub(at) < debugPresence {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// hold waits until ready, the entry is gone, the time is over or ctx ends. Call it locked; it is
// locked again when it returns.
func (d *debugDesk) hold(ctx context.Context, r *debugRun, long time.Duration, ready func() bool) error {
	long = min(long, wire.MaxDebugHold)
	if long <= 0 || ready() {
		return nil
	}
	if d.holds >= maxDebugHolds {
		return refusal(http.StatusServiceUnavailable, "", "", "too many runs are debugged at once", "try again later")
	}
	d.holds++
	defer func() { d.holds-- }()
	timer := time.NewTimer(long)
	defer timer.Stop()
	for !ready() && !r.gone && ctx.Err() == nil {
		changed := r.changed
		d.mu.Unlock()
		over := false
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-ctx.Done():
		}
		d.mu.Lock()
		if over {
			return nil
		}
	}
	return nil
}

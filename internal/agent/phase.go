package agent

import (
	"sync"

	"github.com/bootyard/bootyard/internal/wire"
)

// phases is the phase of a run that the appliance was told last; a phase lasts until the next one begins.
type phases struct {
	watch func(wire.Phase) // nil: nobody; set before the run begins

	mu  sync.Mutex
	now wire.Phase
}

// enter notes a phase and reports the one before and whether that is news.
func (p *phases) enter(next wire.Phase) (before wire.Phase, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.now = p.now, next
	return before, before != next
}

// phase tells the appliance that a phase begins.
func (j *job) phase(p wire.Phase) (before wire.Phase) {
	before, news := j.phases.enter(p)
	if news && j.phases.watch != nil {
		j.phases.watch(p)
	}
	if news {
		j.outbox.Post(wire.Event{Time: j.clock.Now().UTC(), Kind: wire.EventPhase, Severity: "info", Pointer: -1, Phase: p})
	}
	return before
}

// downloading tells that a package is being downloaded; ended goes back to what the run did before.
func (j *job) downloading(string) (ended func()) {
	before := j.phase(wire.PhaseDownload)
	switch before {
	case "":
		// An agent that was killed and started again, or a run of an installed system, whose table begins with the agent.
		before = wire.PhaseAgent
		if j.environment == wire.FullOS && j.run.LaunchMode != wire.LaunchSMS {
			before = wire.PhaseFinish
		}
	case wire.PhaseDownload:
		return func() {}
	}
	return func() { j.phase(before) }
}

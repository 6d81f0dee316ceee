package site

import (
	"errors"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// mark is the moment at which a phase begins.
type mark struct {
	phase wire.Phase
	at    time.Time
}

// phases is the run's table of seconds. What happened before the agent is the
// appliance's own observation, the rest is told by the agent's events; a phase
// lasts until the next one begins, and the same phase may come again after a
// restart.
func (s *Service) phases(tx *store.Tx, r store.Run) ([]wire.PhaseSeconds, error) {
	marks := []mark{}
	if r.Boot != "" {
		b, err := tx.Boot(r.Boot)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			marks = append(marks, bootMarks(b)...)
		}
	}
	marks = append(marks, mark{wire.PhaseAgent, r.Started})
	events, err := tx.PhaseEvents(r.ID, 1000)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if e.Phase != "" {
			marks = append(marks, mark{e.Phase, e.Time})
		}
	}
	end, open := s.Now(), true
	if r.Ended != nil {
		end, open = *r.Ended, false
	}
	return sum(marks, end, open), nil
}

// bootMarks reads the loader's way out of the answers it got.
func bootMarks(b wire.Boot) []mark {
	marks := []mark{{wire.PhaseDHCP, b.Started}}
	phaseOf := map[wire.BootStage]wire.Phase{wire.StageLoader: wire.PhaseLoader, wire.StageScript: wire.PhaseLoader, wire.StageKernel: wire.PhaseKernel, wire.StageAgent: wire.PhaseAgent}
	for _, a := range b.Answers {
		p, ok := phaseOf[a.Stage]
		if ok && marks[len(marks)-1].phase != p {
			marks = append(marks, mark{p, a.Time})
		}
	}
	return marks
}

func sum(marks []mark, end time.Time, open bool) []wire.PhaseSeconds {
	list := []wire.PhaseSeconds{}
	var total float64
	for i, m := range marks {
		until := end
		if i+1 < len(marks) {
			until = marks[i+1].at
		}
		// Clocks of machines may jump back when they are set.
		seconds := max(until.Sub(m.at).Seconds(), 0)
		total += seconds
		last := i == len(marks)-1
		if m.phase == wire.PhaseDone {
			continue
		}
		k := slices.IndexFunc(list, func(p wire.PhaseSeconds) bool { return p.Phase == m.phase })
		if k < 0 {
			list, k = append(list, wire.PhaseSeconds{Phase: m.phase}), len(list)
		}
		list[k].Seconds += seconds
		list[k].Open = open && last
	}
	if !open {
		list = append(list, wire.PhaseSeconds{Phase: wire.PhaseDone, Seconds: total})
	}
	return list
}

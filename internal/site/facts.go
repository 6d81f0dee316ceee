package site

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Asker is a machine that asks what to do, and where it stands.
type Asker struct {
	Identity wire.Identity
	// Device is the device's id when a session has established it.
	Device      string
	Environment wire.Environment
	Stage       wire.BootStage
	// Media is the id of the medium that it was started from, if any.
	Media      string
	Unattended bool
	// Preferred is SMSTSPreferredAdvertID, Chosen the menu entry a person took.
	Preferred, Chosen string
	// At replaces the clock, for explain; zero is now.
	At time.Time
}

// CandidateFacts is one deployment that reaches the device through one of its
// collections.
type CandidateFacts struct {
	Deployment wire.Deployment
	Sequence   wire.Sequence
	// Invalid says why the sequence may not be deployed at present (TSV-1).
	Invalid []wire.Reason
	// WindowOpen is MWN-18's answer and WindowText its explanation.
	WindowOpen bool
	WindowText string
}

// Facts is all that the decision depends on. It is plain data.
type Facts struct {
	Asker
	Now            time.Time
	Known          bool // a known device (TRM-11)
	Served         *wire.Device
	Excluded       bool
	UnknownSupport bool
	ActiveRun      *store.Run
	// ActiveBootImage is the boot image of the active run's sequence.
	ActiveBootImage string
	Ledger          []store.LedgerEntry
	// MediaSuccess is when the same medium last deployed this machine, zero if
	// it may run again (MED-25).
	MediaSuccess time.Time
	MediaGuard   time.Duration
	Candidates   []CandidateFacts
	BootImages   []wire.BootImage
	Notes        []wire.Reason
}

// Decide loads the facts and decides. It writes nothing, so it may be asked as
// often as firmware repeats itself (PXE-16a).
func (s *Service) Decide(ctx context.Context, a Asker) (wire.Decision, error) {
	var d wire.Decision
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		f, err := s.facts(tx, a)
		if err != nil {
			return err
		}
		d = f.Decide()
		return nil
	})
	return d, err
}

func (s *Service) facts(tx *store.Tx, a Asker) (Facts, error) {
	f := Facts{Asker: a, Now: a.At}
	if f.Now.IsZero() {
		f.Now = s.Now()
	}
	set, err := settings(tx)
	if err != nil {
		return f, err
	}
	f.UnknownSupport, f.MediaGuard = set.UnknownComputers, time.Duration(set.MediaGuard)
	if err := f.loadDevice(tx); err != nil {
		return f, err
	}
	target := f.Served
	if !f.Known {
		target, err = unknownTarget(tx, f)
		if err != nil {
			return f, err
		}
	}
	if f.Served != nil {
		if err := f.loadHistory(tx); err != nil {
			return f, err
		}
	}
	if f.Ledger, err = tx.Ledger(f.Now, subjects(f.Served, f.Identity)...); err != nil {
		return f, err
	}
	if f.BootImages, err = tx.BootImages(); err != nil {
		return f, err
	}
	if target != nil {
		err = s.loadCandidates(tx, &f, *target, set.WindowsApplyInWinPE)
	}
	return f, err
}

func (f *Facts) loadDevice(tx *store.Tx) error {
	if f.Device != "" {
		d, err := tx.Device(f.Device)
		if err != nil {
			return err
		}
		f.Served = &d
		if len(f.Identity.MACs) == 0 {
			f.Identity = wire.Identity{UUID: d.UUID, MACs: d.MACs, Firmware: d.Firmware, Arch: d.Arch}
		}
	} else {
		id, err := identify(tx, f.Identity)
		if err != nil {
			return err
		}
		f.Identity, f.Excluded, f.Notes, f.Served = id.identity, id.excluded, id.notes, id.device
	}
	f.Known = f.Served != nil && f.Served.Kind == wire.KnownDevice
	if f.Served != nil {
		f.Identity.Arch = cmp.Or(f.Identity.Arch, f.Served.Arch)
		f.Identity.Firmware = cmp.Or(f.Identity.Firmware, f.Served.Firmware)
	}
	// A BIOS client does not say its word size (PXE-35). What we boot is
	// 64-bit, and 32-bit-only machines are too rare to make others wait.
	f.Identity.Arch = cmp.Or(f.Identity.Arch, "amd64")
	return nil
}

func (f *Facts) loadHistory(tx *store.Tx) error {
	run, err := tx.ActiveRun(f.Served.ID)
	if err == nil {
		f.ActiveRun = &run
		if seq, err := sequenceOf(tx, run); err == nil {
			f.ActiveBootImage = seq.BootImage
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if f.Media == "" {
		return nil
	}
	m, err := tx.Medium(f.Media)
	if err != nil {
		return err
	}
	if m.Repeat {
		return nil
	}
	runs, err := tx.Runs(store.RunFilter{Device: f.Served.ID, Media: f.Media, State: wire.RunSucceeded, Limit: 1})
	if err == nil && len(runs) == 1 && runs[0].Ended != nil {
		f.MediaSuccess = *runs[0].Ended
	}
	return err
}

func unknownTarget(tx *store.Tx, f Facts) (*wire.Device, error) {
	if !f.UnknownSupport {
		return nil, nil
	}
	d, err := tx.UnknownObjectOf(f.Identity.Arch)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &d, err
}

func (s *Service) loadCandidates(tx *store.Tx, f *Facts, target wire.Device, windowsApply bool) error {
	collections, err := collectionsOf(tx, target)
	if err != nil {
		return err
	}
	windows := []wire.Window{}
	for _, c := range collections {
		windows = append(windows, c.Windows...)
	}
	validity := newValidity(tx)
	sequences := map[string]CandidateFacts{}
	for _, c := range collections {
		list, err := tx.DeploymentsOf(c.ID)
		if err != nil {
			return err
		}
		for _, d := range list {
			cand, ok := sequences[d.TaskSequence]
			if !ok {
				if cand, err = loadSequence(tx, validity, d.TaskSequence); err != nil {
					return err
				}
				sequences[d.TaskSequence] = cand
			}
			cand.Deployment, cand.WindowOpen = d, true
			if windowsApply && d.Purpose == wire.Required {
				if f.Known {
					cand.WindowOpen, cand.WindowText = windowOpen(f.Now, target, d, windows)
				} else { // MWN-18: the windows of the collection that carries it
					cand.WindowOpen, cand.WindowText = windowOpen(f.Now, target, d, c.Windows)
				}
			}
			f.Candidates = append(f.Candidates, cand)
		}
	}
	slices.SortFunc(f.Candidates, func(a, b CandidateFacts) int { return cmp.Compare(a.Deployment.ID, b.Deployment.ID) })
	return nil
}

func loadSequence(tx *store.Tx, v *validity, id string) (CandidateFacts, error) {
	var c CandidateFacts
	seq, err := tx.Sequence(id)
	if errors.Is(err, store.ErrNotFound) {
		c.Invalid = []wire.Reason{reason("TSV-1", "task sequence "+id+" does not exist any more")}
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.Sequence = seq
	c.Invalid, err = v.check(seq)
	return c, err
}

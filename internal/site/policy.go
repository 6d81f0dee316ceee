package site

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// seenEvery bounds how often a contact is written down.
const seenEvery = 20 * time.Second

// preferredVariable names the deployment that a medium runs (PXE-24).
const preferredVariable = "SMSTSPreferredAdvertID"

// asker is how an agent with a session stands towards the decision.
func (s *Service) asker(tx *store.Tx, who Session, preferred, chosen string) (Asker, error) {
	a := Asker{Device: who.Device, Environment: who.Environment, Stage: wire.StageAgent, Media: who.Media,
		Preferred: strings.ToUpper(strings.TrimSpace(preferred)), Chosen: chosen}
	if who.Media == "" {
		return a, nil
	}
	m, err := tx.Medium(who.Media)
	if err != nil {
		return a, err
	}
	// The record decides, not what the medium says of itself.
	a.Unattended = m.Unattended
	for name, value := range m.Variables {
		if strings.EqualFold(name, preferredVariable) {
			a.Preferred = cmp.Or(a.Preferred, strings.ToUpper(strings.TrimSpace(value)))
		}
	}
	return a, nil
}

// Policy answers what is meant for the device of a session.
func (s *Service) Policy(ctx context.Context, who Session, r wire.PolicyRequest) (wire.Policy, error) {
	p := wire.Policy{Time: s.Now().UTC(), Action: wire.ActionNothing, Candidates: []wire.Candidate{}, Reasons: []wire.Reason{}}
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		a, err := s.asker(tx, who, r.PreferredDeployment, r.Chosen)
		if err != nil {
			return err
		}
		f, err := s.facts(tx, a)
		if err != nil {
			return err
		}
		d := f.Decide()
		p.Action, p.Deployment, p.ActiveRun = d.Action, d.Deployment, d.ActiveRun
		p.Reasons = append(append(p.Reasons, reason(d.Rule, d.Reason)), d.Notes...)
		listed := map[string]bool{p.Deployment: p.Deployment != ""}
		for _, c := range d.Considered {
			listed[c.Deployment] = listed[c.Deployment] || c.Kept && c.Listed
		}
		for _, c := range f.Candidates {
			if listed[c.Deployment.ID] {
				p.Candidates = append(p.Candidates, candidate(tx, c))
			}
		}
		if who.Environment != wire.FullOS {
			return nil
		}
		return s.schedulePolicy(tx, &f, &p)
	})
	if err == nil && who.Environment == wire.FullOS {
		s.seen(ctx, who.Device)
	}
	return p, err
}

// schedulePolicy adds what the agent in an installed OS needs to decide by
// itself: windows and history.
func (s *Service) schedulePolicy(tx *store.Tx, f *Facts, p *wire.Policy) error {
	if f.Served == nil {
		return nil
	}
	collections, err := collectionsOf(tx, *f.Served)
	if err != nil {
		return err
	}
	for _, c := range collections {
		p.Windows = append(p.Windows, c.Windows...) // MWN-5
	}
	p.History, err = history(tx, f.Served.ID, f.Ledger)
	return err
}

// history lists the device's runs (RRN-7). A retry that a person asked for
// makes the earlier runs of that sequence not count.
func history(tx *store.Tx, device string, ledger []store.LedgerEntry) ([]wire.RunRecord, error) {
	runs, err := tx.Runs(store.RunFilter{Device: device, Limit: 200})
	if err != nil {
		return nil, err
	}
	again := map[string]int64{}
	for _, e := range ledger {
		if e.Retry.IsZero() {
			continue
		}
		if d, err := tx.Deployment(e.Deployment); err == nil {
			again[d.TaskSequence] = max(again[d.TaskSequence], e.Retry.UnixMilli())
		}
	}
	list := []wire.RunRecord{}
	for _, r := range runs {
		if r.Started.UnixMilli() < again[r.Sequence] {
			continue
		}
		list = append(list, wire.RunRecord{Deployment: r.Deployment, Sequence: r.Sequence, Started: r.Started, Ended: r.Ended,
			Succeeded: r.State == wire.RunSucceeded, LaunchMode: r.LaunchMode})
	}
	return list, nil
}

func candidate(tx *store.Tx, c CandidateFacts) wire.Candidate {
	d := c.Deployment
	return wire.Candidate{
		Deployment: d.ID, Sequence: d.TaskSequence, SequenceName: cmp.Or(c.Sequence.Name, d.SequenceName),
		Purpose: d.Purpose, Availability: d.MakeAvailableTo, Option: d.DeploymentOption,
		Available: d.Available, Expire: d.Expire, Assignments: d.Assignments, Rerun: d.Rerun,
		Independent: *d.Independent, ShowProgress: *d.ShowProgress,
		InstallOutsideWindow: d.InstallOutsideWindow, RestartOutsideWindow: d.RestartOutsideWindow,
		MaxRunMinutes: c.Sequence.MaxRunMinutes, DeploysOS: c.Sequence.DeploysOS, Created: d.Created,
		Packages: packagesOf(tx, c.Sequence),
	}
}

// seen notes that a device was heard of; failing to write that down is no
// reason to fail the request.
func (s *Service) seen(ctx context.Context, device string) {
	now := s.Now().UTC()
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		d, err := tx.Device(device)
		if err != nil || d.LastSeen != nil && now.Sub(*d.LastSeen) < seenEvery {
			return err
		}
		d.LastSeen = &now
		return tx.PutDevice(d)
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("last contact not recorded", "device", device, "err", err)
	}
}

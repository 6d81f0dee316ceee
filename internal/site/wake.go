package site

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	wakeKind = "wake"
	// wakeHorizon is how far ahead occurrences are planned. It is short, so a
	// member that joins or a changed zone is seen.
	wakeHorizon = 10 * time.Minute
	// wakeGrace is how late a packet still makes sense, e.g. when the
	// appliance was down at the deadline (SCH-13).
	wakeGrace = time.Hour
	wakeLease = 2 * time.Minute
	wakeKeep  = 45 * 24 * time.Hour
	// tokenKeep is how long an expired token is remembered, so that a late
	// second use of it is still noticed.
	tokenKeep = 24 * time.Hour
)

// PlanWakes writes the wake-ups that are due soon into the table of due work.
// It may be called as often as one likes: a key per occurrence keeps each once.
// What is long done or expired is forgotten on the way.
func (s *Service) PlanWakes(ctx context.Context) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		set, err := settings(tx)
		if err != nil {
			return err
		}
		list, err := tx.Deployments()
		if err != nil {
			return err
		}
		for _, d := range list {
			if err := s.planWakes(tx, d, set, s.Now()); err != nil {
				return err
			}
		}
		if err := tx.TrimDue(s.Now().Add(-wakeKeep)); err != nil {
			return err
		}
		return tx.DeleteTokensExpired(s.Now().Add(-tokenKeep))
	})
}

func (s *Service) planWakes(tx *store.Tx, d wire.Deployment, set wire.Settings, now time.Time) error {
	if !d.WakeUp || d.Purpose != wire.Required || !d.Enabled || !set.WakeOnLAN { // WOL-1, WOL-2
		return nil
	}
	c, err := tx.Collection(d.Collection)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := members(tx, c)
	if err != nil {
		return err
	}
	offset := durationOf(set.WakeOffset)
	for _, dev := range list {
		at, err := wakesOf(tx, d, dev, now, offset)
		if err != nil {
			return err
		}
		for _, at := range at {
			_, err := tx.AddDue(store.Due{Key: fmt.Sprintf("wake/%s/%s/%d", d.ID, dev.ID, at.Unix()), Kind: wakeKind, At: at.Add(-offset),
				Device: dev.ID, Deployment: d.ID, Reason: "deadline " + at.UTC().Format(time.RFC3339)})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// wakesOf lists the deadlines near now for which a device is to be woken
// (WOL-11, WOL-12).
func wakesOf(tx *store.Tx, d wire.Deployment, dev wire.Device, now time.Time, offset time.Duration) ([]time.Time, error) {
	ledger, err := tx.Ledger(now, dev.ID)
	if err != nil {
		return nil, err
	}
	runs, err := history(tx, dev.ID, ledger)
	if err != nil {
		return nil, err
	}
	in := evaluate.Input{Deployment: evaluate.FromDeployment(d, 0), History: evaluate.FromHistory(runs), Now: now, Zone: zoneOf(dev), Environment: evaluate.FullOS}
	// A boot environment runs it without an agent, so that it is for the
	// installed OS or not does not matter here.
	in.Deployment.MakeAvailableTo = evaluate.ClientsMediaAndPXE
	var out []time.Time
	for _, w := range evaluate.NextWake(in, now.Add(-wakeGrace), now.Add(wakeHorizon+offset)) {
		out = append(out, w.At)
	}
	return out, nil
}

// zoneOf is the device's time zone, or the appliance's when none is known.
func zoneOf(dev wire.Device) *time.Location {
	if z, err := time.LoadLocation(dev.Zone); err == nil && dev.Zone != "" {
		return z
	}
	return time.Local
}

// SendWakes sends what is due and says how many packets' targets there were.
// Each occurrence is claimed by one conditional update, so it is sent once
// however many appliances run; a claim whose holder died is taken over.
func (s *Service) SendWakes(ctx context.Context) (int, error) {
	var due []store.Due
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		due, err = tx.DueWork(wakeKind, s.Now(), wakeLease, 500)
		return err
	})
	if err != nil {
		return 0, err
	}
	sent := 0
	for _, d := range due {
		n, err := s.sendDue(ctx, d)
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

func (s *Service) sendDue(ctx context.Context, d store.Due) (int, error) {
	var dev wire.Device
	var why string
	mine := false
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if mine, err = tx.ClaimDue(d.Key, s.Instance, s.Now(), wakeLease); err != nil || !mine {
			return err
		}
		dev, why, err = s.stillWanted(tx, d)
		return err
	})
	if err != nil || !mine {
		return 0, err
	}
	var records []wire.WakeRecord
	if why != "" {
		records = []wire.WakeRecord{{Device: d.Device, DeviceName: dev.Name, Reason: "not sent: " + why}}
	} else {
		records = s.send(ctx, dev, d.Reason)
	}
	n := 0
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		for _, r := range records {
			r.Time, r.Deployment = s.Now().UTC(), d.Deployment
			if r.Target != "" {
				n++
			}
			if _, err := tx.AddWakeRecord(r); err != nil {
				return err
			}
		}
		_, err := tx.FinishDue(d.Key, s.Instance, s.Now())
		return err
	})
	s.feed.bump()
	return n, err
}

// stillWanted is WOL-12 at the moment of sending: what changed since the plan
// counts.
func (s *Service) stillWanted(tx *store.Tx, d store.Due) (wire.Device, string, error) {
	dev, err := tx.Device(d.Device)
	if errors.Is(err, store.ErrNotFound) {
		return dev, "the device was deleted", nil
	}
	if err != nil {
		return dev, "", err
	}
	dep, err := tx.Deployment(d.Deployment)
	if errors.Is(err, store.ErrNotFound) {
		return dev, "the deployment was deleted", nil
	}
	if err != nil {
		return dev, "", err
	}
	set, err := settings(tx)
	if err != nil {
		return dev, "", err
	}
	if !set.WakeOnLAN {
		return dev, "Wake-on-LAN is switched off for the site (WOL-2)", nil
	}
	if _, err := tx.ActiveRun(dev.ID); err == nil {
		return dev, "the device is awake: it is in the middle of a run", nil
	}
	runs, err := tx.Runs(store.RunFilter{Device: dev.ID, Limit: 200})
	if err != nil {
		return dev, "", err
	}
	return dev, rerunForbids(dep, runs), nil
}

// rerunForbids applies the table RRN-T1 to T4 to the last run of the sequence.
func rerunForbids(d wire.Deployment, runs []store.Run) string {
	for _, r := range runs { // the latest first
		if r.Sequence != d.TaskSequence {
			continue
		}
		ok := r.State == wire.RunSucceeded
		if d.Rerun == wire.RerunNever || d.Rerun == wire.RerunIfFailed && ok || d.Rerun == wire.RerunIfSucceeded && !ok {
			return fmt.Sprintf("rerun %s: it would not run again (WOL-12)", d.Rerun)
		}
		return ""
	}
	return ""
}

// send asks the waker and records what it did. Failures end nothing (WOL-10).
func (s *Service) send(ctx context.Context, d wire.Device, why string) []wire.WakeRecord {
	base := wire.WakeRecord{Device: d.ID, DeviceName: d.Name, Reason: why}
	switch {
	case len(d.MACs) == 0:
		base.Error = "no MAC address is known"
	case s.Waker == nil:
		base.Error = "this appliance sends no wake-up packets"
	}
	if base.Error != "" {
		return []wire.WakeRecord{base}
	}
	targets, err := s.Waker.Wake(ctx, d.MACs, d.Address, d.Prefix)
	records := []wire.WakeRecord{}
	for _, t := range targets {
		r := base
		r.MAC, r.Target = d.MACs[0], t
		records = append(records, r)
	}
	if err != nil {
		base.Error = err.Error()
		s.Log.Warn("wake-up packet not sent", "device", d.ID, "err", err)
		records = append(records, base)
	}
	return records
}

// WakeNow wakes devices at once (WOL-7).
func (s *Service) WakeNow(ctx context.Context, refs []string) (out wire.WakeResult, err error) {
	out.Records = []wire.WakeRecord{}
	for _, ref := range refs {
		d, err := s.Device(ctx, ref)
		if err != nil {
			return out, err
		}
		out.Records = append(out.Records, s.send(ctx, d, "asked for by "+actor(ctx))...)
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		for i, r := range out.Records {
			r.Time = s.Now().UTC()
			var err error
			if out.Records[i], err = tx.AddWakeRecord(r); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// WakeRecords lists what was sent, the latest first.
func (s *Service) WakeRecords(ctx context.Context) (list []wire.WakeRecord, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.WakeRecords(1000)
		return err
	})
	return list, err
}

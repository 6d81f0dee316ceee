package site

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// MaxEvents is how many events one request may carry.
	MaxEvents = 500
	// maxRunEvents bounds what one run can write: a long deployment has a few
	// thousand.
	maxRunEvents = 200_000
	maxState     = 32 << 20
)

func durationOf(d wire.Duration) time.Duration { return time.Duration(d) }

// ownRun finds a run and checks that it is the session's device's.
func ownRun(tx *store.Tx, who Session, id string) (store.Run, error) {
	run, err := tx.Run(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && run.Device != who.Device {
		return run, missing("run", "this machine has no such run", "ask for policy again")
	}
	return run, err
}

func ended(run store.Run) error {
	if run.State == wire.RunCancelled {
		return refusal(http.StatusGone, "", "run", "the run was cancelled by an administrator", "stop; it can be started again with `bootyard retry`")
	}
	return refusal(http.StatusConflict, "", "run", fmt.Sprintf("the run has ended: %s", run.State), "")
}

// Run returns the agent's view of its run.
func (s *Service) Run(ctx context.Context, who Session, id string) (out wire.Run, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		run, err := ownRun(tx, who, id)
		if err != nil {
			return err
		}
		out, err = s.runForAgent(tx, who, run)
		return err
	})
	return out, err
}

// Checkpoint stores the engine's state. A number that is not higher than the
// stored one changes nothing (TS-117a).
func (s *Service) Checkpoint(ctx context.Context, who Session, id string, c wire.Checkpoint) error {
	if c.Number < 1 || len(c.State) > maxState || c.Awaits != wire.WinPE && c.Awaits != wire.FullOS {
		return invalid("TS-117a", "number", "a checkpoint has a number from 1, awaits winpe or fullos and at most 32 MiB of state", "")
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		run, err := ownRun(tx, who, id)
		if err != nil {
			return err
		}
		if run.State != wire.RunRunning {
			return ended(run)
		}
		stored, err := tx.PutCheckpoint(id, c)
		if err != nil || !stored {
			return err
		}
		run.Awaits, run.LastContact = c.Awaits, s.Now().UTC()
		return tx.PutRun(run)
	})
	s.feed.bump()
	return err
}

// AddEvents appends a batch. Events that are there already are skipped, so a
// repeated request is harmless. Late events of an ended run are kept as well:
// the agent queues what it could not send (STA-8).
func (s *Service) AddEvents(ctx context.Context, who Session, id string, events []wire.Event) error {
	if len(events) > MaxEvents {
		return invalid("", "events", fmt.Sprintf("%d events in one request, at most %d are allowed", len(events), MaxEvents), "send smaller batches")
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		run, err := ownRun(tx, who, id)
		if err != nil {
			return err
		}
		if run.State == wire.RunCancelled {
			return ended(run)
		}
		latest := run.Events
		for _, e := range events {
			if e.Number < 1 || e.Number > maxRunEvents {
				return invalid("", "events.number", fmt.Sprintf("event number %d is outside 1 to %d", e.Number, maxRunEvents), "")
			}
			e = cleanEvent(e)
			fresh, err := tx.AddEvent(id, e)
			if err != nil {
				return err
			}
			if fresh {
				applyEvent(&run.RunInfo, e, e.Number > latest)
			}
		}
		run.LastContact = s.Now().UTC()
		return tx.PutRun(run)
	})
	s.feed.bump()
	return err
}

func cleanEvent(e wire.Event) wire.Event {
	for _, f := range []*string{&e.Step, &e.Group, &e.Result, &e.Severity, &e.Package} {
		*f = printable(*f, 256)
	}
	e.Text = printable(e.Text, 4096)
	e.Phase, e.Kind = wire.Phase(printable(string(e.Phase), 32)), wire.EventKind(printable(string(e.Kind), 32))
	e.Percent = min(max(e.Percent, 0), 100)
	e.Bytes, e.Hashes = max(e.Bytes, 0), max(e.Hashes, 0)
	return e
}

// applyEvent keeps the summary of the run. newest is false for an event that
// arrives after a later one.
func applyEvent(r *wire.RunInfo, e wire.Event, newest bool) {
	if e.Kind == wire.EventContent {
		r.Bytes += e.Bytes
		r.Hashes += e.Hashes
	}
	if !newest {
		return
	}
	r.Events = max(r.Events, e.Number)
	if e.Phase != "" {
		r.Phase = e.Phase
	}
	if e.Step != "" && e.Step != r.Step && e.Pointer >= 0 { // older agents tell the sequence's name at its end
		r.Step, r.Percent = e.Step, 0
	}
	if e.Total > 0 {
		r.Current, r.Total = e.Current, e.Total
	}
	if e.Kind == wire.EventProgress {
		r.Percent = e.Percent
	}
	if e.Text != "" {
		r.LastMessage = e.Text
	}
}

// Finish ends a run. Repeating it is harmless.
func (s *Service) Finish(ctx context.Context, who Session, id string, fin wire.Finish) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		run, err := ownRun(tx, who, id)
		if err != nil || run.State != wire.RunRunning {
			return err
		}
		run.State = wire.RunFailed
		if fin.Succeeded {
			run.State = wire.RunSucceeded
		}
		run.ExitCode, run.FailedStep = fin.ExitCode, printable(fin.Step, 256)
		run.Message, run.Remedy = printable(fin.Message, 1024), printable(fin.Remedy, 1024)
		if fin.Succeeded {
			run.FailedStep, run.Percent, run.Phase = "", 100, wire.PhaseDone
		}
		return s.end(tx, run)
	})
	s.debug.leave(id)
	s.feed.bump()
	return err
}

// end writes the end of a run with its message and alert.
func (s *Service) end(tx *store.Tx, run store.Run) error {
	now := s.Now().UTC()
	run.Ended, run.LastContact, run.Debugging = &now, now, false
	if err := tx.PutRun(run); err != nil {
		return err
	}
	if _, err := tx.RevokeTokens(kindResume, run.Device, now); err != nil {
		return err
	}
	m := wire.StatusMessage{Time: now, Kind: "status", Severity: "info", Device: run.Device, Deployment: run.Deployment, Run: run.ID,
		Text: fmt.Sprintf("%s: %q %s", run.DeviceName, run.SequenceName, run.State)}
	if run.State == wire.RunFailed {
		m.Severity = "error"
		m.Text = fmt.Sprintf("%s at step %q with code 0x%08X: %s", m.Text, run.FailedStep, run.ExitCode, run.Message)
	}
	_, err := tx.AddMessage(m)
	return err
}

// ResumeToken makes the token by which the applied OS opens its first session
// for the run. An earlier one of the device ends.
func (s *Service) ResumeToken(ctx context.Context, who Session, id string) (out wire.ResumeToken, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		run, err := ownRun(tx, who, id)
		if err != nil {
			return err
		}
		if run.State != wire.RunRunning {
			return ended(run)
		}
		if _, err := tx.RevokeTokens(kindResume, who.Device, s.Now()); err != nil {
			return err
		}
		out.Expires = s.Now().UTC().Add(resumeTTL)
		out.Token, err = s.issue(tx, store.Token{Kind: kindResume, Subject: who.Device, Run: id, Launch: string(run.LaunchMode)}, resumeTTL)
		return err
	})
	return out, err
}

// Preflight records what an agent says when no run exists.
func (s *Service) Preflight(ctx context.Context, who Session, m wire.Message) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.TrimMessages("status", 50_000); err != nil {
			return err
		}
		severity := m.Severity
		if severity != "warning" && severity != "error" {
			severity = "info"
		}
		out := wire.StatusMessage{Time: s.Now().UTC(), Kind: "status", Severity: severity, Device: who.Device, Text: printable(m.Text, 4096)}
		if d, err := tx.Deployment(m.Deployment); err == nil {
			out.Deployment = d.ID
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if out.Deployment != "" && m.Delivery == wire.DeliveryWillNotRerun {
			out.Rule = "RRN-9"
			if err := tx.PutSkip(store.Skip{Deployment: out.Deployment, Device: who.Device, At: s.Now().UTC(), Reason: out.Text}); err != nil {
				return err
			}
		}
		_, err := tx.AddMessage(out)
		return err
	})
	if err == nil && len(m.Log) > 0 {
		err = s.writeDeviceLog(who.Device, m.Log)
	}
	s.feed.bump()
	return err
}

// Cancel ends a run from the outside: the machine is free again at once, and
// its agent is told when it reports next.
func (s *Service) Cancel(ctx context.Context, id string) (info wire.RunInfo, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		run, err := tx.Run(id)
		if errors.Is(err, store.ErrNotFound) { // a device may be named instead
			var d wire.Device
			if d, err = findDevice(tx, id); err == nil {
				if run, err = tx.ActiveRun(d.ID); errors.Is(err, store.ErrNotFound) {
					return refusal(409, "", "run", d.Name+" has no run in progress", "")
				}
			}
		}
		if err != nil {
			return err
		}
		if run.State != wire.RunRunning {
			return ended(run)
		}
		run.State, run.Message = wire.RunCancelled, "cancelled by "+actor(ctx)
		if err := s.end(tx, run); err != nil {
			return err
		}
		info = run.RunInfo
		return s.audit(ctx, tx, wire.StatusMessage{Device: run.Device, Deployment: run.Deployment, Run: run.ID, Text: "run cancelled"})
	})
	s.debug.leave(info.ID)
	s.feed.bump()
	return info, err
}

// Retry lets a device run a deployment once more although it was handed out.
// Without a deployment it is that of the device's latest run.
func (s *Service) Retry(ctx context.Context, device, deployment string) (dep wire.Deployment, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		d, err := findDevice(tx, device)
		if err != nil {
			return err
		}
		if run, err := tx.ActiveRun(d.ID); err == nil {
			return refusal(409, "PXE-10a", "device", fmt.Sprintf("run %s of %s is still in progress", run.ID, d.Name), "cancel it first with `bootyard cancel`")
		}
		if deployment == "" {
			runs, err := tx.Runs(store.RunFilter{Device: d.ID, Limit: 1})
			if err != nil {
				return err
			}
			if len(runs) == 0 {
				return refusal(409, "", "deployment", d.Name+" has not run anything yet", "name the deployment, or use `bootyard deploy`")
			}
			deployment = runs[0].Deployment
		}
		if dep, err = tx.Deployment(deployment); err != nil {
			return orMissing(err, "deployment", "no deployment has the id "+printable(deployment, 40), "see `bootyard deployment list`")
		}
		now := s.Now().UTC()
		for _, subject := range subjects(&d, wire.Identity{}) {
			list, err := tx.Ledger(now, subject)
			if err != nil {
				return err
			}
			e := store.LedgerEntry{Subject: subject, Deployment: dep.ID}
			for _, old := range list {
				if old.Deployment == dep.ID {
					e = old
				}
			}
			e.Retry = now
			if err := tx.PutLedger(e); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: d.ID, Deployment: dep.ID, Text: "retry asked for"})
	})
	s.feed.bump()
	return dep, err
}

package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Claim begins a run. The run and its ledger entry are written in one
// transaction (PXE-16a); the same key gives the same run however often and
// however concurrently it is asked.
func (s *Service) Claim(ctx context.Context, who Session, r wire.ClaimRequest) (wire.Run, error) {
	if r.Key == "" || len(r.Key) > 128 {
		return wire.Run{}, invalid("PXE-16a", "key", "a claim needs a key of 1 to 128 characters", "")
	}
	if r.Environment != who.Environment {
		return wire.Run{}, invalid("TRM-10", "environment", "the session was opened for another environment", "open a new session")
	}
	var out wire.Run
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		run, err := tx.RunByKey(who.Device, r.Key)
		if errors.Is(err, store.ErrNotFound) {
			run, err = s.begin(tx, who, r)
		}
		if err != nil {
			return err
		}
		out, err = s.runForAgent(tx, who, run)
		return err
	})
	s.feed.bump()
	return out, err
}

func (s *Service) begin(tx *store.Tx, who Session, r wire.ClaimRequest) (store.Run, error) {
	a, err := s.asker(tx, who, "", "")
	if err != nil {
		return store.Run{}, err
	}
	a.Preferred = "" // which one is preferred was settled by the policy
	f, err := s.facts(tx, a)
	if err != nil {
		return store.Run{}, err
	}
	if f.ActiveRun != nil {
		return store.Run{}, refusal(409, "PXE-10a", "deployment", fmt.Sprintf("run %s of this machine is not finished", f.ActiveRun.ID), "go on with it, or cancel it with `bootyard cancel`")
	}
	c, err := claimable(f, r.Deployment)
	if err != nil {
		return store.Run{}, err
	}
	now := s.Now().UTC()
	d := *f.Served
	run := store.Run{Key: r.Key, SequenceVersion: c.Sequence.Version, Environment: r.Environment, Children: map[string]int{}, Unlocked: who.Unlocked}
	run.RunInfo = wire.RunInfo{ID: s.newID(), Device: d.ID, DeviceName: d.Name, Deployment: c.Deployment.ID, Sequence: c.Sequence.ID,
		SequenceName: c.Sequence.Name, State: wire.RunRunning, Firmware: d.Firmware, LaunchMode: cmp.Or(r.LaunchMode, who.LaunchMode),
		UserStarted: r.UserStarted, Awaits: r.Environment, Boot: who.Boot, Media: who.Media, Started: now, LastContact: now}
	if err := childVersions(tx, c.Sequence, &run, 0); err != nil {
		return run, err
	}
	run.BootImage, run.References = c.Sequence.BootImage, allReferences(tx, c.Sequence)
	if err := tx.PutRun(run); err != nil {
		return run, err
	}
	if err := s.ledger(tx, f, c, run); err != nil {
		return run, err
	}
	if b, err := tx.Boot(who.Boot); err == nil {
		b.Run = run.ID
		if err := tx.PutBoot(b); err != nil {
			return run, err
		}
	}
	_, err = tx.AddMessage(wire.StatusMessage{Time: now, Kind: "status", Severity: "info", Device: d.ID, Deployment: run.Deployment, Run: run.ID,
		Text: fmt.Sprintf("%s began %q (%s)", d.Name, run.SequenceName, run.LaunchMode)})
	return run, err
}

// claimable finds the candidate that is claimed. It must be one that the
// decision keeps for this machine; why it does not is the answer.
func claimable(f Facts, id string) (CandidateFacts, error) {
	d := f.Decide()
	for i, c := range d.Considered {
		if c.Deployment != id {
			continue
		}
		if !c.Kept {
			return CandidateFacts{}, refusal(409, c.Rule, "deployment", fmt.Sprintf("%s cannot run here: %s", id, c.Text), "ask for policy again")
		}
		for _, cand := range f.Candidates {
			if cand.Deployment.ID == id && cand.Deployment.Collection == d.Considered[i].Collection {
				return cand, nil
			}
		}
	}
	return CandidateFacts{}, refusal(409, cmp.Or(d.Rule, "PXE-13"), "deployment", fmt.Sprintf("deployment %s is not meant for this machine", printable(id, 32)), "ask for policy again")
}

// ledger writes what PXE must not hand out again. A run from the installed OS
// is history only (RRN-11).
func (s *Service) ledger(tx *store.Tx, f Facts, c CandidateFacts, run store.Run) error {
	if run.Environment != wire.WinPE || c.Deployment.Purpose != wire.Required {
		return nil
	}
	set, err := settings(tx)
	if err != nil {
		return err
	}
	for _, subject := range subjects(f.Served, f.Identity) {
		e := store.LedgerEntry{Subject: subject, Deployment: run.Deployment, Handed: run.Started}
		if !f.Known { // PXE-19
			e.Expires = run.Started.Add(durationOf(set.UnknownLedgerTTL))
		}
		if err := tx.PutLedger(e); err != nil {
			return err
		}
	}
	return nil
}

// childVersions notes which children the run takes, and theirs (TSV-4).
func childVersions(tx *store.Tx, seq wire.Sequence, run *store.Run, depth int) error {
	for _, r := range seq.References {
		if r.Kind != "sequence" || run.Children[r.ID] != 0 || depth > maxChildren {
			continue
		}
		child, err := tx.Sequence(r.ID)
		if err != nil {
			return err
		}
		run.Children[r.ID] = child.Version
		if !child.Enabled {
			run.DisabledChildren = append(run.DisabledChildren, r.ID)
		}
		if err := childVersions(tx, child, run, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// runForAgent builds what the agent gets of a run.
func (s *Service) runForAgent(tx *store.Tx, who Session, run store.Run) (wire.Run, error) {
	out := wire.Run{ID: run.ID, Deployment: run.Deployment, SequenceID: run.Sequence, SequenceName: run.SequenceName,
		Option: wire.AsNeeded, ShowProgress: true, LaunchMode: run.LaunchMode, Awaits: run.Awaits, Started: run.Started, DisabledChildren: run.DisabledChildren}
	var err error
	if out.SequenceXML, err = tx.SequenceXML(run.Sequence, run.SequenceVersion); err != nil {
		return out, err
	}
	for id, version := range run.Children {
		if out.Children == nil {
			out.Children = map[string]string{}
		}
		if out.Children[id], err = tx.SequenceXML(id, version); err != nil {
			return out, err
		}
	}
	if seq, err := sequenceOf(tx, run); err == nil {
		out.BootImage, out.Packages = seq.BootImage, packagesOf(tx, seq)
	}
	if dep, err := tx.Deployment(run.Deployment); err == nil {
		out.Option, out.ShowProgress, out.Debug = dep.DeploymentOption, *dep.ShowProgress, dep.Debug
	}
	device, err := tx.Device(run.Device)
	if err != nil {
		return out, err
	}
	out.ComputerName = hostName(device.Name)
	if out.Variables, out.Secret, err = variablesFor(tx, device, run.Media, mayHaveSecrets(who, device, run)); err != nil {
		return out, err
	}
	if out.Organisation, err = s.siteDefaults(tx, out.Variables); err != nil {
		return out, err
	}
	c, err := tx.Checkpoint(run.ID)
	if err == nil {
		out.Checkpoint = &c
	} else if !errors.Is(err, store.ErrNotFound) {
		return out, err
	}
	last, err := tx.LastEvent(run.ID)
	out.NextEvent, out.LogSize = last+1, s.logSize(run.ID)
	return out, err
}

// bootOrderVariable tells the agent what the firmware is to start first in the
// long run: disk (its default) or network.
const bootOrderVariable = "BootyardBootOrder"

// siteDefaults passes the site's settings on: the boot order, unless a variable
// of the device, a collection or the medium says otherwise, and the organisation.
func (s *Service) siteDefaults(tx *store.Tx, variables map[string]string) (organisation string, err error) {
	set, err := settings(tx)
	if err != nil || !set.NetworkFirst {
		return set.Organisation, err
	}
	for name := range variables {
		if strings.EqualFold(name, bootOrderVariable) {
			return set.Organisation, nil
		}
	}
	variables[bootOrderVariable] = "network"
	return set.Organisation, nil
}

// hostName makes a name that every OS accepts: letters, digits and hyphens, at
// most 63, not at the ends.
func hostName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, s)
	return strings.Trim(s[:min(len(s), 63)], "-")
}

// mayHaveSecrets is DESIGN's rule: secrets go only to an approved device, after a
// PXE password, or to a medium with its own key. PXE is as trustworthy as its
// wire. What began by a medium or with the password and now goes on in the
// installed OS has shown a token that only this run's disk got.
func mayHaveSecrets(who Session, d wire.Device, run store.Run) bool {
	switch {
	case d.Approved, who.Media != "", who.Unlocked:
		return true
	}
	return who.Environment == wire.FullOS && (run.Media != "" || run.Unlocked)
}

// variablesFor merges by TS-82: media, then collections by priority and id,
// then the device; the later one wins. Without secrets the hidden ones stay out.
func variablesFor(tx *store.Tx, d wire.Device, media string, secrets bool) (map[string]string, []string, error) {
	values, hidden, spelled := map[string]string{}, map[string]bool{}, map[string]string{}
	set := func(v wire.Variable) {
		key := strings.ToLower(v.Name)
		if spelled[key] == "" {
			spelled[key] = v.Name
		}
		if v.Hidden && !secrets {
			return
		}
		values[key], hidden[key] = v.Value, v.Hidden
	}
	if media != "" {
		m, err := tx.Medium(media)
		if err != nil {
			return nil, nil, err
		}
		for name, value := range m.Variables {
			set(wire.Variable{Name: name, Value: value})
		}
	}
	target := d
	if d.Kind == wire.UnknownDevice { // collection variables of its object (PXE-37)
		if o, err := tx.UnknownObjectOf(d.Arch); err == nil {
			target = o
		}
	}
	collections, err := collectionsOf(tx, target)
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(collections, func(a, b wire.Collection) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range collections {
		list, err := tx.Variables("collection", c.ID)
		if err != nil {
			return nil, nil, err
		}
		for _, v := range list {
			set(v)
		}
	}
	list, err := tx.Variables("device", d.ID)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range list {
		set(v)
	}
	out, secret := map[string]string{}, []string{}
	for key, value := range values {
		out[spelled[key]] = value
		if hidden[key] {
			secret = append(secret, spelled[key])
		}
	}
	slices.Sort(secret)
	return out, secret, nil
}

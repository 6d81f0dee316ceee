package site

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Deployments lists all deployments.
func (s *Service) Deployments(ctx context.Context) (list []wire.Deployment, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.Deployments()
		return err
	})
	return list, err
}

// Deployment returns one deployment.
func (s *Service) Deployment(ctx context.Context, id string) (d wire.Deployment, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		d, err = tx.Deployment(id)
		return orMissing(err, "deployment", "no deployment has the id "+printable(id, 40), "see `bootyard deployment list`")
	})
	return d, err
}

// CreateDeployment checks in the order of HRD-14 and makes the deployment. Not
// confirmed high risk is no error: the result carries Confirm and nothing was
// made.
func (s *Service) CreateDeployment(ctx context.Context, in wire.DeploymentCreate) (out wire.DeploymentResult, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		out, err = s.createDeployment(ctx, tx, in)
		return err
	})
	s.feed.bump()
	return out, err
}

func (s *Service) createDeployment(ctx context.Context, tx *store.Tx, in wire.DeploymentCreate) (wire.DeploymentResult, error) {
	p := &proposal{tx: tx, spec: in.DeploymentSpec, share: s.Share != nil}
	if err := p.load(); err != nil {
		return p.out, err
	}
	if err := p.validate(); err != nil {
		return p.out, err
	}
	if err := p.assess(); err != nil {
		return p.out, err
	}
	set := p.settings
	if p.spec.WakeUp && !set.WakeOnLAN {
		p.warn("WOL-2", "Wake-on-LAN is switched off for the site: no packet will be sent")
	}
	d := wire.Deployment{DeploymentSpec: p.spec, SequenceName: p.sequence.Name, CollectionName: p.collection.Name, HighRisk: p.out.HighRisk,
		Enabled: true, Created: s.Now().UTC(), CreatedBy: actor(ctx)}
	p.out.Deployment, p.out.DryRun = d, in.DryRun
	if len(p.risks) > 0 && !in.AcceptHighRisk {
		p.out.Confirm = &wire.Confirmation{Field: "acceptHighRisk", MemberCount: p.out.MemberCount, Reasons: p.risks}
		return p.out, nil
	}
	if in.DryRun {
		return p.out, nil
	}
	n, err := tx.Next("deployments", wire.FirstDeploymentNumber)
	if err != nil {
		return p.out, err
	}
	d.ID = wire.FormatObjectID(s.SiteCode, n)
	d.Name = cmp.Or(d.Name, fmt.Sprintf("%s to %s", p.sequence.Name, p.collection.Name))
	p.out.Deployment = d
	if err := tx.PutDeployment(d); err != nil {
		return p.out, err
	}
	text := fmt.Sprintf("deployment %s %q of %s to collection %s created (%d members)", d.ID, d.Name, d.TaskSequence, d.Collection, p.out.MemberCount)
	m := wire.StatusMessage{Deployment: d.ID, Text: text}
	if len(p.risks) > 0 { // HRD-13
		m.Rule, m.Severity = "HRD-13", "warning"
		m.Text = fmt.Sprintf("high risk accepted: %s; %s", text, joinReasons(p.risks))
	}
	if err := s.audit(ctx, tx, m); err != nil {
		return p.out, err
	}
	return p.out, s.planWakes(tx, d, set, s.Now())
}

func joinReasons(list []wire.Reason) string {
	text := ""
	for i, r := range list {
		if i > 0 {
			text += "; "
		}
		text += r.Text + " (" + r.Rule + ")"
	}
	return text
}

// DeleteDeployment removes a deployment. Runs in progress go on to their end.
func (s *Service) DeleteDeployment(ctx context.Context, id string) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		d, err := tx.Deployment(id)
		if err != nil {
			return orMissing(err, "deployment", "no deployment has the id "+printable(id, 40), "see `bootyard deployment list`")
		}
		if err := tx.DeleteDeployment(id); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Deployment: id, Text: fmt.Sprintf("deployment %s %q deleted", id, d.Name)})
	})
	s.feed.bump()
	return err
}

// DeployNow makes a collection of one and a Required, as-soon-as-possible
// deployment to it, all or nothing.
func (s *Service) DeployNow(ctx context.Context, in wire.DeployNow) (out wire.DeploymentResult, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		d, err := findDevice(tx, in.Device)
		if err != nil {
			return err
		}
		if d.Kind != wire.KnownDevice {
			return invalid("PXE-13", "device", d.Name+" is not a known device", "import it first with `bootyard device import`")
		}
		seq, err := findSequence(tx, in.Sequence)
		if err != nil {
			return err
		}
		if _, err := tx.ActiveRun(d.ID); err == nil {
			return refusal(409, "PXE-10a", "device", d.Name+" is in the middle of a run", "wait for its end or cancel it with `bootyard cancel`")
		}
		c, err := s.collectionOfOne(tx, d)
		if err != nil {
			return err
		}
		spec := wire.DeploymentSpec{Name: fmt.Sprintf("%s on %s", seq.Name, d.Name), TaskSequence: seq.ID, Collection: c.ID, Purpose: wire.Required,
			MakeAvailableTo: wire.Clients, Assignments: []wire.Assignment{{Kind: wire.ASAP}}, WakeUp: in.Wake}
		if seq.BootImage != "" {
			spec.MakeAvailableTo = wire.MediaAndPXE
		}
		out, err = s.createDeployment(ctx, tx, wire.DeploymentCreate{DeploymentSpec: spec, AcceptHighRisk: in.AcceptHighRisk, DryRun: in.DryRun})
		if err == nil && (out.Confirm != nil || in.DryRun) {
			return errNotMade // takes the collection back too
		}
		return err
	})
	if err == errNotMade {
		err = nil
	}
	s.feed.bump()
	return out, err
}

type notMade struct{}

func (notMade) Error() string { return "nothing was made" }

var errNotMade error = notMade{}

// collectionOfOne finds or makes the collection that holds only this device.
func (s *Service) collectionOfOne(tx *store.Tx, d wire.Device) (wire.Collection, error) {
	name := "Only " + d.Name
	c, err := tx.CollectionByName(name)
	if err == nil {
		ids, err := tx.DirectMembers(c.ID)
		if err == nil && len(ids) == 1 && ids[0] == d.ID {
			return c, nil
		}
		name = fmt.Sprintf("Only %s (%s)", d.Name, s.Now().UTC().Format(time.RFC3339Nano))
	}
	return s.createCollection(tx, wire.CollectionCreate{Name: name, Members: []string{d.ID}, Comment: "made by bootyard deploy"})
}

// options computes DOP-T1 to T4 with the reason for each missing one (DOP-10).
func options(a wire.Availability, allShares, hasReferences bool) []wire.OptionOffer {
	before := wire.OptionOffer{Option: wire.AllBefore, Offered: true}
	direct := wire.OptionOffer{Option: wire.DirectFromDP, Offered: true}
	if a.IncludesMediaAndPXE() {
		before.Offered = false
		before.Reasons = append(before.Reasons, reason("DEP-43", "not offered when media and PXE are included"))
	}
	if !allShares {
		direct.Offered = false
		direct.Reasons = append(direct.Reasons, reason("DEP-44", "not all referenced content uses a package share"))
	}
	if !hasReferences {
		direct.Offered = false
		direct.Reasons = append(direct.Reasons, reason("DOP-7", "the task sequence refers to no content"))
	}
	return []wire.OptionOffer{{Option: wire.AsNeeded, Offered: true}, before, direct}
}

func timed(list []wire.Assignment) int {
	return len(slices.DeleteFunc(slices.Clone(list), func(a wire.Assignment) bool { return !evaluate.FromAssignment(a).Timed() }))
}

package site

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// proposal is a deployment while it is checked (HRD-14).
type proposal struct {
	tx         *store.Tx
	spec       wire.DeploymentSpec
	settings   wire.Settings
	sequence   wire.Sequence
	collection wire.Collection
	members    []wire.Device
	out        wire.DeploymentResult
	risks      []wire.Reason
	share      bool // this distribution point has a package share
}

func (p *proposal) warn(rule, text string) {
	p.out.Warnings = append(p.out.Warnings, reason(rule, text))
}

// load resolves what the proposal names and fills in the defaults.
func (p *proposal) load() error {
	s := &p.spec
	var err error
	if p.settings, err = settings(p.tx); err != nil {
		return err
	}
	if s.TaskSequence == "" {
		return invalid("DEP-1", "taskSequence", "a deployment needs a task sequence", "name one, see `bootyard sequence list`")
	}
	if s.Collection == "" {
		return invalid("DEP-2", "collection", "a deployment needs a collection", "name one, see `bootyard collection list`")
	}
	if slices.Contains(userCollections, s.Collection) {
		return invalid("TSV-12", "collection", "task sequences are deployed to device collections, never to users", "choose a device collection, see `bootyard collection list`")
	}
	if p.sequence, err = findSequence(p.tx, s.TaskSequence); err != nil {
		return err
	}
	if p.sequence, err = withValidity(p.tx, p.sequence); err != nil {
		return err
	}
	if p.collection, err = findCollection(p.tx, s.Collection); err != nil {
		return err
	}
	if p.members, err = members(p.tx, p.collection); err != nil {
		return err
	}
	p.out.MemberCount = len(p.members)
	s.TaskSequence, s.Collection = p.sequence.ID, p.collection.ID
	s.Purpose = cmp.Or(s.Purpose, wire.Available)
	s.MakeAvailableTo = cmp.Or(s.MakeAvailableTo, wire.Clients)
	s.Rerun = cmp.Or(s.Rerun, wire.RerunAlways)
	s.DeploymentOption = cmp.Or(s.DeploymentOption, wire.AsNeeded)
	yes := true
	if s.Independent == nil {
		s.Independent = &yes
	}
	if s.ShowProgress == nil {
		s.ShowProgress = &yes
	}
	s.Name, s.Comment = printable(s.Name, 255), printable(s.Comment, 2048)
	return nil
}

// validate applies the rules that refuse.
func (p *proposal) validate() error {
	s := &p.spec
	if !p.sequence.CanDeploy {
		r := p.sequence.Invalid[0]
		problem := invalid("TSV-1", "taskSequence", fmt.Sprintf("task sequence %s cannot be deployed: %s", p.sequence.ID, r.Text), "correct the reference, remove the step or disable it, then deploy")
		for _, r := range p.sequence.Invalid {
			problem.Problems = append(problem.Problems, wire.FieldError{Rule: r.Rule, Field: "taskSequence", Detail: r.Text})
		}
		return problem
	}
	if !slices.Contains([]wire.Purpose{wire.Available, wire.Required}, s.Purpose) {
		return invalid("DEP-8", "purpose", fmt.Sprintf("%q is no purpose", printable(string(s.Purpose), 40)), "use Available or Required")
	}
	if !slices.Contains([]wire.Availability{wire.Clients, wire.ClientsMediaAndPXE, wire.MediaAndPXE, wire.MediaAndPXEHidden}, s.MakeAvailableTo) {
		return invalid("DEP-9", "makeAvailableTo", fmt.Sprintf("%q is none of the four values", printable(string(s.MakeAvailableTo), 40)), "use Clients, ClientsMediaAndPxe, MediaAndPxe or MediaAndPxeHidden")
	}
	if !slices.Contains([]wire.Rerun{wire.RerunNever, wire.RerunAlways, wire.RerunIfFailed, wire.RerunIfSucceeded}, s.Rerun) {
		return invalid("DEP-15", "rerun", fmt.Sprintf("%q is no rerun behaviour", printable(string(s.Rerun), 40)), "use Never, Always, IfFailed or IfSucceeded")
	}
	if p.sequence.BootImage == "" && s.MakeAvailableTo != wire.Clients {
		return invalid("DEP-40", "makeAvailableTo", "the task sequence has no boot image, so it can be made available to Clients only", "assign a boot image to the sequence or choose Clients")
	}
	if s.Purpose == wire.Available {
		switch {
		case len(s.Assignments) > 0:
			return invalid("DEP-41", "assignments", "an Available deployment has no assignment schedule", "leave it out or choose purpose Required")
		case s.WakeUp:
			return invalid("DEP-10", "wakeUp", "wake-up packets are sent for Required deployments only", "leave it out or choose purpose Required")
		case !*s.Independent:
			return invalid("DEP-16", "independent", "users may always run an Available deployment", "leave it out")
		}
	}
	if s.Debug {
		if text := undebuggable(p.collection, len(p.members)); text != "" {
			return invalid("DBG-1", "collection", text, "make a collection of the machines that are to be debugged")
		}
	}
	if err := p.validateOption(); err != nil {
		return err
	}
	return p.validateTimes()
}

// maxDebugMembers is the largest collection that a debug deployment may have
// (DBG-1).
const maxDebugMembers = 10

// undebuggable says why a collection is not for debug deployments. The count
// of unknown computers says nothing (COL-11).
func undebuggable(c wire.Collection, members int) string {
	switch {
	case c.ID == wire.AllUnknownComputers:
		return "unknown computers cannot be counted, and a debug deployment has at most 10 members"
	case members > maxDebugMembers:
		return fmt.Sprintf("the collection has %d members, a debug deployment at most %d", members, maxDebugMembers)
	}
	return ""
}

func (p *proposal) validateOption() error {
	shares, packages := true, packagesOf(p.tx, p.sequence)
	if id := p.sequence.BootImage; id != "" { // DOP-8: it counts
		image, err := p.tx.BootImage(id)
		shares = err == nil && image.PackageShare
	}
	if slices.ContainsFunc(p.sequence.References, func(r wire.Reference) bool { return r.Kind == "application" }) { // DOP-6
		shares = false
	}
	for _, id := range packages {
		if pkg, err := p.tx.Package(id); err != nil || !pkg.PackageShare {
			shares = false
		}
	}
	p.out.Options = options(p.spec.MakeAvailableTo, shares, len(packages) > 0)
	for _, o := range p.out.Options {
		if o.Option != p.spec.DeploymentOption {
			continue
		}
		if !o.Offered {
			return invalid(o.Reasons[0].Rule, "deploymentOption", fmt.Sprintf("%s: %s", o.Option, o.Reasons[0].Text), "use AsNeeded")
		}
		if o.Option == wire.DirectFromDP {
			p.warn("DOP-15", "content is not verified before it runs: whoever administers the distribution point could alter it")
			if !p.share {
				p.warn("DOP-13", "this distribution point has no package share, so the runs will fail: set share.enabled in the appliance's configuration")
			}
		}
		return nil
	}
	return invalid("DEP-24", "deploymentOption", fmt.Sprintf("%q is no deployment option", printable(string(p.spec.DeploymentOption), 40)), "use AsNeeded, AllBefore or DirectFromDP")
}

func (p *proposal) validateTimes() error {
	s := p.spec
	boots := s.MakeAvailableTo.IncludesMediaAndPXE()
	if s.Purpose == wire.Required && len(s.Assignments) == 0 && s.MakeAvailableTo.IncludesClients() {
		return invalid("DEP-14", "assignments", "a Required deployment to clients needs at least one assignment", "add one, e.g. as soon as possible")
	}
	if timed(s.Assignments) > evaluate.MaxTimed {
		return invalid("DEP-14", "assignments", fmt.Sprintf("%d assignments with a time, at most %d are allowed", timed(s.Assignments), evaluate.MaxTimed), "remove some")
	}
	for i, a := range s.Assignments {
		if err := evaluate.FromAssignment(a).Validate(); err != nil {
			return invalid("SCH-9", fmt.Sprintf("assignments[%d]", i), printable(err.Error(), 200), "see the kinds of assignment in the manual")
		}
	}
	if s.Available != nil && s.Expire != nil && s.Available.UTC == s.Expire.UTC && !s.Expire.At.After(s.Available.At) {
		return invalid("DEP-13", "expire", "the deployment expires before it becomes available", "choose a later time")
	}
	times := s.Available != nil || s.Expire != nil || timed(s.Assignments) > 0
	switch {
	case times && !s.MakeAvailableTo.IncludesClients():
		p.warn("SCH-2", "times have no effect: machines started from media or PXE look at no schedule")
	case times && boots:
		p.warn("SCH-2", "machines started from media or PXE look at no schedule; the times hold for the installed OS only")
	}
	if boots && times && s.Purpose == wire.Required {
		p.warn("SCH-20", "it starts at once on a machine that boots from the network, also before its deadline and after it has expired")
	}
	if boots && s.Purpose == wire.Required && p.sequence.DeploysOS {
		p.warn("HRD-16", "a machine whose firmware boots from the network first starts it with nobody present")
	}
	if s.MakeAvailableTo == wire.ClientsMediaAndPXE && s.Purpose == wire.Required && p.sequence.DeploysOS && s.Rerun == wire.RerunAlways && timed(s.Assignments) > 0 {
		p.warn("RRN-13", "with rerun Always a later occurrence installs the OS again on machines that were deployed by PXE or media")
	}
	if s.MakeAvailableTo == wire.MediaAndPXEHidden {
		p.warn("MED-2", "hidden: runs only from unattended media (or a prestart command) that sets SMSTSPreferredAdvertID to its id")
	}
	if s.WakeUp {
		for _, d := range p.members {
			if len(d.MACs) == 0 {
				p.warn("WOL-10", fmt.Sprintf("%s has no known MAC address and cannot be woken", d.Name))
			}
		}
	}
	return nil
}

// assess is the high-risk part of HRD-14.
func (p *proposal) assess() error {
	if p.spec.Purpose != wire.Required || !p.sequence.DeploysOS {
		return nil
	}
	p.out.HighRisk = true
	count := p.out.MemberCount
	if p.collection.BuiltIn && p.collection.ID != wire.AllUnknownComputers {
		return invalid("HRD-7", "collection", fmt.Sprintf("a Required OS deployment cannot go to the built-in collection %q", p.collection.Name), "make a custom collection with the machines that are meant")
	}
	if m := p.settings.MaximumSize; m > 0 && count >= m {
		return invalid("HRD-5", "collection", fmt.Sprintf("the collection has %d members, the site allows fewer than %d", count, m), "choose a smaller collection or change the site's maximum size")
	}
	systems, servers := names(p.members, func(d wire.Device) bool { return d.SiteSystem }), names(p.members, func(d wire.Device) bool { return d.Server })
	if len(systems) > 0 && p.settings.SiteSystems == "Block" {
		return invalid("HRD-11", "collection", fmt.Sprintf("the collection contains the site system %s", systems[0]), "choose another collection")
	}
	machines, disks := fmt.Sprintf("%d machines", count), "their disks"
	if count == 1 {
		machines, disks = "1 machine", "its disk"
	}
	// The member count is always asked for (DESIGN.md, defaults that protect).
	p.risks = append(p.risks, reason("HRD-1", fmt.Sprintf("installs an operating system without asking on %s; what is on %s is lost", machines, disks)))
	if len(systems) > 0 {
		p.risks = append(p.risks, reason("HRD-12", fmt.Sprintf("contains %d site systems, the first is %s", len(systems), systems[0])))
	}
	if size := p.settings.DefaultSize; size > 0 && count >= size {
		p.risks = append(p.risks, reason("HRD-12", fmt.Sprintf("%d members, the site's default size is %d", count, size)))
	}
	if len(servers) > 0 {
		p.risks = append(p.risks, reason("HRD-12", fmt.Sprintf("contains %d servers, the first is %s", len(servers), servers[0])))
	}
	return nil
}

func names(list []wire.Device, pick func(wire.Device) bool) []string {
	out := []string{}
	for _, d := range list {
		if pick(d) {
			out = append(out, d.Name)
		}
	}
	return out
}

package site

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// choice is a candidate while the decision is made.
type choice struct {
	CandidateFacts
	wire.Considered
	pending bool // Required and to be handed out now
	retry   bool // asked for once more by a person
}

// Decide answers what the machine may boot or run, and why. It is pure: the
// same facts give the same answer.
func (f Facts) Decide() wire.Decision {
	d := wire.Decision{Action: wire.ActionNothing, Considered: []wire.Considered{}, Notes: f.Notes}
	if f.Served != nil {
		d.Device, d.DeviceName = f.Served.ID, f.Served.Name
	}
	if f.Excluded {
		return f.answer(d, wire.ActionNothing, "PXE-4", "its MAC is on the exclusion list")
	}
	if f.ActiveRun != nil {
		return f.resume(d)
	}
	if !f.Known && !f.UnknownSupport {
		return f.notServed(d, "PXE-13", "the machine is not known and support for unknown computers is off; import it with `bootyard device import` or switch unknown computers on")
	}
	choices := f.consider()
	if f.Environment == wire.FullOS {
		return f.decideFullOS(d, choices)
	}
	d = f.decideBoot(d, choices)
	for _, c := range choices {
		d.Considered = append(d.Considered, c.Considered)
	}
	return d
}

func (f Facts) answer(d wire.Decision, a wire.Action, rule, text string) wire.Decision {
	d.Action, d.Rule, d.Reason = a, rule, text
	return d
}

// notServed is silence towards firmware that broadcasts and the local disk for
// a loader that already runs: after silence UEFI waits for minutes (PXE-15a).
func (f Facts) notServed(d wire.Decision, rule, text string) wire.Decision {
	switch f.Stage {
	case wire.StageLoader, wire.StageScript, wire.StageKernel:
		d.Notes = append(d.Notes, reason("PXE-15a", "a loader asks: the local disk is the answer"))
		return f.answer(d, wire.ActionLocal, rule, text)
	}
	return f.answer(d, wire.ActionNothing, rule, text)
}

// resume is PXE-10a: the environment that the run awaits decides.
func (f Facts) resume(d wire.Decision) wire.Decision {
	r := f.ActiveRun
	d.ActiveRun, d.Deployment = r.ID, r.Deployment
	if r.Awaits == wire.FullOS && f.Environment != wire.FullOS {
		return f.answer(d, wire.ActionLocal, "PXE-10a", fmt.Sprintf("run %s goes on in the installed OS; to start over, cancel it with `bootyard cancel`", r.ID))
	}
	if r.Awaits != f.Environment {
		return f.answer(d, wire.ActionNothing, "PXE-10a", fmt.Sprintf("run %s waits for the boot environment", r.ID))
	}
	if f.Environment == wire.WinPE {
		image, rule, text := f.image(f.ActiveBootImage)
		if image == "" && f.Stage != wire.StageAgent {
			return f.notServed(d, rule, text)
		}
		d.BootImage = image
	}
	return f.answer(d, wire.ActionResume, "PXE-10a", fmt.Sprintf("run %s is in progress and goes on here", r.ID))
}

// consider applies the rules that remove a candidate whatever else there is.
func (f Facts) consider() []*choice {
	handed := ""
	for _, e := range f.Ledger {
		if e.Handed.After(e.Retry) {
			handed = max(handed, e.Deployment)
		}
	}
	choices := make([]*choice, 0, len(f.Candidates))
	for _, cand := range f.Candidates {
		c := &choice{CandidateFacts: cand}
		dep := cand.Deployment
		c.Considered = wire.Considered{Deployment: dep.ID, Sequence: dep.TaskSequence, SequenceName: cmp.Or(cand.Sequence.Name, dep.SequenceName),
			Collection: dep.Collection, Purpose: dep.Purpose, Availability: dep.MakeAvailableTo}
		c.Kept = true
		f.removeAlways(c)
		if c.Kept && f.Environment != wire.FullOS {
			f.removeInBootEnvironment(c, handed)
		}
		choices = append(choices, c)
	}
	return choices
}

func (c *choice) remove(rule, text string) {
	c.Kept, c.Listed, c.Rule, c.Text = false, false, rule, text
}

func (f Facts) removeAlways(c *choice) {
	switch dep := c.CandidateFacts.Deployment; {
	case !dep.Enabled:
		c.remove("", "the deployment is disabled")
	case len(c.Invalid) > 0:
		c.remove("TSV-1", c.Invalid[0].Text)
	case !c.CandidateFacts.Sequence.Enabled:
		c.remove("TSV-10", "the task sequence is disabled")
	case f.Environment == wire.FullOS && !dep.MakeAvailableTo.IncludesClients():
		c.remove("UX-4", "it is made available to media and PXE only")
	case f.Environment != wire.FullOS && !dep.MakeAvailableTo.IncludesMediaAndPXE():
		c.remove("PXE-14", "it is not made available to media and PXE")
	case f.Environment != wire.FullOS && dep.DeploymentOption == wire.AllBefore:
		c.remove("DEP-43", "the option to download everything before does not work for media and PXE") // DOP-9
	}
}

func (f Facts) removeInBootEnvironment(c *choice, newestHanded string) {
	dep := c.CandidateFacts.Deployment
	if f.Media != "" && !f.MediaSuccess.IsZero() && f.Now.Before(f.MediaSuccess.Add(f.MediaGuard)) {
		c.remove("MED-25", fmt.Sprintf("this medium deployed the machine at %s and does not run again before %s",
			f.MediaSuccess.UTC().Format(time.RFC3339), f.MediaSuccess.Add(f.MediaGuard).UTC().Format(time.RFC3339)))
		return
	}
	if dep.Purpose == wire.Required && !c.WindowOpen && !dep.InstallOutsideWindow {
		c.remove("MWN-18", cmp.Or(c.WindowText, "no maintenance window of the device is open"))
		return
	}
	hidden := dep.MakeAvailableTo == wire.MediaAndPXEHidden
	c.Listed, c.Text = !hidden, "offered"
	if hidden {
		c.Rule, c.Text = "PXE-25", "hidden: runs only when it is the preferred deployment"
	}
	if dep.Purpose != wire.Required {
		return
	}
	c.pending = !hidden
	if f.Media != "" { // the ledger is that of PXE; media have MED-25
		return
	}
	for _, e := range f.Ledger {
		if e.Deployment != dep.ID {
			continue
		}
		if c.retry = e.Retry.After(e.Handed); c.retry {
			return
		}
		c.remove("PXE-16", fmt.Sprintf("handed out at %s and not a second time; `bootyard retry` or `bootyard device clear-pxe` allow it again", e.Handed.UTC().Format(time.RFC3339)))
		c.pending = false
		return
	}
	if dep.ID < newestHanded {
		c.remove("PXE-18", fmt.Sprintf("older than %s, which was handed out already; `bootyard retry` starts it all the same", newestHanded))
		c.pending = false
	}
}

// decideBoot chooses among what is left for firmware, loaders and the agent in
// the boot environment.
func (f Facts) decideBoot(d wire.Decision, choices []*choice) wire.Decision {
	kept := slices.DeleteFunc(slices.Clone(choices), func(c *choice) bool { return !c.Kept })
	image, rule, text := f.imageOf(choices)
	d.BootImage = image
	if f.Preferred != "" {
		return f.preferred(d, choices)
	}
	if f.Chosen != "" {
		return f.chosen(d, kept)
	}
	if len(kept) == 0 {
		return f.noneLeft(d, choices)
	}
	if image == "" && f.Stage != wire.StageAgent {
		return f.notServed(d, rule, text)
	}
	if run := newestPending(kept); run != nil {
		for _, c := range kept {
			if c != run && c.pending {
				c.Rule, c.Text = "PXE-27", "a newer required deployment goes first"
			}
		}
		run.Rule, run.Text = "PXE-20", "required: starts without a key"
		why := "has not run here yet"
		if run.retry {
			run.Text, why = "required, and asked for once more: starts without a key", "was asked for once more"
		}
		d.Deployment = run.Considered.Deployment
		return f.answer(d, wire.ActionRun, "PXE-20", fmt.Sprintf("required deployment %s of %q %s", d.Deployment, run.SequenceName, why))
	}
	return f.menu(d, kept)
}

// newestPending is PXE-27, except that what a person asked for again goes first.
func newestPending(kept []*choice) *choice {
	var best *choice
	for _, c := range kept {
		if !c.pending {
			continue
		}
		if best == nil || c.retry && !best.retry || c.retry == best.retry && c.Considered.Deployment > best.Considered.Deployment {
			best = c
		}
	}
	return best
}

// preferred is PXE-24 and PXE-26: exactly that one or an error.
func (f Facts) preferred(d wire.Decision, choices []*choice) wire.Decision {
	for _, c := range choices {
		if c.Considered.Deployment != f.Preferred {
			if c.Kept {
				c.Rule, c.Text = "PXE-24", "another deployment is preferred"
			}
			continue
		}
		if !c.Kept {
			if c.Rule == "MED-25" || c.Rule == "PXE-16" {
				return f.answer(d, wire.ActionLocal, c.Rule, c.Text)
			}
			return f.answer(d, wire.ActionNothing, "PXE-26", fmt.Sprintf("the preferred deployment %s cannot run here: %s (%s)", f.Preferred, c.Text, c.Rule))
		}
		d.Deployment = f.Preferred
		if f.Media != "" && !f.Unattended && f.Chosen != f.Preferred {
			c.Listed = true
			return f.answer(d, wire.ActionMenu, "MED-1", "the medium names this deployment but is not made for unattended use: somebody has to confirm")
		}
		c.Rule, c.Text = "PXE-24", "preferred deployment: runs and overrides everything else"
		return f.answer(d, wire.ActionRun, "PXE-24", fmt.Sprintf("SMSTSPreferredAdvertID names %s", f.Preferred))
	}
	return f.answer(d, wire.ActionNothing, "PXE-26", fmt.Sprintf("the preferred deployment %s does not exist or is not meant for this machine; no other one runs in its place", printable(f.Preferred, 32)))
}

func (f Facts) chosen(d wire.Decision, kept []*choice) wire.Decision {
	for _, c := range kept {
		if c.Considered.Deployment == f.Chosen && c.Listed {
			d.Deployment = f.Chosen
			return f.answer(d, wire.ActionRun, "PXE-24", "chosen in the menu")
		}
	}
	return f.answer(d, wire.ActionNothing, "PXE-24", fmt.Sprintf("deployment %s was chosen but is not offered to this machine", printable(f.Chosen, 32)))
}

// noneLeft is PXE-15 and PXE-15a.
func (f Facts) noneLeft(d wire.Decision, choices []*choice) wire.Decision {
	for _, rule := range []string{"MED-25", "PXE-16", "PXE-18"} {
		for _, c := range choices {
			if c.Rule == rule {
				return f.answer(d, wire.ActionLocal, rule, fmt.Sprintf("%s: %s", c.Considered.Deployment, c.Text))
			}
		}
	}
	if f.Stage == wire.StageAgent {
		return f.answer(d, wire.ActionNothing, "PXE-24", noSequence(choices))
	}
	return f.notServed(d, "PXE-15", noSequence(choices))
}

func noSequence(choices []*choice) string {
	if len(choices) == 0 {
		return "no task sequences available: nothing is deployed to a collection of this machine"
	}
	c := choices[len(choices)-1]
	return fmt.Sprintf("no task sequences available: of %d deployments none can run here; %s: %s", len(choices), c.Considered.Deployment, c.Text)
}

// menu is PXE-20 for available deployments: a key is needed.
func (f Facts) menu(d wire.Decision, kept []*choice) wire.Decision {
	shown := map[string]string{}
	listed := 0
	for _, c := range kept { // in order of ids: the oldest comes first
		if !c.Listed {
			continue
		}
		if first, ok := shown[c.Considered.Sequence]; ok {
			c.Listed, c.Rule, c.Text = false, "PXE-28", "the same task sequence is offered by the older "+first
			continue
		}
		shown[c.Considered.Sequence] = c.Considered.Deployment
		d.Deployment = c.Considered.Deployment
		listed++
	}
	if listed != 1 {
		d.Deployment = "" // one entry is preselected, several are not
	}
	if f.Stage != wire.StageAgent {
		return f.answer(d, wire.ActionMenu, "PXE-20", "only available deployments: the menu waits for a key, without one the local disk starts")
	}
	if listed == 0 {
		return f.answer(d, wire.ActionNothing, "PXE-25", "no task sequences available: what is deployed here is hidden and needs SMSTSPreferredAdvertID")
	}
	if f.Unattended {
		d.Deployment = ""
		return f.answer(d, wire.ActionNothing, "MED-3", "unattended, but no deployment is required and none is preferred: nothing can be chosen")
	}
	return f.answer(d, wire.ActionMenu, "PXE-24", "only available deployments: somebody has to choose")
}

func (f Facts) decideFullOS(d wire.Decision, choices []*choice) wire.Decision {
	shown := map[string]*choice{} // by sequence; choices come in order of ids, the oldest first
	for _, c := range choices {
		first := shown[c.Considered.Sequence]
		switch {
		case !c.Kept:
		case first != nil && first.CandidateFacts.Deployment.Debug != c.CandidateFacts.Deployment.Debug && c.Considered.Purpose == wire.Available:
			c.remove("DBG-8", "the same task sequence is offered by the older "+first.Considered.Deployment+", and one of the two is a debug deployment")
		default:
			c.Listed, c.Text = true, "sent to the agent, which looks at times, windows and reruns"
			if first == nil {
				shown[c.Considered.Sequence] = c
			}
		}
		d.Considered = append(d.Considered, c.Considered)
	}
	return f.answer(d, wire.ActionNothing, "SCH-1", "in the installed OS the agent decides by schedule")
}

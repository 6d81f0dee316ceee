package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Explain is the decision for firmware that asks now, or at another time, with
// everything that was considered. A MAC or UUID that no device has is answered
// as the unknown machine it is. For the installed OS it says what the agent
// decides by its schedules, reckoned with the same function.
func (s *Service) Explain(ctx context.Context, device string, env wire.Environment, preferred string, at time.Time) (wire.Decision, error) {
	if env != wire.FullOS {
		env = wire.WinPE
	}
	a := Asker{Environment: env, Stage: wire.StageDHCP, Preferred: preferred, At: at}
	d, err := s.Device(ctx, device)
	var p *wire.Problem
	mac, uuid := NormalMAC(device), NormalUUID(device)
	switch {
	case err == nil:
		a.Device = d.ID
	case errors.As(err, &p) && p.Status == 404 && (mac != "" || uuid != ""):
		a.Identity = wire.Identity{UUID: uuid, MACs: []string{mac}}
	default:
		return wire.Decision{}, err
	}
	if env != wire.FullOS {
		out, err := s.Decide(ctx, a)
		out.DeviceName = cmp.Or(out.DeviceName, mac, uuid)
		return out, err
	}
	var out wire.Decision
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		f, err := s.facts(tx, a)
		if err != nil {
			return err
		}
		out = f.Decide()
		out.DeviceName = cmp.Or(out.DeviceName, mac, uuid)
		return s.explainSchedules(tx, &f, &out)
	})
	return out, err
}

// explainSchedules says for each deployment that the agent gets what its times,
// windows and reruns make of it at f.Now.
func (s *Service) explainSchedules(tx *store.Tx, f *Facts, d *wire.Decision) error {
	var p wire.Policy
	if f.Served == nil {
		return nil
	}
	if err := s.schedulePolicy(tx, f, &p); err != nil {
		return err
	}
	for i := range d.Considered {
		c := &d.Considered[i]
		for _, cand := range f.Candidates {
			if !c.Kept || cand.Deployment.ID != c.Deployment {
				continue
			}
			v := evaluate.Evaluate(evaluate.Input{
				Deployment: evaluate.FromCandidate(candidate(tx, cand)), History: evaluate.FromHistory(p.History),
				Now: f.Now, Zone: zoneOf(*f.Served), Environment: evaluate.FullOS, Windows: evaluate.FromWindows(p.Windows),
			})
			c.Listed, c.Text = v.Listed, verdictText(v)
			if n := len(v.Reasons); n > 0 {
				c.Rule = v.Reasons[n-1].Rule
			}
			if v.Due && d.Action != wire.ActionRun {
				d.Action, d.Deployment, d.Rule, d.Reason = wire.ActionRun, c.Deployment, "SCH-9", "due since "+v.DueSince.Format(time.RFC3339)
			}
		}
	}
	return nil
}

// Occurrences lists the next times at which a deployment comes due on a device
// in zone, an IANA name: the answer that the agent there comes to.
func (s *Service) Occurrences(ctx context.Context, id, zone string) (out wire.Occurrences, err error) {
	at, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return out, invalid("SCH-4", "zone", fmt.Sprintf("%q is no time zone", printable(zone, 64)), "use an IANA name such as Europe/Amsterdam")
	}
	d, err := s.Deployment(ctx, id)
	if err != nil {
		return out, err
	}
	v := evaluate.Evaluate(evaluate.Input{Deployment: evaluate.FromDeployment(d, 0), Now: s.Now(), Zone: at, Environment: evaluate.FullOS})
	return wire.Occurrences{Zone: at.String(), Next: append([]time.Time{}, v.NextDue...)}, nil
}

func verdictText(v evaluate.Verdict) string {
	text := []string{string(v.State)}
	for _, r := range v.Reasons {
		text = append(text, r.Text)
	}
	if len(v.NextDue) > 0 {
		text = append(text, fmt.Sprintf("next due %s", v.NextDue[0].Format(time.RFC3339)))
	}
	return strings.Join(text, "; ")
}

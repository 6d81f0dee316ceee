package appliance

import (
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/wire"
)

// occurrences tells the wake planner when an assignment is due (WOL-11). A
// recurrence in the planner's short look-ahead has few occurrences.
func occurrences(a wire.Assignment, created time.Time, zone *time.Location, from, to time.Time) []time.Time {
	if a.Kind == wire.ASAP {
		if created.After(from) && !created.After(to) {
			return []time.Time{created}
		}
		return nil
	}
	var out []time.Time
	for _, at := range evaluate.FromAssignment(a).Next(from, zone, evaluate.NextCount) {
		if !at.After(to) {
			out = append(out, at)
		}
	}
	return out
}

// windowOpen answers MWN-18: may this Required deployment be offered in the
// boot environment now.
func windowOpen(now time.Time, device wire.Device, d wire.Deployment, windows []wire.Window) (bool, string) {
	if d.InstallOutsideWindow || len(windows) == 0 {
		return true, ""
	}
	zone := time.Local
	if z, err := time.LoadLocation(device.Zone); err == nil && device.Zone != "" {
		zone = z
	}
	verdict := evaluate.Evaluate(evaluate.Input{
		Deployment: evaluate.FromDeployment(d, 0), Now: now, Zone: zone,
		Environment: evaluate.WinPE, Windows: evaluate.FromWindows(windows),
	})
	for _, r := range verdict.Reasons {
		if r.Rule == "MWN-18" {
			return verdict.Offered, r.Text
		}
	}
	return verdict.Offered, ""
}

package appliance

import (
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/wire"
)

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

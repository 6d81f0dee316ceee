package site

import (
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/wire"
)

// windowOpen answers MWN-18: may this Required deployment be offered to the
// device in the boot environment now. The text says which window decides.
func windowOpen(now time.Time, device wire.Device, d wire.Deployment, windows []wire.Window) (bool, string) {
	if d.InstallOutsideWindow || len(windows) == 0 {
		return true, ""
	}
	verdict := evaluate.Evaluate(evaluate.Input{
		Deployment: evaluate.FromDeployment(d, 0), Now: now, Zone: zoneOf(device),
		Environment: evaluate.WinPE, Windows: evaluate.FromWindows(windows),
	})
	for _, r := range verdict.Reasons {
		if r.Rule == "MWN-18" {
			return verdict.Offered, r.Text
		}
	}
	return verdict.Offered, ""
}

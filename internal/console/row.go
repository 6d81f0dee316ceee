package console

import (
	"fmt"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// machineRow is one machine in the words of the page.
type machineRow struct {
	Name, MAC, Firmware   string
	State, StateClass     string
	Deployment, Sequence  string
	Step, Progress        string
	Percent               int
	Message, Remedy       string
	Served                string
	Seen, SeenExact, Took string
}

func rows(list []wire.MachineStatus, now time.Time) []machineRow {
	out := make([]machineRow, 0, len(list))
	for _, m := range list {
		r := machineRow{
			Name: m.Name, MAC: m.MAC, Firmware: string(m.Firmware), Served: m.ServedText,
			State: "idle", StateClass: "idle",
			Seen: ago(now.Sub(m.LastSeen)), SeenExact: m.LastSeen.Format(time.RFC3339),
		}
		if m.Run != nil {
			r.fill(*m.Run, now)
		} else if m.Boot != nil {
			r.State, r.StateClass = "booting", "running"
			if m.Boot.Action == wire.ActionNothing || m.Boot.Action == "" {
				r.State, r.StateClass = "not served", "idle"
			}
		}
		out = append(out, r)
	}
	return out
}

func (r *machineRow) fill(run wire.RunInfo, now time.Time) {
	r.State, r.StateClass = string(run.State), string(run.State)
	r.Deployment, r.Sequence = run.Deployment, run.SequenceName
	r.Step, r.Message, r.Remedy = run.Step, run.LastMessage, run.Remedy
	end := now
	if run.Ended != nil {
		end = *run.Ended
	}
	r.Took = end.Sub(run.Started).Round(time.Second).String()
	if run.Message != "" {
		r.Message = run.Message
	}
	switch {
	case run.State == wire.RunSucceeded:
		r.Percent, r.Progress, r.Step = 100, "done", ""
	case run.State == wire.RunFailed:
		r.Step = run.FailedStep
		r.Progress = fmt.Sprintf("code %d (0x%08X)", run.ExitCode, run.ExitCode)
	case run.Total > 0:
		// The step's own share moves the bar on between two steps.
		r.Percent = min(100, max(0, (max(run.Current, 1)-1)*100+run.Percent)/run.Total)
		r.Progress = fmt.Sprintf("%d of %d", run.Current, run.Total)
		if run.Percent > 0 {
			r.Progress += fmt.Sprintf(", step %d%%", run.Percent)
		}
	}
}

// ago says how long ago something was, coarsely, so that the page does not
// change every second.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

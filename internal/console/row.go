package console

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// bootPatience is how long a machine may be silent on its way from firmware to agent before the page says so. A kernel
// and an initramfs take a minute or two on a slow link.
const bootPatience = 10 * time.Minute

// The classes of a state: how urgent it is to look there.
const (
	classIdle    = "idle"
	classRunning = "running"
	classGood    = "good"
	classBad     = "bad"
)

// summary is the list with its counts.
type summary struct {
	Machines                       []machineRow
	Running, Succeeded, Bad, Other int
}

// machineRow is one machine in the words of the page.
type machineRow struct {
	Key, Name, MAC, Firmware string
	State, Class             string
	Deployment, Sequence     string
	Step, Progress           string
	Percent                  int
	Bar                      bool
	Message, Remedy          string
	Served                   string
	Seen, SeenExact, Took    string
}

func overview(machines []wire.MachineStatus, now time.Time) summary {
	var s summary
	for _, m := range machines {
		r := row(m, now)
		switch r.Class {
		case classRunning:
			s.Running++
		case classGood:
			s.Succeeded++
		case classBad:
			s.Bad++
		default:
			s.Other++
		}
		s.Machines = append(s.Machines, r)
	}
	return s
}

func row(m wire.MachineStatus, now time.Time) machineRow {
	r := machineRow{
		Key: cmp.Or(m.Device, m.MAC), Name: m.Name, MAC: m.MAC, Firmware: strings.ToUpper(string(m.Firmware)), Served: m.ServedText,
		State: "not seen yet", Class: classIdle, Seen: ago(now.Sub(m.LastSeen)), SeenExact: m.LastSeen.Format(time.RFC3339),
	}
	switch {
	case m.Run != nil && !startsOver(m):
		r.run(*m.Run, now)
	case m.Boot != nil:
		r.boot(*m.Boot, now)
	}
	return r
}

// startsOver tells that the machine boots for a next run, so that its last one is history.
func startsOver(m wire.MachineStatus) bool {
	return m.Run.Ended != nil && m.Boot != nil && m.Boot.Run == "" && m.Boot.Started.After(*m.Run.Ended) &&
		(m.Boot.Action == wire.ActionRun || m.Boot.Action == wire.ActionMenu)
}

func (r *machineRow) boot(b wire.Boot, now time.Time) {
	r.Deployment = b.Deployment
	if n := len(b.Answers); n > 0 {
		a := b.Answers[n-1]
		r.Step, r.Message = string(a.Stage), "answer: "+a.Answer
	}
	switch b.Action {
	case wire.ActionRun, wire.ActionResume:
		r.State, r.Class = "booting", classRunning
	case wire.ActionMenu:
		r.State, r.Class = "boot menu", classRunning
	case wire.ActionLocal:
		r.State = "local disk"
		return
	default:
		r.State = "not served"
		return
	}
	if now.Sub(b.Last) > bootPatience {
		r.State, r.Class = "silent", classBad
		r.Remedy = "It was told what to boot and has not come back: look at its screen."
	}
}

func (r *machineRow) run(run wire.RunInfo, now time.Time) {
	r.State, r.Class = string(run.State), classRunning
	r.Deployment, r.Sequence = run.Deployment, run.SequenceName
	r.Step, r.Message, r.Remedy = run.Step, cmp.Or(run.Message, run.LastMessage), run.Remedy
	end := now
	if run.Ended != nil {
		end = *run.Ended
	}
	r.Took = max(0, end.Sub(run.Started)).Round(time.Second).String()
	r.progress(run)
	switch run.State {
	case wire.RunSucceeded:
		r.Class, r.Percent, r.Progress, r.Step, r.Bar = classGood, 100, "", "", false
	case wire.RunFailed:
		r.Class, r.Bar = classBad, false
		r.Step = cmp.Or(run.FailedStep, run.Step)
		r.Progress = fmt.Sprintf("code %d (0x%08X)", run.ExitCode, run.ExitCode)
	case wire.RunStale:
		r.Class = classBad
	case wire.RunCancelled:
		r.Class, r.Bar = classIdle, false
	}
}

func (r *machineRow) progress(run wire.RunInfo) {
	r.Bar = true
	if run.Total <= 0 {
		return
	}
	// The step's own share moves the bar on between two steps.
	share := min(100, max(0, run.Percent))
	r.Percent = min(100, max(0, (max(run.Current, 1)-1)*100+share)/run.Total)
	r.Progress = fmt.Sprintf("%d of %d", run.Current, run.Total)
	if share > 0 {
		r.Progress += fmt.Sprintf(", %d%%", share)
	}
}

// ago says how long ago something was, coarsely, so that the page does not change every second.
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

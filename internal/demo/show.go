package demo

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// watch prints a line whenever a machine gets on, until ctx ends.
func (d *demo) watch(ctx context.Context) {
	last := map[string]string{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list, err := d.stage.Status(ctx)
		if err != nil {
			continue // the appliance may be busy; the next second tells
		}
		for _, m := range list {
			if line := progress(m); line != "" && line != last[m.Name] {
				last[m.Name] = line
				d.say("%s: %s", m.Name, line)
			}
		}
	}
}

// progress is one machine's state in a line. Percents go in steps of ten.
func progress(m wire.MachineStatus) string {
	r := m.Run
	switch {
	case r != nil && r.State == wire.RunSucceeded:
		return "run succeeded"
	case r != nil && r.State != wire.RunRunning:
		return fmt.Sprintf("run %s: %s", r.State, r.Message)
	case r != nil && r.Step != "":
		line := fmt.Sprintf("step %d of %d, %s", r.Current, r.Total, r.Step)
		if p := r.Percent / 10 * 10; p > 0 {
			line += fmt.Sprintf(", %d%%", p)
		}
		return line
	case r != nil:
		return "run started"
	case m.Boot != nil && len(m.Boot.Answers) > 0:
		a := m.Boot.Answers[len(m.Boot.Answers)-1]
		return fmt.Sprintf("%s: %s", a.Stage, a.Answer)
	}
	return ""
}

// table prints the result of each machine.
func (d *demo) table(ctx context.Context, machines []*machine) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	fmt.Fprintln(d.Out)
	w := tabwriter.NewWriter(d.Out, 0, 8, 2, ' ', 0)
	phases := []wire.Phase{wire.PhaseDHCP, wire.PhaseLoader, wire.PhaseKernel, wire.PhaseDownload, wire.PhaseApply, wire.PhaseRestart, wire.PhaseDone}
	fmt.Fprint(w, "MACHINE\tFIRMWARE\tDEPLOYMENT\tRESULT")
	for _, p := range phases {
		fmt.Fprintf(w, "\t%s s", p)
	}
	fmt.Fprintln(w, "\tMB\tHASHES\tLOCAL BOOTS")
	for _, m := range machines {
		run, err := d.stage.Run(ctx, m.spec.Name)
		if err != nil {
			return err
		}
		if run == nil {
			fmt.Fprintf(w, "%s\t%s\t%s\tnever started\n", m.spec.Name, m.spec.Firmware, m.deployment)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s", m.spec.Name, m.spec.Firmware, m.deployment, run.State)
		for _, p := range phases {
			fmt.Fprintf(w, "\t%s", seconds(run.Phases, p))
		}
		fmt.Fprintf(w, "\t%.1f\t%d\t%d\n", float64(run.Bytes)/1e6, run.Hashes, m.localBoots)
	}
	return w.Flush()
}

func seconds(list []wire.PhaseSeconds, phase wire.Phase) string {
	for _, p := range list {
		if p.Phase == phase {
			return fmt.Sprintf("%.1f", p.Seconds)
		}
	}
	return "-"
}

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

const followEvery = 2 * time.Second

func newStatusCommand(env *environment) *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use: "status [DEPLOYMENT]", Short: "Show every machine, or the members of one deployment",
		Long: `Show every machine, or the members of one deployment. With --follow it stays and
prints what changes: for a deployment until every member has ended (exit code 1
when one failed), else until it is interrupted; with --json one object a line.`,
		Example: "  bootyard status BYD20000 --follow",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && follow:
				return followDeployment(cmd.Context(), env, args[0])
			case len(args) == 1:
				return deploymentStatus(cmd.Context(), env, args[0])
			case follow:
				return followMachines(cmd.Context(), env)
			}
			return machineStatus(cmd.Context(), env)
		},
	}
	c.Flags().BoolVar(&follow, "follow", false, "stay and print what changes")
	return c
}

func machineStatus(ctx context.Context, env *environment) error {
	list, err := get[[]wire.MachineStatus](ctx, env, "/status")
	if err != nil {
		return err
	}
	return table[wire.MachineStatus]{
		empty:  "no machines: make one known with 'bootyard device import NAME --mac MAC', or let it boot from the network",
		header: []any{"MACHINE", "FIRMWARE", "DEPLOYMENT", "STATE", "STEP", "LAST SEEN", "MESSAGE"},
		cells:  machineCells,
	}.show(env, list)
}

func machineCells(m wire.MachineStatus) []any {
	if m.Run == nil {
		return []any{m.Name, m.Firmware, "", "", "", when(&m.LastSeen), m.ServedText}
	}
	r := m.Run
	step := r.Step
	if r.Total > 0 {
		step = fmt.Sprintf("%s (%d of %d)", r.Step, r.Current, r.Total)
	}
	text := r.LastMessage
	if r.Message != "" {
		text = r.Message
	}
	return []any{m.Name, m.Firmware, r.Deployment, r.State, step, when(&m.LastSeen), text}
}

func deploymentStatus(ctx context.Context, env *environment, id string) error {
	s, err := get[wire.DeploymentStatus](ctx, env, "/deployments/"+esc(id)+"/status")
	if err != nil {
		return err
	}
	return env.print(s, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "%s %s: %d targeted, %d success, %d in progress, %d error, %d requirements not met, %d unknown\n",
			s.Deployment, oneLine(s.Name), s.Targeted, s.Success, s.InProgress, s.Error, s.RequirementsNotMet, s.Unknown)
		row(w, "DEVICE", "CATEGORY", "STATE", "TEXT")
		for _, m := range s.Members {
			row(w, m.Name, m.Category, m.State, m.Text)
		}
	})
}

// followMachines prints a line for each machine whose state, step or message
// changed, until ctx ends.
func followMachines(ctx context.Context, env *environment) error {
	last := map[string]string{}
	return poll(ctx, func() (bool, error) {
		list, err := get[[]wire.MachineStatus](ctx, env, "/status")
		if err != nil {
			return false, err
		}
		for _, m := range list {
			cells := machineCells(m)
			line := fmt.Sprintf("%v %v: %v %v", cells[0], cells[3], cells[4], cells[6])
			if last[m.Name] != line {
				last[m.Name] = line
				env.tell(m, line)
			}
		}
		return false, nil
	})
}

// followDeployment prints the steps of a deployment's runs until all members
// have ended. A failed member is an error.
func followDeployment(ctx context.Context, env *environment, id string) error {
	last := map[string]string{}
	return poll(ctx, func() (bool, error) {
		s, err := get[wire.DeploymentStatus](ctx, env, "/deployments/"+esc(id)+"/status")
		if err != nil {
			return false, err
		}
		for _, m := range s.Members {
			line := m.Category + ": " + m.Text
			if r := m.Run; r != nil {
				line = fmt.Sprintf("%s: %s (%d of %d) %s", r.State, r.Step, r.Current, r.Total, r.Message)
			}
			if last[m.Device] != line {
				last[m.Device] = line
				env.tell(m, m.Name+" "+line)
			}
		}
		switch {
		case s.Targeted == 0:
			return true, fmt.Errorf("deployment %s has no members: add one with 'bootyard collection add'", id)
		case s.Success+s.Error+s.RequirementsNotMet < s.Targeted:
			return false, nil
		case s.Error > 0:
			return true, fmt.Errorf("%d of %s failed: see 'bootyard run list --deployment %s' and 'bootyard run log RUN'", s.Error, machines(s.Targeted), id)
		case s.RequirementsNotMet > 0:
			return true, fmt.Errorf("%d of %s do not meet the requirements: see 'bootyard status %s'", s.RequirementsNotMet, machines(s.Targeted), id)
		}
		return true, nil
	})
}

// tell prints one change: a line for people, or the object it is about.
func (env *environment) tell(v any, line string) {
	if !env.json {
		fmt.Fprintf(env.out, "%s %s\n", clock(time.Now()), oneLine(line))
		return
	}
	if data, err := json.Marshal(v); err == nil {
		fmt.Fprintf(env.out, "%s\n", data)
	}
}

func poll(ctx context.Context, ask func() (done bool, err error)) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

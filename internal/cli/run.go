package cli

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newRunCommand(env *environment) *cobra.Command {
	show := &cobra.Command{
		Use: "show RUN", Short: "Show one run with its phases", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := get[wire.RunInfo](cmd.Context(), env, "/runs/"+esc(args[0]))
			if err != nil {
				return err
			}
			return printRun(env, r)
		},
	}
	events := &cobra.Command{
		Use: "events RUN", Short: "Show what a run reported, step by step", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := get[[]wire.Event](cmd.Context(), env, "/runs/"+esc(args[0])+"/events")
			if err != nil {
				return err
			}
			return env.print(list, func(w *tabwriter.Writer) {
				row(w, "N", "TIME", "KIND", "PHASE", "GROUP", "STEP", "RESULT", "CODE", "TEXT")
				for _, e := range list {
					row(w, e.Number, when(&e.Time), e.Kind, e.Phase, e.Group, e.Step, e.Result, e.ExitCode, e.Text)
				}
			})
		},
	}
	log := &cobra.Command{
		Use: "log RUN", Short: "Print a run's smsts.log", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.copyFrom(cmd.Context(), apiRoot+"/runs/"+esc(args[0])+"/log")
		},
	}
	return group("run", "Attempts of deployments on devices",
		newRunListCommand(env), show, events, log, newDebugCommand(env), newShellCommand(env))
}

func newRunListCommand(env *environment) *cobra.Command {
	var device, deployment string
	var limit int
	c := listOf(env, "list", "List runs, newest first", func(*cobra.Command, []string) string {
		return "/runs?" + filter("device", device, "deployment", deployment, limit)
	}, table[wire.RunInfo]{
		empty:  "no runs: boot a machine that has a deployment; 'bootyard deployment explain --device DEVICE' says what it would do",
		header: []any{"ID", "DEVICE", "SEQUENCE", "STATE", "STEP", "STARTED", "MESSAGE"},
		cells: func(r wire.RunInfo) []any {
			return []any{r.ID, r.DeviceName, r.SequenceName, r.State, r.Step, when(&r.Started), r.Message}
		},
	})
	c.Flags().StringVar(&device, "device", "", "only those of this device")
	c.Flags().StringVar(&deployment, "deployment", "", "only those of this deployment")
	c.Flags().IntVar(&limit, "limit", 0, "at most this many, up to 1000 (default 100)")
	return c
}

// filter is the query of a list: two names with their values, and a limit.
func filter(name1, value1, name2, value2 string, limit int) string {
	q := url.Values{}
	for name, value := range map[string]string{name1: value1, name2: value2} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q.Encode()
}

func printRun(env *environment, r wire.RunInfo) error {
	return env.print(r, func(w *tabwriter.Writer) {
		row(w, "run", r.ID)
		row(w, "device", r.DeviceName)
		row(w, "deployment", r.Deployment)
		row(w, "sequence", r.SequenceName)
		row(w, "state", r.State)
		row(w, "launched by", r.LaunchMode)
		row(w, "started", when(&r.Started))
		row(w, "ended", when(r.Ended))
		row(w, "last contact", when(&r.LastContact))
		row(w, "step", strings.TrimSpace(fmt.Sprintf("%s (%d of %d)", r.Step, r.Current, r.Total)))
		row(w, "moved", size(r.Bytes))
		row(w, "hashes checked", r.Hashes)
		for _, p := range r.Phases {
			row(w, "phase "+string(p.Phase), fmt.Sprintf("%.1f s", p.Seconds))
		}
		if r.State == wire.RunFailed {
			row(w, "failed step", r.FailedStep)
			row(w, "exit code", fmt.Sprintf("%d (0x%08X)", r.ExitCode, r.ExitCode))
			row(w, "message", r.Message)
			row(w, "what to do", r.Remedy)
		}
	})
}

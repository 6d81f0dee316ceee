package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newRunCommand(env *environment) *cobra.Command {
	show := &cobra.Command{
		Use: "show RUN", Short: "Show one run with its phases", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := get[wire.RunInfo](cmd.Context(), env, "/runs/"+esc(args[0]))
			if err != nil {
				return err
			}
			return printRun(env, r)
		},
	}
	events := &cobra.Command{
		Use: "events RUN", Short: "Show what a run reported, step by step", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := get[[]wire.Event](cmd.Context(), env, "/runs/"+esc(args[0])+"/events")
			if err != nil {
				return err
			}
			return env.print(list, func(w *tabwriter.Writer) {
				row(w, "N", "TIME", "KIND", "STEP", "RESULT", "CODE", "TEXT")
				for _, e := range list {
					row(w, e.Number, e.Time.Local().Format("15:04:05"), e.Kind, e.Step, e.Result, e.ExitCode, e.Text)
				}
			})
		},
	}
	log := &cobra.Command{
		Use: "log RUN", Short: "Print a run's smsts.log", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.client()
			if err != nil {
				return err
			}
			body, err := c.Stream(cmd.Context(), apiRoot+"/runs/"+esc(args[0])+"/log")
			if err != nil {
				return err
			}
			defer body.Close()
			if _, err := io.Copy(env.out, body); err != nil {
				return fmt.Errorf("read log: %w", err)
			}
			return nil
		},
	}
	return group("run", "Attempts of deployments on devices",
		list(env, "list", "List runs, newest first", "/runs",
			[]any{"ID", "DEVICE", "SEQUENCE", "STATE", "STEP", "STARTED", "MESSAGE"},
			func(r wire.RunInfo) []any {
				return []any{r.ID, r.DeviceName, r.SequenceName, r.State, r.Step, when(&r.Started), r.Message}
			}),
		show, events, log)
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

func newBootCommand(env *environment) *cobra.Command {
	show := &cobra.Command{
		Use: "show BOOT", Short: "Show every question of one firmware attempt and its answer", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := get[wire.Boot](cmd.Context(), env, "/boots/"+esc(args[0]))
			if err != nil {
				return err
			}
			return env.print(b, func(w *tabwriter.Writer) {
				row(w, "TIME", "STAGE", "BY", "ASKED", "ANSWER", "WHY")
				for _, a := range b.Answers {
					row(w, a.Time.Local().Format("15:04:05.000"), a.Stage, a.Protocol, a.Asked, a.Answer, a.Reason+inBrackets(a.Rule))
				}
			})
		},
	}
	return group("boot", "Firmware attempts and why each got its answer",
		list(env, "list", "List firmware attempts, newest first", "/boots",
			[]any{"ID", "DEVICE", "MAC", "FIRMWARE", "LAST", "ACTION", "WHY"},
			func(b wire.Boot) []any {
				why := ""
				if n := len(b.Answers); n > 0 {
					why = b.Answers[n-1].Reason
				}
				return []any{b.ID, b.DeviceName, b.MAC, b.Firmware, when(&b.Last), b.Action, why}
			}),
		show)
}

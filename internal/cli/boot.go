package cli

import (
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newBootCommand(env *environment) *cobra.Command {
	show := &cobra.Command{
		Use: "show BOOT", Short: "Show every question of one firmware attempt and its answer", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := get[wire.Boot](cmd.Context(), env, "/boots/"+esc(args[0]))
			if err != nil {
				return err
			}
			return env.print(b, func(w *tabwriter.Writer) {
				row(w, "TIME", "STAGE", "BY", "ASKED", "ANSWER", "WHY")
				for _, a := range b.Answers {
					row(w, a.Time.Local().Format("15:04:05.000 MST"), a.Stage, a.Protocol, a.Asked, a.Answer, a.Reason+inBrackets(a.Rule))
				}
			})
		},
	}
	return group("boot", "Firmware attempts and why each got its answer",
		newBootListCommand(env), show)
}

func newBootListCommand(env *environment) *cobra.Command {
	var device string
	var limit int
	c := listOf(env, "list", "List firmware attempts, newest first", func(*cobra.Command, []string) string {
		return "/boots?" + filter("device", device, "", "", limit)
	}, table[wire.Boot]{
		empty:  "no machine has asked to boot from the network yet; 'bootyard doctor' checks what the appliance needs for it",
		header: []any{"ID", "DEVICE", "MAC", "FIRMWARE", "LAST", "ACTION", "WHY"},
		cells: func(b wire.Boot) []any {
			why := ""
			if n := len(b.Answers); n > 0 {
				why = b.Answers[n-1].Reason
			}
			return []any{b.ID, b.DeviceName, b.MAC, b.Firmware, when(&b.Last), b.Action, why}
		},
	})
	c.Flags().StringVar(&device, "device", "", "only those of this device")
	c.Flags().IntVar(&limit, "limit", 0, "at most this many, up to 1000 (default 100)")
	return c
}

func newAlertCommand(env *environment) *cobra.Command {
	return group("alert", "Conditions that somebody should look at",
		list(env, "List alerts", "/alerts", table[wire.Alert]{
			empty:  "no alerts",
			header: []any{"STATE", "SEVERITY", "LAST", "COUNT", "TEXT"},
			cells:  func(a wire.Alert) []any { return []any{a.State, a.Severity, when(&a.Last), a.Count, a.Text} },
		}))
}

func newMessageCommand(env *environment) *cobra.Command {
	return group("message", "The site's record: who did what, and what happened",
		list(env, "List the record, newest first", "/messages", table[wire.StatusMessage]{
			empty:  "nothing has happened yet",
			header: []any{"TIME", "KIND", "SEVERITY", "ACTOR", "TEXT"},
			cells:  func(m wire.StatusMessage) []any { return []any{when(&m.Time), m.Kind, m.Severity, m.Actor, m.Text} },
		}))
}

package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newWakeCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "wake DEVICE...", Short: "Send wake-up packets now (WOL-7)", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := post[wire.WakeResult](cmd.Context(), env, "/wake", map[string][]string{"devices": args})
			if err != nil {
				return err
			}
			failed := 0
			if err := env.print(r, func(w *tabwriter.Writer) {
				row(w, "DEVICE", "MAC", "SENT TO", "WHY", "ERROR")
				for _, x := range r.Records {
					row(w, x.DeviceName, x.MAC, x.Target, x.Reason, x.Error)
				}
			}); err != nil {
				return err
			}
			for _, x := range r.Records {
				if x.Error != "" {
					failed++
				}
			}
			if failed > 0 {
				return fmt.Errorf("%d wake-up(s) were not sent: mend what the last column says", failed)
			}
			return nil
		},
	}
}

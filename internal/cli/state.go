package cli

import (
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newStateCommand(env *environment) *cobra.Command {
	return group("state", "User state that sequences captured",
		list(env, "List user states", "/states", table[wire.UserState]{
			empty:  "no user states: a sequence captures them with Request State Store and Capture User State",
			header: []any{"ID", "OF", "FOR", "SIZE", "CAPTURED", "RESTORED", "EXPIRES"},
			cells: func(s wire.UserState) []any {
				return []any{s.ID, s.SourceName, s.TargetName, size(s.Size), when(s.Completed), when(s.Restored), when(s.Expires)}
			},
		}),
		&cobra.Command{
			Use: "show STATE", Short: "Show one user state", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				s, err := get[wire.UserState](cmd.Context(), env, "/states/"+esc(args[0]))
				if err != nil {
					return err
				}
				return env.print(s, func(w *tabwriter.Writer) {
					row(w, "id", s.ID)
					row(w, "of", s.SourceName)
					row(w, "for", s.TargetName)
					row(w, "run", s.Run)
					row(w, "size", size(s.Size))
					row(w, "pieces", len(s.Pieces))
					row(w, "begun", when(&s.Created))
					row(w, "captured", when(s.Completed))
					row(w, "restored", when(s.Restored))
					row(w, "released", when(s.Released))
					row(w, "expires", when(s.Expires))
				})
			},
		},
		action(env, "delete STATE", "Delete a user state for good, with its key", http.MethodDelete, at("/states/", ""), "user state %s deleted"),
		&cobra.Command{
			Use: "associate SOURCE TARGET", Short: "Say which machine restores what another captures (USM-3, USM-5)", Args: cobra.ExactArgs(2),
			Long: `Say which machine restores what another captures, from now on and what is there
already. Without it a machine restores its own state. Both are devices, by name or id.`,
			Example: "  bootyard state associate old-07 new-07",
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := act(cmd.Context(), env, http.MethodPost, "/state-associations", wire.StateAssociation{Source: args[0], Target: args[1]}); err != nil {
					return err
				}
				env.say("%s restores the user state of %s", oneLine(args[1]), oneLine(args[0]))
				return nil
			},
		})
}

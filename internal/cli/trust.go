package cli

import (
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newTokenCommand(env *environment) *cobra.Command {
	in := wire.TokenCreate{}
	var scope string
	var lifetime time.Duration
	create := &cobra.Command{
		Use: "create NAME", Short: "Make a token for the command line elsewhere; it is shown once", Args: cobra.ExactArgs(1),
		Example: `  bootyard token create laptop --scope write --ttl 720h > token
  bootyard --url https://10.0.0.1 --ca ca.pem --token-file token device list`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name, in.Scope, in.TTL = args[0], wire.Scope(scope), wire.Duration(lifetime)
			t, err := post[wire.TokenCreated](cmd.Context(), env, "/tokens", in)
			if err != nil {
				return err
			}
			if !env.json {
				fmt.Fprintf(env.err, "token %s, scope %s, expires %s; it is not shown again\n", t.ID, t.Scope, when(&t.Expires))
			}
			return env.print(t, func(w *tabwriter.Writer) { fmt.Fprintln(w, t.Token) })
		},
	}
	create.Flags().StringVar(&scope, "scope", "read", "read, write or admin")
	create.Flags().DurationVar(&lifetime, "ttl", 0, "lifetime (default 90 days)")
	return group("token", "API tokens",
		list(env, "List tokens", "/tokens", table[wire.TokenInfo]{
			empty:  "no tokens: make one with 'bootyard token create NAME --scope read'",
			header: []any{"ID", "NAME", "SCOPE", "EXPIRES", "LAST USED", "REVOKED"},
			cells: func(t wire.TokenInfo) []any {
				return []any{t.ID, t.Name, t.Scope, when(&t.Expires), when(t.LastUsed), when(t.Revoked)}
			},
		}),
		create, action(env, "revoke TOKEN-ID", "Make a token useless at once", http.MethodDelete, at("/tokens/", ""), "token %s is revoked"))
}

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
		Use: "create NAME", Short: "Make a token for the command line elsewhere; it is shown once", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name, in.Scope, in.TTL = args[0], wire.Scope(scope), wire.Duration(lifetime)
			t, err := post[wire.TokenCreated](cmd.Context(), env, "/tokens", in)
			if err != nil {
				return err
			}
			if !env.json {
				fmt.Fprintf(env.err, "scope %s, expires %s; it is not shown again\n", t.Scope, when(&t.Expires))
			}
			return env.print(t, func(w *tabwriter.Writer) { fmt.Fprintln(w, t.Token) })
		},
	}
	create.Flags().StringVar(&scope, "scope", "read", "read, write or admin")
	create.Flags().DurationVar(&lifetime, "ttl", 0, "lifetime (default 90 days)")
	revoke := &cobra.Command{
		Use: "revoke TOKEN-ID", Short: "Make a token useless at once", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(cmd.Context(), env, http.MethodDelete, "/tokens/"+esc(args[0]), nil)
		},
	}
	return group("token", "API tokens",
		list(env, "list", "List tokens", "/tokens",
			[]any{"ID", "NAME", "SCOPE", "EXPIRES", "LAST USED", "REVOKED"},
			func(t wire.TokenInfo) []any {
				return []any{t.ID, t.Name, t.Scope, when(&t.Expires), when(t.LastUsed), when(t.Revoked)}
			}),
		create, revoke)
}

func newSettingsCommand(env *environment) *cobra.Command {
	show := &cobra.Command{
		Use: "show", Short: "Show the site's settings", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := get[wire.Settings](cmd.Context(), env, "/settings")
			if err != nil {
				return err
			}
			return env.print(s, func(w *tabwriter.Writer) {
				row(w, "unknown computers (PXE-1)", yes(s.UnknownComputers))
				row(w, "Wake-on-LAN (WOL-2)", yes(s.WakeOnLAN))
				row(w, "windows apply in WinPE (MWN-18)", yes(s.WindowsApplyInWinPE))
				row(w, "deployment verification: default size (HRD-4)", s.DefaultSize)
				row(w, "deployment verification: maximum size (HRD-5)", s.MaximumSize)
				row(w, "deployment verification: site systems (HRD-6)", s.SiteSystems)
				row(w, "same medium not again within (MED-25)", time.Duration(s.MediaGuard))
				row(w, "agents poll every", time.Duration(s.PollInterval))
			})
		},
	}
	var unknown, wol bool
	set := &cobra.Command{
		Use: "set", Short: "Change settings; only the flags given are changed", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := get[wire.Settings](cmd.Context(), env, "/settings")
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("unknown-computers") {
				s.UnknownComputers = unknown
			}
			if cmd.Flags().Changed("wake-on-lan") {
				s.WakeOnLAN = wol
			}
			return act(cmd.Context(), env, http.MethodPut, "/settings", s)
		},
	}
	set.Flags().BoolVar(&unknown, "unknown-computers", false, "serve machines the site does not know")
	set.Flags().BoolVar(&wol, "wake-on-lan", true, "send wake-up packets")
	return group("settings", "The site's settings", show, set)
}

func newWakeCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "wake DEVICE...", Short: "Send wake-up packets now (WOL-7)", Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := post[wire.WakeResult](cmd.Context(), env, "/wake", map[string][]string{"devices": args})
			if err != nil {
				return err
			}
			return env.print(r, func(w *tabwriter.Writer) {
				row(w, "DEVICE", "MAC", "SENT TO", "WHY", "ERROR")
				for _, x := range r.Records {
					row(w, x.DeviceName, x.MAC, x.Target, x.Reason, x.Error)
				}
			})
		},
	}
}

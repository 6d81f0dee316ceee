package cli

import (
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newProgramCommand(env *environment) *cobra.Command {
	return group("program", "What Install Package runs",
		newProgramAddCommand(env),
		&cobra.Command{
			Use: "list PACKAGE", Short: "List the programs of a package", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				p, err := get[wire.Package](cmd.Context(), env, "/packages/"+esc(args[0]))
				if err != nil {
					return err
				}
				if p.Programs == nil {
					p.Programs = []wire.Program{}
				}
				return programTable.show(env, p.Programs)
			},
		},
		&cobra.Command{
			Use: "remove PACKAGE NAME", Short: "Take a program from a package", Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				if _, err := call[wire.Package](cmd.Context(), env, http.MethodDelete, "/packages/"+esc(args[0])+"/programs/"+esc(args[1]), nil); err != nil {
					return err
				}
				env.say("program %s is no part of package %s any more", oneLine(args[1]), oneLine(args[0]))
				return nil
			},
		})
}

var programTable = table[wire.Program]{
	empty:  "no programs: add one with 'bootyard package program add PACKAGE NAME --command LINE'",
	header: []any{"NAME", "COMMAND", "RUNS", "DYNAMIC", "AFTER"},
	cells: func(p wire.Program) []any {
		runs := p.RunMode
		if p.Disabled {
			runs = "disabled"
		}
		return []any{p.Name, p.Command, runs, yes(p.Dynamic), p.RunFirst}
	},
}

func newProgramAddCommand(env *environment) *cobra.Command {
	in := wire.Program{}
	c := &cobra.Command{
		Use: "add PACKAGE NAME --command LINE", Short: "Add a program to a package, or change the one of that name", Args: cobra.ExactArgs(2),
		Long: `Add a program to a package, or change the one of that name. Its command runs in the
package's folder; a file of the package is not executable there, so a script is started
with its interpreter: sh install.sh. On Linux the line is split without a shell.`,
		Example: "  bootyard package program add BYD00004 Setup --command 'sh install.sh --quiet'",
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[1]
			p, err := post[wire.Package](cmd.Context(), env, "/packages/"+esc(args[0])+"/programs", in)
			if err != nil {
				return err
			}
			return env.print(p.Programs, func(w *tabwriter.Writer) {
				fmt.Fprintf(w, "package %s has %d programs\n", p.ID, len(p.Programs))
			})
		},
	}
	f := c.Flags()
	f.StringVar(&in.Command, "command", "", "command line; may hold %variables% of the sequence")
	f.StringVar(&in.WorkingDir, "dir", "", "working folder below the package's")
	f.StringVar(&in.RunMode, "run", "always", "always, or loggedOn: only while a user is signed in, which no sequence waits for")
	f.StringVar(&in.RunFirst, "run-first", "", "PKGID:Program that must have run on the machine before")
	f.IntVar(&in.MaxMinutes, "minutes", 0, "how long it may run (default 120)")
	f.BoolVar(&in.Dynamic, "dynamic", false, "let any sequence install it by a base variable")
	f.BoolVar(&in.Disabled, "disabled", false, "keep it and do not run it")
	return c
}

package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newSequenceCommand(env *environment) *cobra.Command {
	return group("sequence", "Task sequences",
		list(env, "List task sequences", "/sequences", table[wire.Sequence]{
			empty:  "no task sequences: take one with 'bootyard sequence import FILE'",
			header: []any{"ID", "NAME", "VERSION", "STEPS", "BOOT IMAGE", "DEPLOYS OS", "CAN DEPLOY", "UPDATED"},
			cells: func(s wire.Sequence) []any {
				return []any{s.ID, s.Name, s.Version, s.Steps, s.BootImage, yes(s.DeploysOS), yes(s.CanDeploy && s.Enabled), when(&s.Updated)}
			},
		}),
		newSequenceShowCommand(env), newSequenceImportCommand(env), newSequenceExportCommand(env), newSequenceConvertCommand(env), newSequenceLintCommand(env), newSequenceSimulateCommand(env),
		action(env, "enable SEQUENCE", "Let a sequence run where it is deployed (TSV-10)", http.MethodPost, at("/sequences/", "/enable"), "%s enabled"),
		action(env, "disable SEQUENCE", "Keep a sequence from starting anywhere (TSV-10)", http.MethodPost, at("/sequences/", "/disable"), "%s disabled"),
		action(env, "delete SEQUENCE", "Delete a task sequence", http.MethodDelete, at("/sequences/", ""), "task sequence %s deleted"))
}

func newSequenceShowCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "show SEQUENCE", Short: "Show a sequence, what it needs and what keeps it from being deployed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := get[wire.Sequence](cmd.Context(), env, "/sequences/"+esc(args[0]))
			if err != nil {
				return err
			}
			return env.print(s, func(w *tabwriter.Writer) {
				row(w, "id", s.ID)
				row(w, "name", s.Name)
				row(w, "version", s.Version)
				row(w, "steps", s.Steps)
				row(w, "boot image", s.BootImage)
				row(w, "deploys an OS", yes(s.DeploysOS))
				row(w, "enabled", yes(s.Enabled))
				row(w, "longest run", fmt.Sprint(s.MaxRunMinutes, " minutes"))
				for _, r := range s.References {
					row(w, "needs "+r.Kind, r.ID+inBrackets(r.Step))
				}
				for _, r := range s.Invalid {
					row(w, "cannot be deployed", r.Text+inBrackets(r.Rule))
				}
				row(w, "updated", when(&s.Updated))
			})
		},
	}
}

func newSequenceExportCommand(env *environment) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "export SEQUENCE", Short: "Print a sequence as XML or YAML", Args: cobra.ExactArgs(1),
		Example: "  bootyard sequence export BYD00003 > debian.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch format {
			case "xml":
			case "yaml":
				var xml bytes.Buffer
				plain := *env
				plain.out = &xml
				if err := plain.copyFrom(cmd.Context(), apiRoot+"/sequences/"+esc(args[0])+"/export"); err != nil {
					return err
				}
				text, err := asYAML(xml.Bytes())
				if err != nil {
					return fmt.Errorf("sequence %s: %w", args[0], err)
				}
				return env.deliver("", text)
			default:
				return wrongUsage("--format %q is not xml or yaml", format)
			}
			return env.copyFrom(cmd.Context(), apiRoot+"/sequences/"+esc(args[0])+"/export")
		},
	}
	c.Flags().StringVar(&format, "format", "xml", "xml or yaml")
	return c
}

func newSequenceImportCommand(env *environment) *cobra.Command {
	in := wire.SequenceImport{}
	c := &cobra.Command{
		Use: "import FILE...", Short: "Take task sequences from XML, YAML or zip files", Args: cobra.MinimumNArgs(1),
		Long: `Take task sequences from files: a bare <sequence>, the object.xml or the zip of an
export of Configuration Manager, an MDT ts.xml, or YAML (docs/sequences.md). A zip
may hold several sequences, parents and their children; --boot-image is for those
that no other one runs, since a child may have none. A sequence that
refers to something that is not there is stored, and says so; it can be deployed
once that is there.`,
		Example: "  bootyard sequence import debian.xml --name \"Debian 12\" --boot-image BYD00001",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 && (in.ID != "" || in.Name != "") {
				return wrongUsage("--id and --name are for one file; %d are given", len(args))
			}
			for _, file := range args {
				if err := env.importFile(cmd.Context(), file, in); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "name (default: that in the file, or the file's own)")
	f.StringVar(&in.ID, "id", "", "keep this id if it is free")
	f.StringVar(&in.BootImage, "boot-image", "", "boot image id (a sequence without one deploys no OS), or none to take it away")
	f.BoolVar(&in.Replace, "replace", false, "replace the sequence of the same id")
	return c
}

func (env *environment) importFile(ctx context.Context, file string, in wire.SequenceImport) error {
	all, err := readSequences(file)
	if err != nil {
		return err
	}
	if len(all) > 1 && (in.ID != "" || in.Name != "") {
		return wrongUsage("--id and --name are for one sequence; %s holds %d", file, len(all))
	}
	for _, one := range all {
		one.ID, one.Replace = in.ID, in.Replace
		if !one.child || in.BootImage == wire.NoBootImage { // TS-120: a child has none
			one.BootImage = in.BootImage
		}
		switch {
		case in.Name != "":
			one.Name = in.Name
		case in.Replace:
			one.Name = "" // a new version is no new name
		}
		s, err := post[wire.Sequence](ctx, env, "/sequences", one.SequenceImport)
		if err != nil {
			return fmt.Errorf("import %s: %w", file, err)
		}
		if err := env.print(s, func(w *tabwriter.Writer) {
			row(w, s.ID, s.Name, fmt.Sprint("version ", s.Version), fmt.Sprint(s.Steps, " step(s)"))
			for _, r := range s.Invalid {
				fmt.Fprintf(w, "  cannot be deployed: %s%s\n", oneLine(r.Text), inBrackets(r.Rule))
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

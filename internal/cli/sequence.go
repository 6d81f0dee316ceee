package cli

import (
	"bytes"
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
	var format, out string
	var content bool
	c := &cobra.Command{
		Use: "export SEQUENCE", Short: "Print a sequence as XML or YAML, or export it with all it needs", Args: cobra.ExactArgs(1),
		Long: `Print a sequence as XML or YAML. --format zip writes the zip of an export: the
sequence, those that it runs, and the packages that they need; with --content their
files go to NAME_files beside NAME.zip. Passwords that stand in steps come along.`,
		Example: "  bootyard sequence export BYD00003 > debian.xml\n  bootyard sequence export BYD00003 --format zip --out debian.zip --content",
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "zip" && (content || out != "") {
				return wrongUsage("--out and --content are for --format zip")
			}
			switch format {
			case "zip":
				return env.exportArchive(cmd.Context(), args[0], out, content)
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
				return wrongUsage("--format %q is not xml, yaml or zip", format)
			}
			return env.copyFrom(cmd.Context(), apiRoot+"/sequences/"+esc(args[0])+"/export")
		},
	}
	c.Flags().StringVar(&format, "format", "xml", "xml, yaml or zip")
	c.Flags().StringVar(&out, "out", "", "zip to write")
	c.Flags().BoolVar(&content, "content", false, "write the files of the packages too")
	return c
}

func newSequenceImportCommand(env *environment) *cobra.Command {
	in, duplicates := wire.SequenceImport{}, ""
	c := &cobra.Command{
		Use: "import FILE...", Short: "Take task sequences from XML, YAML or zip files", Args: cobra.MinimumNArgs(1),
		Long: `Take task sequences from files: a bare <sequence>, the object.xml or the zip of an
export of Configuration Manager, an MDT ts.xml, or YAML (docs/sequences.md). A zip
may hold several sequences, parents and their children; --boot-image is for those
that no other one runs, since a child may have none. A sequence that
refers to something that is not there is stored, and says so; it can be deployed
once that is there.

--duplicates says what becomes of an object that is here already: ignore leaves it
(what a zip does without the flag), overwrite stores a new version, new makes another
sequence. Packages of a zip are taken from NAME_files beside NAME.zip.`,
		Example: "  bootyard sequence import debian.xml --name \"Debian 12\" --boot-image BYD00001",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 && (in.ID != "" || in.Name != "") {
				return wrongUsage("--id and --name are for one file; %d are given", len(args))
			}
			switch duplicates {
			case "", duplicatesIgnore:
			case duplicatesOverwrite:
				in.Replace = true
			case duplicatesNew:
				in.New = true
			default:
				return wrongUsage("--duplicates %q is not ignore, overwrite or new", duplicates)
			}
			for _, file := range args {
				if err := env.importFile(cmd, file, duplicates, in); err != nil {
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
	f.StringVar(&duplicates, "duplicates", "", "what is here already: ignore, overwrite or new (default for a zip: ignore)")
	return c
}

func (env *environment) importFile(cmd *cobra.Command, file, duplicates string, in wire.SequenceImport) error {
	ctx := cmd.Context()
	all, packages, err := readSequences(file)
	if err != nil {
		return err
	}
	if isZip(file) && duplicates == "" && !in.Replace && in.ID == "" {
		duplicates = duplicatesIgnore
	}
	if in.New && len(all) > 1 {
		return wrongUsage("--duplicates new is for one sequence; %s holds %d, which name each other by their ids", file, len(all))
	}
	if err := env.importPackages(cmd, file, duplicates, packages); err != nil {
		return err
	}
	if len(all) > 1 && (in.ID != "" || in.Name != "") {
		return wrongUsage("--id and --name are for one sequence; %s holds %d", file, len(all))
	}
	for _, one := range all {
		one.ID, one.Replace, one.New = in.ID, in.Replace, in.New
		if duplicates == duplicatesIgnore && one.packageID != "" {
			if old, err := get[wire.Sequence](ctx, env, "/sequences/"+esc(one.packageID)); err == nil {
				env.say("%s  %s: is here already and stays as it is", old.ID, oneLine(old.Name))
				continue
			} else if !notFound(err) {
				return err
			}
		}
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

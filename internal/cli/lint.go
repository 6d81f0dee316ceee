package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/tsengine/lint"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/yamlform"
)

func newSequenceLintCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "lint FILE|SEQUENCE", Short: "Name what is wrong, dangerous or pointless in a sequence", Args: cobra.ExactArgs(1),
		Long: `Name what is wrong, dangerous or pointless in a task sequence, each with its rule, its
place and a remedy. A FILE (XML, YAML or a zip with several) needs no appliance.
docs/lint.md lists what is looked for.

The exit code is 1 when there is an error, 0 when there are warnings and notes only.`,
		Example: "  bootyard sequence lint client.yaml\n  bootyard sequence lint export.zip --json\n  bootyard sequence lint BYD00003",
		RunE: func(cmd *cobra.Command, args []string) error {
			source := args[0]
			var all []*sequence.Sequence
			children := map[string]*sequence.Sequence{}
			data, err := readLimited(source)
			switch {
			case errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(source, `/\.`):
				s, err := env.fetchSequence(cmd.Context(), source)
				if err != nil {
					return fmt.Errorf("there is no file %s, and from the appliance: %w", source, err)
				}
				if err := env.fetchChildren(cmd.Context(), s, children); err != nil {
					return err
				}
				all = []*sequence.Sequence{s}
			case err != nil:
				return err
			default:
				if all, err = yamlform.Read(data); err != nil {
					return fmt.Errorf("%s: %w", source, err)
				}
			}
			for _, s := range all {
				if s.PackageID != "" && len(all) > 1 {
					children[s.PackageID] = s
				}
			}
			return env.printFindings(source, findings(all, children))
		},
	}
}

// findings checks each sequence once; those of a zip are each other's children.
func findings(all []*sequence.Sequence, children map[string]*sequence.Sequence) []lint.Finding {
	if len(all) == 1 {
		return lint.Run(all[0], lint.Options{Children: children})
	}
	out := []lint.Finding{}
	for _, s := range all {
		for _, f := range lint.Run(s, lint.Options{Children: children}) {
			if f.Sequence == "" { // those of the others come with them
				f.Sequence = s.PackageID
				out = append(out, f)
			}
		}
	}
	return out
}

// printFindings groups by severity, worst first.
func (env *environment) printFindings(source string, found []lint.Finding) error {
	if found == nil {
		found = []lint.Finding{}
	}
	counts := map[lint.Severity]int{}
	for _, f := range found {
		counts[f.Severity]++
	}
	err := env.print(found, func(w *tabwriter.Writer) {
		for _, severity := range []lint.Severity{lint.Error, lint.Warning, lint.Note} {
			if counts[severity] == 0 {
				continue
			}
			fmt.Fprintf(w, "%s\n", map[lint.Severity]string{lint.Error: "errors", lint.Warning: "warnings", lint.Note: "notes"}[severity])
			for _, f := range found {
				if f.Severity == severity {
					fmt.Fprintf(w, "  %s: %s (%s, %s)\n      %s\n", oneLine(placeOf(f)), oneLine(f.Text), f.Rule, f.Check, oneLine(f.Remedy))
				}
			}
		}
		if len(found) == 0 {
			fmt.Fprintf(w, "%s: nothing found\n", source)
			return
		}
		fmt.Fprintf(w, "%s: %d error(s), %d warning(s), %d note(s)\n", source, counts[lint.Error], counts[lint.Warning], counts[lint.Note])
	})
	if err == nil && counts[lint.Error] > 0 {
		err = fmt.Errorf("%s has %d error(s); repair them before it is deployed", source, counts[lint.Error])
	}
	return err
}

func placeOf(f lint.Finding) string {
	place := "sequence"
	if f.Sequence != "" {
		place = "sequence " + f.Sequence
	}
	if f.Pointer >= 0 {
		name := f.Name
		if name == "" {
			name = "(no name)"
		}
		place = fmt.Sprintf("%d %s", f.Pointer, name)
		if f.Sequence != "" {
			place = f.Sequence + " " + place
		}
	}
	if f.Line > 0 {
		place += fmt.Sprintf(" (line %d)", f.Line)
	}
	return place
}

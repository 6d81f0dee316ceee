package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// ignoredID is an entry of the site's list (PXE-4, PXE-5).
type ignoredID struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
	Note  string `json:"note,omitempty"`
}

// ignoredKinds are what an entry may be, with what it does.
var ignoredKinds = []string{"mac", "uuid", "excluded"}

func newIgnoredIDsCommand(env *environment) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List duplicate hardware ids and excluded MACs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ids, err := get[[]ignoredID](cmd.Context(), env, "/ignored-ids")
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				fmt.Fprintln(env.err, "no entries: add one with 'bootyard settings ignored-ids add KIND VALUE'")
			}
			return env.print(ids, func(w *tabwriter.Writer) {
				if len(ids) > 0 {
					row(w, "KIND", "VALUE", "NOTE")
				}
				for _, i := range ids {
					row(w, i.Kind, i.Value, i.Note)
				}
			})
		},
	}
	var note string
	add := &cobra.Command{
		Use: "add KIND VALUE", Short: "Add a MAC address or an SMBIOS UUID to the list", Args: cobra.ExactArgs(2),
		Example: "  bootyard settings ignored-ids add mac 00:50:b6:12:34:56 --note 'dock on the bench'\n" +
			"  bootyard settings ignored-ids add uuid 11111111-2222-3333-4444-555555555555\n  bootyard settings ignored-ids add excluded 52:54:00:12:34:56",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ignoredKind(args[0]); err != nil {
				return err
			}
			return act(cmd.Context(), env, http.MethodPost, "/ignored-ids", ignoredID{Kind: args[0], Value: args[1], Note: note})
		},
	}
	add.Flags().StringVar(&note, "note", "", "why")
	remove := &cobra.Command{
		Use: "remove KIND VALUE", Short: "Take an entry off the list", Args: cobra.ExactArgs(2),
		Example: "  bootyard settings ignored-ids remove mac 00:50:b6:12:34:56",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ignoredKind(args[0]); err != nil {
				return err
			}
			return act(cmd.Context(), env, http.MethodDelete, "/ignored-ids/"+args[0]+"/"+url.PathEscape(args[1]), nil)
		},
	}
	c := group("ignored-ids", "Duplicate hardware ids (PXE-5) and MACs that get no answer (PXE-4)", list, add, remove)
	c.Long = `The site's list of identifiers that say nothing about a machine, and of machines
that are left alone. It counts from the next question on.

  mac       a MAC that moves between machines, such as that of a dock: the
            machine is known by its SMBIOS UUID only (PXE-5)
  uuid      an SMBIOS UUID that several machines have: they are known by their
            MACs only (PXE-5)
  excluded  a MAC that gets no answer at all, without exception (PXE-4)`
	return c
}

func ignoredKind(kind string) error {
	for _, k := range ignoredKinds {
		if k == kind {
			return nil
		}
	}
	return wrongUsage("kind %q is not one of %s", kind, strings.Join(ignoredKinds, ", "))
}

package cli

import (
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newCollectionCommand(env *environment) *cobra.Command {
	const folder = "/collections/"
	return group("collection", "Sets of devices",
		list(env, "List collections", "/collections", table[wire.Collection]{
			empty:  "no collections: make one with 'bootyard collection create NAME DEVICE...'",
			header: []any{"ID", "NAME", "MEMBERS", "LIMITED BY", "BUILT IN"},
			cells: func(c wire.Collection) []any {
				return []any{c.ID, c.Name, c.MemberCount, c.Limiting, yes(c.BuiltIn)}
			},
		}),
		newCollectionCreateCommand(env), newCollectionShowCommand(env),
		newMembershipCommand(env, "add", "Add devices as direct members", http.MethodPut),
		newMembershipCommand(env, "remove", "Take devices out", http.MethodDelete),
		newVariableSetCommand(env, "COLLECTION", folder), newVariableListCommand(env, "COLLECTION", folder),
		action(env, "delete COLLECTION", "Delete a collection; its devices stay", http.MethodDelete, at(folder, ""), "collection %s deleted"),
		action(env, "clear-pxe COLLECTION", "Clear required PXE deployments of all members (PXE-17)",
			http.MethodPost, at(folder, "/clear-pxe"), "boot the members of %s from the network to start their newest Required deployment"),
	)
}

func newCollectionCreateCommand(env *environment) *cobra.Command {
	in := wire.CollectionCreate{}
	c := &cobra.Command{
		Use: "create NAME [DEVICE...]", Short: "Make a collection with direct members", Args: cobra.MinimumNArgs(1),
		Example: "  bootyard collection create \"Room 12\" lab-01 lab-02",
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name, in.Members = args[0], args[1:]
			made, err := post[wire.Collection](cmd.Context(), env, "/collections", in)
			if err != nil {
				return err
			}
			return env.print(made, func(w *tabwriter.Writer) { row(w, made.ID, made.Name, members(made.MemberCount)) })
		},
	}
	c.Flags().StringVar(&in.Limiting, "limit", "", "limiting collection (default All Systems)")
	c.Flags().StringVar(&in.Comment, "comment", "", "comment")
	c.Flags().IntVar(&in.Priority, "priority", 0, "priority of its variables")
	return c
}

func members(n int) string {
	if n == 1 {
		return "1 member"
	}
	return fmt.Sprintf("%d members", n)
}

func newCollectionShowCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "show COLLECTION", Short: "Show the members of a collection", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := get[[]wire.Device](cmd.Context(), env, "/collections/"+esc(args[0])+"/members")
			if err != nil {
				return err
			}
			return table[wire.Device]{
				empty:  "no members: add one with 'bootyard collection add COLLECTION DEVICE'",
				header: []any{"NAME", "MAC", "UUID"},
				cells:  func(d wire.Device) []any { return []any{d.Name, firstOf(d.MACs), d.UUID} },
			}.show(env, found)
		},
	}
}

func newMembershipCommand(env *environment, verb, short, method string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " COLLECTION DEVICE...", Short: short, Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, device := range args[1:] {
				if err := act(cmd.Context(), env, method, "/collections/"+esc(args[0])+"/members/"+esc(device), nil); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

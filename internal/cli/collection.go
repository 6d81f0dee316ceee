package cli

import (
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func errf(format string, args ...any) error { return fmt.Errorf(format, args...) }

func newCollectionCommand(env *environment) *cobra.Command {
	return group("collection", "Sets of devices",
		list(env, "list", "List collections", "/collections",
			[]any{"ID", "NAME", "MEMBERS", "LIMITED BY", "BUILT IN"},
			func(c wire.Collection) []any {
				return []any{c.ID, c.Name, c.MemberCount, c.Limiting, yes(c.BuiltIn)}
			}),
		newCollectionCreateCommand(env), newCollectionShowCommand(env),
		membership(env, "add", "Add devices as direct members", http.MethodPut),
		membership(env, "remove", "Take devices out", http.MethodDelete),
		variableCommand(env, "COLLECTION", "/collections/"),
	)
}

func newCollectionCreateCommand(env *environment) *cobra.Command {
	in := wire.CollectionCreate{}
	c := &cobra.Command{
		Use: "create NAME [DEVICE...]", Short: "Make a collection with direct members", Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name, in.Members = args[0], args[1:]
			made, err := post[wire.Collection](cmd.Context(), env, "/collections", in)
			if err != nil {
				return err
			}
			return env.print(made, func(w *tabwriter.Writer) { row(w, made.ID, made.Name, made.MemberCount) })
		},
	}
	c.Flags().StringVar(&in.Limiting, "limit", "", "limiting collection (default All Systems)")
	c.Flags().StringVar(&in.Comment, "comment", "", "comment")
	c.Flags().IntVar(&in.Priority, "priority", 0, "priority of its variables")
	return c
}

func newCollectionShowCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "show COLLECTION", Short: "Show the members of a collection", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			members, err := get[[]wire.Device](cmd.Context(), env, "/collections/"+esc(args[0])+"/members")
			if err != nil {
				return err
			}
			return env.print(members, func(w *tabwriter.Writer) {
				row(w, "NAME", "MAC", "UUID")
				for _, d := range members {
					row(w, d.Name, firstOf(d.MACs), d.UUID)
				}
			})
		},
	}
}

func membership(env *environment, verb, short, method string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " COLLECTION DEVICE...", Short: short, Args: atLeast(2),
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

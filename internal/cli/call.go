package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

const apiRoot = "/api/v1"

// get asks for path and decodes the answer.
func get[T any](ctx context.Context, env *environment, path string) (T, error) {
	return call[T](ctx, env, http.MethodGet, path, nil)
}

// post sends in and decodes the answer.
func post[T any](ctx context.Context, env *environment, path string, in any) (T, error) {
	return call[T](ctx, env, http.MethodPost, path, in)
}

func call[T any](ctx context.Context, env *environment, method, path string, in any) (T, error) {
	var out T
	c, err := env.client()
	if err == nil {
		err = c.Do(ctx, method, apiRoot+path, in, &out)
	}
	return out, err
}

// act sends a request whose answer says nothing beyond "done".
func act(ctx context.Context, env *environment, method, path string, in any) error {
	c, err := env.client()
	if err != nil {
		return err
	}
	return c.Do(ctx, method, apiRoot+path, in, nil)
}

// table is a list as people see it. Empty is the hint for a list of nothing.
type table[T any] struct {
	empty  string
	header []any
	cells  func(T) []any
}

// show prints items, or what to do when there is none.
func (t table[T]) show(env *environment, items []T) error {
	if len(items) == 0 && !env.json {
		fmt.Fprintln(env.err, t.empty)
		return nil
	}
	return env.print(items, func(w *tabwriter.Writer) {
		row(w, t.header...)
		for _, i := range items {
			row(w, t.cells(i)...)
		}
	})
}

// list is a command that prints one table.
func list[T any](env *environment, short, path string, t table[T]) *cobra.Command {
	return listOf(env, "list", short, func(*cobra.Command, []string) string { return path }, t)
}

func listOf[T any](env *environment, use, short string, path func(*cobra.Command, []string) string, t table[T]) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			items, err := get[[]T](cmd.Context(), env, path(cmd, args))
			if err != nil {
				return err
			}
			return t.show(env, items)
		},
	}
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: holder}
	c.AddCommand(children...)
	return c
}

// action is a command that does one thing to what it names and says so.
func action(env *environment, use, short, method string, path func(string) string, done string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := act(cmd.Context(), env, method, path(esc(args[0])), nil); err != nil {
				return err
			}
			env.say(done, oneLine(args[0]))
			return nil
		}}
}

// at is the path of something below a folder of the API.
func at(folder, suffix string) func(string) string {
	return func(id string) string { return folder + id + suffix }
}

func esc(id string) string { return url.PathEscape(id) }

// confirmation finds what the API wants agreed to, if that is why it refused.
func confirmation(err error) *wire.Confirmation {
	var p *wire.Problem
	if errors.As(err, &p) {
		return p.Confirm
	}
	return nil
}

package cli

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

const apiRoot = "/api/v1"

// get asks for path and decodes the answer.
func get[T any](ctx context.Context, env *environment, path string) (T, error) {
	var out T
	c, err := env.client()
	if err == nil {
		err = c.Do(ctx, http.MethodGet, apiRoot+path, nil, &out)
	}
	return out, err
}

// post sends in and decodes the answer.
func post[T any](ctx context.Context, env *environment, path string, in any) (T, error) {
	var out T
	c, err := env.client()
	if err == nil {
		err = c.Do(ctx, http.MethodPost, apiRoot+path, in, &out)
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

// list is a command that prints one table.
func list[T any](env *environment, use, short, path string, header []any, cells func(T) []any) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			items, err := get[[]T](cmd.Context(), env, path)
			if err != nil {
				return err
			}
			return env.print(items, func(w *tabwriter.Writer) {
				row(w, header...)
				for _, i := range items {
					row(w, cells(i)...)
				}
			})
		},
	}
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usageError{errors.New("name one of its commands; see '" + c.CommandPath() + " --help'")}
		}}
	c.AddCommand(children...)
	return c
}

// exactly wraps cobra's argument check so that a wrong count is wrong usage.
func exactly(n int) cobra.PositionalArgs { return usage(cobra.ExactArgs(n)) }

func atLeast(n int) cobra.PositionalArgs { return usage(cobra.MinimumNArgs(n)) }

func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{errors.New(err.Error() + "; usage: " + c.UseLine())}
		}
		return nil
	}
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

package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

// completionTime bounds how long the shell waits for names.
const completionTime = 2 * time.Second

// completeNames lets the shell complete what c and the commands below it take,
// by the words of their usage lines.
func (env *environment) completeNames(c *cobra.Command) {
	if words := strings.Fields(c.Use); len(words) > 1 && c.ValidArgsFunction == nil {
		c.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			word := words[min(len(args)+1, len(words)-1)]
			if len(args)+1 >= len(words) && !strings.Contains(word, "...") {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return env.names(cmd.Context(), strings.Trim(word, "[].")) // [DEVICE...] is DEVICE
		}
	}
	for _, child := range c.Commands() {
		env.completeNames(child)
	}
}

// names lists what word of a usage line may stand for.
func (env *environment) names(ctx context.Context, word string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	var names []string
	switch word {
	case "FILE", "DIR", "FILE-OR-DIR", "CONFIG":
		return nil, cobra.ShellCompDirectiveDefault
	case "DEVICE", "RUN|DEVICE":
		names = named(ctx, env, "/devices", func(d wire.Device) string { return d.Name })
	case "COLLECTION":
		names = named(ctx, env, "/collections", func(c wire.Collection) string { return c.ID + "\t" + c.Name })
	case "SEQUENCE":
		names = named(ctx, env, "/sequences", func(s wire.Sequence) string { return s.ID + "\t" + s.Name })
	case "DEPLOYMENT":
		names = named(ctx, env, "/deployments", func(d wire.Deployment) string { return d.ID + "\t" + d.Name })
	case "PACKAGE":
		names = named(ctx, env, "/packages", func(p wire.Package) string { return p.ID + "\t" + p.Name })
	case "APPLICATION":
		names = named(ctx, env, "/applications", func(a wire.Application) string { return a.Name })
	case "RUN":
		names = named(ctx, env, "/runs", func(r wire.RunInfo) string { return r.ID + "\t" + r.DeviceName })
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// named lists one line for each thing at path; without an appliance there is
// nothing to complete, and the command itself will say so.
func named[T any](ctx context.Context, env *environment, path string, name func(T) string) []string {
	items, err := get[[]T](ctx, env, path)
	if err != nil {
		return nil
	}
	var out []string
	for _, i := range items {
		out = append(out, strings.ReplaceAll(name(i), "\n", " "))
	}
	return out
}

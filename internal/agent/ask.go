package agent

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// maxTyped bounds a typed value (TS-81).
const maxTyped = variable.MaxValue

// ask is the wizard's page for variables without a value (TS-17): who chose the sequence at the machine, or confirmed a
// medium, types them, and they beat all other sources (TS-82). A run that nobody started by hand asks nothing, because
// nobody may be there: such variables stay unset.
func (a *BootAgent) ask(ctx context.Context, run *wire.Run) error {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(run.Variables)) {
		if run.Variables[name] == "" && variable.CheckUserName(name) == nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 || !a.attended || a.config.Keys == nil {
		return nil
	}
	say := a.config.Console.Say
	say("%s needs %d value(s). Type each and press Enter; nothing leaves it without a value.", run.SequenceName, len(names))
	a.config.Keys.Drop()
	waiting, cancel := context.WithTimeout(ctx, policyPatience)
	defer cancel()
	for _, name := range names {
		secret := variable.IsSecretName(name) || slices.ContainsFunc(run.Secret, func(s string) bool { return strings.EqualFold(s, name) })
		line := a.config.Keys.Line
		if secret {
			line = a.config.Keys.Secret
		}
		for {
			say("%s:", name)
			value, err := line(waiting)
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				say("nobody typed for a day: the run goes on without")
				return nil //nolint:nilerr // the patience is over, not the run
			}
			if len([]rune(value)) <= maxTyped {
				run.Variables[name] = value
				break
			}
			say("a value has at most %d characters", maxTyped)
		}
	}
	return nil
}

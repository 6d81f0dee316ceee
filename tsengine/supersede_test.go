package tsengine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
)

// Supersedence: what is to be uninstalled is, once and before the new one; a retired one ends it (TS-46).
func TestSupersedenceTS46(t *testing.T) {
	for name, c := range map[string]struct {
		there  bool
		change func(*wire.Application)
		want   []string
		error  string
	}{
		"the old one is there":     {true, nil, []string{"exit 0 -Old", "exit 0 New"}, ""},
		"the old one is not there": {false, nil, []string{"exit 0 New"}, ""},
		"a restart between":        {true, func(a *wire.Application) { a.Types[0].Uninstall = "exit 3010 -Old" }, []string{"exit 3010 -Old", "exit 0 New"}, ""},
		"it fails":                 {true, func(a *wire.Application) { a.Types[0].Uninstall = "exit 5 no" }, []string{"exit 5 no"}, "uninstall command ended with exit code 5"},
		"it stays":                 {true, func(a *wire.Application) { a.Types[0].Uninstall = "exit 0 no" }, []string{"exit 0 no"}, "still detected"},
		"no command":               {true, func(a *wire.Application) { a.Types[0].Uninstall = "" }, nil, "no uninstall command"},
		"retired":                  {true, func(a *wire.Application) { a.Retired = true }, nil, "retired (TS-46)"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			old, next := app(dir, "Old", "never", func(d *wire.DeploymentType) { d.Uninstall = "exit 0 -Old" }), app(dir, "New", "exit 0 New")
			next.Supersedes = []wire.Supersedence{{Application: "Old", Uninstall: true}, {Application: "Elsewhere"}}
			if c.change != nil {
				c.change(&old)
			}
			if c.there {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "Old"), nil, 0o600))
			}
			install := touch(dir)
			r, log := installing(t, &offer{apps: []wire.Application{old, next}}, func(line string) {
				if strings.HasSuffix(line, "-Old") {
					_ = os.Remove(filepath.Join(dir, "Old"))
				} else {
					install(line)
				}
			}, appStep(hidden("ApplicationName", "New")))
			require.Equal(t, c.want, r.commands.lines, log)
			require.Contains(t, r.result.Error, c.error)
			require.Equal(t, c.error == "", r.result.Outcome == tsengine.Succeeded, r.result.Error)
		})
	}
}

// removable is content that can be given back.
type removable struct {
	content
	gone []string
}

func (r *removable) Remove(_ context.Context, id string) (bool, error) {
	r.gone = append(r.gone, id)
	return true, nil
}

// OSDAppClearCache takes the content of an application away after it was installed.
func TestOSDAppClearCache(t *testing.T) {
	for value, want := range map[string][]string{"true": {"BYD00006"}, "false": nil, "": nil} {
		dir, c := t.TempDir(), &removable{content: content{&bench{}}}
		r := execute(t, parse(t, appStep(hidden("ApplicationName", "New"), item("OSDAppClearCache", value))), func(config *tsengine.Config) {
			config.Machine.Content, config.Machine.Software, config.Machine.Commands = c, &offer{apps: []wire.Application{app(dir, "New", "exit 0 New")}}, &commands{on: touch(dir)}
		})
		require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
		require.Equal(t, want, c.gone)
		require.Equal(t, want == nil, r.engine.Variables().Value("_SMSTSBYD00006") != "")
	}
}

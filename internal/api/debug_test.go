package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// TestDBG6OnlyAdministratorsDebug: neither another scope nor another machine gets near a run in debug mode.
func TestDBG6OnlyAdministratorsDebug(t *testing.T) {
	b := newBench(t)
	d := b.Device("lab-01", 1)
	b.Device("lab-02", 2)
	dep := b.Deploy(wire.DeploymentSpec{TaskSequence: b.Sequence("os", true).ID, Collection: b.Collection("lab", d).ID, Purpose: wire.Required,
		MakeAvailableTo: wire.MediaAndPXE, Debug: true})
	a, other := b.boot(t, 1), b.boot(t, 2)
	run := a.claim(dep.ID, "k")
	write := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "writer", Scope: wire.ScopeWrite})
	admin := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "ann", Scope: wire.ScopeAdmin})
	report := wire.DebugReport{DebugStanding: wire.DebugStanding{Environment: wire.WinPE, Paused: true}, Tree: []wire.DebugNode{{Name: "one"}}}
	for _, path := range []string{wire.PathDebug, wire.PathShellIn, wire.PathShellOut} {
		status, data := other.ask("POST", strings.ReplaceAll(runPath(path, run.ID), "{shell}", "x"), report)
		require.Equal(t, 404, status, "%s: %s", path, data)
	}
	status, data := a.ask("POST", runPath(wire.PathDebug, run.ID), report)
	require.Equal(t, 200, status, "%s", data)
	for _, c := range []struct {
		method, path string
		in           any
	}{
		{"GET", "/debug", nil}, {"POST", "/debug", wire.DebugAsk{Action: "step"}}, {"POST", "/shells", wire.ShellOpen{}},
		{"POST", "/shells/x/input", wire.ShellChunk{}}, {"GET", "/shells/x/output", nil},
	} {
		status, data := b.call(t, write.Token, c.method, "/api/v1/runs/"+run.ID+c.path, c.in)
		require.Equal(t, 403, status, "%s: %s", c.path, data)
		status, data = b.call(t, admin.Token, c.method, "/api/v1/runs/"+run.ID+c.path, c.in)
		require.Contains(t, []int{200, 404}, status, "%s: %s", c.path, data)
	}
	status, data = b.call(t, admin.Token, "GET", "/api/v1/runs/lab-01/debug", nil)
	require.Equal(t, 200, status)
	view := decode[wire.DebugView](t, data)
	require.Equal(t, []string{"ann"}, view.Attached)
	require.Equal(t, "ann", view.Last.By)
}

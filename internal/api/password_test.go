package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// PXE-23: until the password is given the session is good for nothing else, and
// the password is in no answer.
func TestPXE23LockedSession(t *testing.T) {
	const password = "correct horse battery"
	b := newBench(t)
	b.Device("lab-01", 1)
	must := func(method, path string, in any) {
		status, data := b.local(t, method, path, in)
		require.Less(t, status, 300, "%s", data)
	}
	must("PUT", "/api/v1/settings/pxe-password", wire.Password{Password: password})
	a := b.boot(t, 1)
	require.True(t, a.session.PasswordNeeded)
	run := "0192f000-0000-7000-8000-000000000001"
	for path, method := range map[string]string{wire.PathPolicy: "POST", wire.PathRuns: "POST", runPath(wire.PathRun, run): "GET", runPath(wire.PathCheckpoint, run): "PUT",
		runPath(wire.PathEvents, run): "POST", runPath(wire.PathLog, run): "PUT", runPath(wire.PathFinish, run): "POST", runPath(wire.PathResume, run): "POST",
		strings.Replace(wire.PathContent, "{package}", "BYD00001", 1): "GET"} {
		status, data := a.ask(method, path, map[string]any{})
		require.Equal(t, 403, status, "%s %s: %s", method, path, data)
		require.Equal(t, "PXE-23", decode[wire.Problem](t, data).Rule)
	}
	status, _ := a.ask("POST", wire.PathPassword, wire.Password{Password: "wrong horse"})
	require.Equal(t, 403, status)
	a.ok("POST", wire.PathPassword, wire.Password{Password: password})
	require.Equal(t, wire.ActionNothing, a.policy(wire.PolicyRequest{Environment: wire.WinPE}).Action)
	must("GET", "/api/v1/settings", nil)
	require.NotContains(t, b.seen.String(), password)
	must("PUT", "/api/v1/settings/pxe-password", wire.Password{})
	require.False(t, b.boot(t, 1).session.PasswordNeeded)
}

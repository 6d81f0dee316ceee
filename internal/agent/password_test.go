package agent_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
)

const pxePassword = "correct horse battery"

// PXE-23: the agent asks before it is told any deployment, a few times, then with a pause.
func TestPXE23PasswordIsAskedFirst(t *testing.T) {
	o := newOffered(t)
	require.NoError(t, o.site.SetPXEPassword(o.site.Ctx, pxePassword))
	o.byNetwork(t, o.listed.ID)
	keys := &typed{lines: []string{"wrong one 1", "wrong one 2", "wrong one 3", pxePassword}}
	told := false
	keys.asked = func() {
		told = told || strings.Contains(o.screen.String(), "listed") || strings.Contains(o.screen.String(), o.listed.ID)
	}
	o.config.Keys = keys
	began := o.clock.Now()
	require.NoError(t, o.boot(context.Background()), o.screen.String())
	require.False(t, told, "no deployment is told before")
	require.Equal(t, []string{"echo listed"}, o.commands.All())
	require.Contains(t, o.screen.String(), "3 wrong passwords; the next try is possible in 1m0s")
	require.GreaterOrEqual(t, o.clock.Now().Sub(began).Seconds(), 60.0)
	require.NotContains(t, o.screen.String()+o.site.Log.String(), pxePassword)
	require.NotContains(t, o.screen.String()+o.site.Log.String(), "wrong one")
}

func TestPXE23NobodyCanType(t *testing.T) {
	o := newOffered(t)
	require.NoError(t, o.site.SetPXEPassword(o.site.Ctx, pxePassword))
	o.byNetwork(t, o.listed.ID)
	err := o.boot(context.Background())
	require.Error(t, err)
	agent.Explain(o.config.Console, err)
	require.Contains(t, o.screen.String(), "asks for its PXE password, and nobody can type here (PXE-23)")
	require.Contains(t, o.screen.String(), "or from a medium")
	require.Empty(t, o.commands.All())
	messages, err := o.site.Messages(o.site.Ctx, "")
	require.NoError(t, err)
	told := false
	for _, m := range messages {
		told = told || strings.Contains(m.Text, "nobody can type here")
	}
	require.True(t, told, "the appliance knows why the machine waits")
}

func TestPXE23MediaAreNotAsked(t *testing.T) {
	o := newOffered(t)
	require.NoError(t, o.site.SetPXEPassword(o.site.Ctx, pxePassword))
	o.from(t, true, o.hidden.ID)
	require.NoError(t, o.boot(context.Background()), o.screen.String())
	require.Equal(t, []string{"echo hidden"}, o.commands.All())
}

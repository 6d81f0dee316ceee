package agent_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// expire has the appliance forget the session until another one is opened.
func (a *appliance) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	opened := len(a.sessions)
	a.fail = func(r *http.Request) int {
		if r.URL.Path != wire.PathSession && !strings.HasPrefix(r.URL.Path, "/blobs/") && len(a.sessions) == opened {
			return http.StatusUnauthorized
		}
		return 0
	}
}

func TestSessionThatExpiredIsOpenedAnew(t *testing.T) {
	t.Run("installed", func(t *testing.T) {
		i := newInstalled(t)
		i.addPackage("BYD00003", "run.sh", "echo hello")
		i.run.SequenceXML = sequenceOf(command("first", "echo one"), packageCommand("use it", "BYD00003", "sh run.sh"))
		i.commands.On = func(_ context.Context, c machine.Command) {
			if c.Line == "echo one" {
				i.expire()
			}
		}
		c := candidate()
		c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
		i.offer(c)
		require.NoError(t, i.at(t, start))
		require.Equal(t, []string{"echo one", "sh run.sh"}, i.commands.All())
		require.Len(t, i.sessions, 2)
		require.Equal(t, clientToken, i.sessions[1].ClientToken)
	})
	t.Run("medium", func(t *testing.T) {
		b := newBench(t)
		b.config.Boot.Token = ""
		b.config.Boot.Media = &wire.Media{ID: "m1", Token: "media-secret", Unattended: true}
		b.run.SequenceXML = sequenceOf(command("first", "echo one"), command("second", "echo two"))
		b.commands.On = func(_ context.Context, c machine.Command) {
			if c.Line == "echo one" {
				b.expire()
			}
		}
		require.NoError(t, b.boot(context.Background()))
		require.True(t, b.finish.Succeeded)
		require.Len(t, b.sessions, 2)
	})
}

func TestSessionThatIsOverSaysSo(t *testing.T) {
	b := newBench(t)
	b.run.SequenceXML = sequenceOf(command("first", "echo one"), command("second", "echo two"))
	b.commands.On = func(context.Context, machine.Command) { b.expire() }
	err := b.boot(context.Background())
	require.Error(t, err)
	agent.Explain(b.config.Console, err)
	require.Equal(t, []string{"echo one"}, b.commands.All(), "no step without the appliance's state")
	require.Contains(t, b.screen.String(), "no longer takes this agent's session")
	require.Contains(t, b.screen.String(), "start the machine from the network again: the run goes on where it was")
	noSecrets(t, b.screen.String())
}

func TestRestartThatTheMachineRefuses(t *testing.T) {
	i := newInstalled(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo one"), restartStep(), command("second", "echo two"))
	c := candidate()
	c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	i.offer(c)
	i.machine.Stuck = errors.New("somebody inhibits it")
	for range 2 {
		require.ErrorContains(t, i.at(t, start), "somebody inhibits it")
		require.Equal(t, []string{"echo one"}, i.commands.All(), "what comes after the restart waits for it")
	}
	i.machine.Stuck = nil
	require.ErrorIs(t, i.at(t, start), agent.ErrRestarting)
	i.open(t)
	require.NoError(t, i.at(t, start))
	require.Equal(t, []string{"echo one", "echo two"}, i.commands.All())
}

package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/agenttest"
	"github.com/bootyard/bootyard/internal/wire"
)

// killer is a clock in whose first long wait the agent is killed.
type killer struct {
	*agenttest.Clock
	kill context.CancelFunc
}

func (k *killer) Sleep(ctx context.Context, d time.Duration) error {
	if k.kill != nil && d >= time.Minute {
		k.kill()
		k.kill = nil
	}
	return k.Clock.Sleep(ctx, d)
}

func delayedRestart(target string) string {
	return `<step type="SMS_TaskSequence_RebootAction" name="restart" successCodeList="0"><action>smsboot.exe /target:` + target + `</action><defaultVarList><variable name="SMSRebootTarget" property="Target" hidden="true">` +
		target + `</variable><variable name="SMSRebootTimeout" property="MessageTimeout">60</variable></defaultVarList></step>`
}

// TS-110, TS-112a: an agent that is killed while a restart waits for its delay restarts the machine when it is back; the
// steps behind the restart do not run without it.
func TestTS112aKilledBeforeARestart(t *testing.T) {
	t.Run("fullos", func(t *testing.T) {
		i := newInstalled(t)
		i.run.SequenceXML = sequenceOf(command("first", "echo one"), delayedRestart("HD"), command("second", "echo two"))
		c := candidate()
		c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
		i.offer(c)
		ctx, kill := context.WithCancel(t.Context())
		i.config.Clock = &killer{i.clock, kill}
		i.open(t)
		require.Error(t, i.agent.RunOnce(ctx))
		require.Zero(t, i.machine.Restarts)
		i.open(t)
		require.ErrorIs(t, i.at(t, start.Add(time.Minute)), agent.ErrRestarting)
		require.Equal(t, 1, i.machine.Restarts)
		require.Equal(t, []string{"echo one"}, i.commands.All())
		i.open(t)
		require.NoError(t, i.at(t, start.Add(2*time.Minute)))
		require.Equal(t, []string{"echo one", "echo two"}, i.commands.All())
	})
	t.Run("winpe", func(t *testing.T) {
		b := newBench(t)
		b.run.SequenceXML = sequenceOf(command("first", "echo one"), delayedRestart("WinPE"), command("second", "echo two"))
		b.run.BootImage = "BYD00009"
		ctx, kill := context.WithCancel(t.Context())
		b.config.Clock = &killer{b.clock, kill}
		require.Error(t, b.boot(ctx))
		require.Zero(t, b.machine.Restarts)
		b.policy = func(wire.PolicyRequest) wire.Policy {
			return wire.Policy{Action: wire.ActionResume, ActiveRun: b.run.ID}
		}
		require.NoError(t, b.boot(t.Context()))
		require.Equal(t, 1, b.machine.Restarts)
		require.Equal(t, []string{"echo one"}, b.commands.All())
		b.config.Dir, b.bootUsed = t.TempDir(), false // the restart empties the RAM, and the loader gets a new token
		require.NoError(t, b.boot(t.Context()))
		require.Equal(t, []string{"echo one", "echo two"}, b.commands.All())
		require.True(t, b.finish.Succeeded)
	})
}

package agent_test

import (
	"context"
	"net/http"
	"path/filepath"
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

// MWN-13: a restart that waits for its window is not carried out when the run was cancelled meanwhile; one whose appliance
// does not answer is (TS-118a).
func TestMWN13RestartOfACancelledRun(t *testing.T) {
	for name, cancelled := range map[string]bool{"cancelled": true, "appliance away": false} {
		t.Run(name, func(t *testing.T) {
			i := newInstalled(t)
			i.run.SequenceXML = sequenceOf(command("first", "echo one"), restartStep(), command("second", "echo two"))
			c := candidate()
			c.InstallOutsideWindow = true
			c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
			opens := start.Add(5 * time.Hour)
			i.policy = func(wire.PolicyRequest) wire.Policy {
				p := wire.Policy{Action: wire.ActionNothing, Windows: []wire.Window{{Name: "night", Length: 60, AppliesTo: "all",
					Schedule: wire.Assignment{Kind: wire.Once, Start: &wire.Moment{At: opens, UTC: true}}}}}
				if !i.cancelled {
					p.Candidates = []wire.Candidate{c}
				}
				return p
			}
			require.ErrorContains(t, i.at(t, start), "MWN-13")
			if !cancelled {
				i.fail = func(*http.Request) int { return http.StatusServiceUnavailable }
				require.ErrorIs(t, i.at(t, opens), agent.ErrRestarting)
				return
			}
			i.cancelled = true
			require.NoError(t, i.at(t, opens))
			require.Zero(t, i.machine.Restarts)
			require.NoDirExists(t, filepath.Join(i.config.Dir, "run"))
			require.NoError(t, i.at(t, opens.Add(time.Minute)))
			require.Equal(t, []string{"echo one"}, i.commands.All())
		})
	}
}

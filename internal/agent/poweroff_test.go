package agent_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

type preparation struct{}

func (preparation) PrepareOS(context.Context) ([]string, error) { return nil, nil }

// Prepare Windows for Capture may switch the machine off instead of restarting it; the run then waits for the boot
// environment.
func TestPreparedSystemIsSwitchedOff(t *testing.T) {
	i := newInstalled(t)
	i.config.Local = machine.Capabilities{Preparation: preparation{}}
	i.open(t)
	i.run.BootImage = "BYD00009"
	i.run.SequenceXML = sequenceOf(`<step type="SMS_TaskSequence_PrepareOSAction" name="prepare" successCodeList="0"><action/><defaultVarList><variable name="OSDShutdownPreparedOs">true</variable></defaultVarList></step>`, command("second", "echo two"))
	c := candidate()
	c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	i.offer(c)
	require.ErrorIs(t, i.at(t, start), agent.ErrRestarting)
	require.Equal(t, 1, i.machine.Offs)
	require.Zero(t, i.machine.Restarts)
	require.Empty(t, i.commands.All())
}

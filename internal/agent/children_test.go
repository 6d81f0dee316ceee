package agent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// TestTS46DisabledChild: a child that is disabled at the site fails the run,
// continue on error or not; one that is not runs.
func TestTS46DisabledChild(t *testing.T) {
	child := `<subtasksequence type="SMS_TaskSequence_SubTasksequence" name="child" continueOnError="true" successCodeList="0"><action>SubTasksequence.exe</action>` +
		`<defaultVarList><variable name="OSDSubTasksequencePackageID">BYD00009</variable></defaultVarList></subtasksequence>`
	for name, c := range map[string]struct {
		disabled []string
		ran      []string
		says     string
	}{
		"disabled": {[]string{"BYD00009"}, nil, "child task sequence BYD00009 is disabled"},
		"enabled":  {nil, []string{"echo child", "echo after"}, wire.MarkRunSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstalled(t)
			i.run.SequenceXML = sequenceOf(child, command("after", "echo after"))
			i.run.Children = map[string]string{"BYD00009": sequenceOf(command("inside", "echo child"))}
			i.run.DisabledChildren = c.disabled
			offered := candidate()
			offered.Assignments = []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: start.Add(time.Hour), UTC: true}}}
			i.offer(offered)
			require.NoError(t, i.at(t, start.Add(time.Hour)))
			require.Equal(t, c.ran, i.commands.All())
			require.Contains(t, i.screen.String(), c.says)
		})
	}
}

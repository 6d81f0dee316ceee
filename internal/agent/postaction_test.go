package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// TS-122: SMSTSPostAction is started last, expanded, once, after success and after failure, in both environments.
func TestTS122PostAction(t *testing.T) {
	setPost := `<step type="SMS_TaskSequence_SetVariableAction" name="post" successCodeList="0"><action/><defaultVarList><variable name="VariableName" hidden="true">SMSTSPostAction</variable><variable name="VariableValue" hidden="true">bye %Who%</variable></defaultVarList></step>`
	for name, line := range map[string]string{"success": "exit 0", "failure": "exit 5"} {
		succeeds := line == "exit 0"
		body := sequenceOf(setPost, command("first", line))
		t.Run("full OS "+name, func(t *testing.T) {
			i := newInstalled(t)
			i.run.Variables, i.run.SequenceXML = map[string]string{"Who": "all"}, body
			offered := candidate()
			offered.Assignments = []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: start.Add(time.Hour), UTC: true}}}
			offered.Rerun = wire.RerunNever
			i.offer(offered)
			require.NoError(t, i.at(t, start.Add(time.Hour)))
			require.Equal(t, []string{line, "detached: bye all"}, i.commands.All())
			require.NoError(t, i.at(t, start.Add(61*time.Minute)))
			require.Len(t, i.commands.All(), 2, "once")
		})
		t.Run("boot environment "+name, func(t *testing.T) {
			b := newBench(t)
			b.run.Variables, b.run.SequenceXML = map[string]string{"Who": "all"}, body
			require.Equal(t, succeeds, b.boot(context.Background()) == nil)
			require.Equal(t, []string{line, "detached: bye all"}, b.commands.All())
		})
	}
}

package tsengine_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// shown is a machine.Scripts that keeps the run.
type shown struct {
	run    machine.ScriptedRun
	hidden int
	err    error
}

func (s *shown) Show(run machine.ScriptedRun) (func(), error) {
	s.run = run
	return func() { s.hidden++ }, s.err
}

// What a script reads and sets while its step runs is the run's; the next step and its condition see it (TS-95).
func TestTS95Scripts(t *testing.T) {
	screen := &shown{}
	calls := &commands{on: func(line string) {
		if line != "script" {
			return
		}
		require.Equal(t, "a-Secret-1", screen.run.Variable("osdjoinpassword"))
		require.Empty(t, screen.run.Variable("NoSuch"))
		require.Contains(t, screen.run.VariableNames(), "Gone")
		require.NoError(t, screen.run.SetVariable("OSDComputerName", "X"))
		require.NoError(t, screen.run.SetVariable("Gone", ""))
		require.ErrorIs(t, screen.run.SetVariable("_SMSTSMake", "no"), variable.ErrReadOnly)
		screen.run.Progress(5, 10, "half done")
		screen.run.Message("the password is a-Secret-1")
	}}
	s := parse(t, setVariable("Gone", "here")+setVariable("OSDJoinPassword", "a-Secret-1")+command("script", "script", "")+
		`<group name="g">`+variableCondition("Gone", "notExists", "")+command("after", "echo %OSDComputerName%", "")+`</group>`)
	r := execute(t, s, func(c *tsengine.Config) {
		c.Machine.Commands, c.Machine.Scripts = calls, screen
	})
	require.Equal(t, tsengine.Succeeded, r.result.Outcome)
	require.Equal(t, []string{"script", "echo X"}, calls.lines)
	require.Equal(t, 1, screen.hidden)
	seen := map[tsengine.Kind]string{}
	for _, e := range r.recorder.events {
		if e.Kind == tsengine.StepProgress || e.Kind == tsengine.ScriptMessage {
			require.Equal(t, "script", e.Name)
			seen[e.Kind] = e.Reason
		}
	}
	require.Equal(t, map[tsengine.Kind]string{tsengine.StepProgress: "half done", tsengine.ScriptMessage: "the password is ********"}, seen)
	screen.run.Message("after the end") // of a script that outlives its step: nobody is told, nothing breaks
	require.Len(t, seen, 2)
}

// A machine on which the objects cannot be had runs sequences all the same.
func TestTS95NoObjects(t *testing.T) {
	r := execute(t, parse(t, command("a", "one", "")), func(c *tsengine.Config) {
		c.Machine.Scripts = &shown{err: errors.New("no COM here")}
	})
	require.Equal(t, tsengine.Succeeded, r.result.Outcome)
}

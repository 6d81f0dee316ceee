package tsengine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/step"
	"github.com/bootyard/bootyard/tsengine/variable"
)

func variables(t *testing.T, pairs ...string) *variable.Environment {
	t.Helper()
	env := variable.New()
	for i := 0; i < len(pairs); i += 2 {
		require.NoError(t, env.Set(pairs[i], pairs[i+1]))
	}
	return env
}

// person is a Debugger that says a script: words as at the prompt. When it is at its end the run stops as in a kill.
type person struct {
	script []string
	number uint64
	at     []string // where it was paused: "pointer" or "pointer!code"
	stood  []tsengine.Standing
}

var errScriptEnds = errors.New("the script ends")

func (p *person) Next(_ context.Context, at tsengine.Standing) (tsengine.DebugCommand, error) {
	p.number = max(p.number, at.Taken)
	p.stood = append(p.stood, at)
	if !at.Paused {
		return tsengine.DebugCommand{}, nil
	}
	where := fmt.Sprint(at.Pointer)
	if at.Failed != nil {
		where += fmt.Sprintf("!%d", at.Failed.Code)
	}
	p.at = append(p.at, where)
	if len(p.script) == 0 {
		return tsengine.DebugCommand{}, errScriptEnds
	}
	p.number++
	c := tsengine.DebugCommand{Number: p.number, By: "ann"}
	_, _ = fmt.Sscanf(p.script[0], "%s %d", &c.Action, &c.Pointer)
	p.script = p.script[1:]
	return c, nil
}

func (p *person) last() tsengine.Standing { return p.stood[len(p.stood)-1] }

// debug runs a sequence in the debugger.
func debug(t *testing.T, s *sequence.Sequence, p *person, change func(*tsengine.Config)) run {
	t.Helper()
	return execute(t, s, func(c *tsengine.Config) {
		c.Debugger, c.Debug = p, true
		if change != nil {
			change(c)
		}
	})
}

// numbered is a group (pointer 0) with three commands (1 to 3).
func numbered(t *testing.T, lines ...string) *sequence.Sequence {
	t.Helper()
	body := `<group name="g">`
	for i, line := range lines {
		body += command(fmt.Sprint("step", i+1), line, "")
	}
	return parse(t, body+`</group>`)
}

func TestDebuggerControls(t *testing.T) {
	for _, c := range []struct {
		name   string
		lines  []string
		script string
		ran    string
		at     string
		code   uint32
	}{
		{"DBG-3 step goes node by node", []string{"a", "b", "c"}, "step,step,step,step", "a b c", "0 1 2 3", 0},
		{"DBG-3 run goes to the end", []string{"a", "b", "c"}, "run", "a b c", "0", 0},
		{"DBG-3 run goes to a break", []string{"a", "b", "c"}, "break 2,run,run", "a b c", "0 0 2", 0},
		{"DBG-3 clear break", []string{"a", "b", "c"}, "break 2,break 3,clear 2,run,step", "a b c", "0 0 0 0 3", 0},
		{"DBG-3 clear all breaks", []string{"a", "b", "c"}, "break 2,break 3,clear-all,run", "a b c", "0 0 0 0", 0},
		{"DBG-3 set current skips", []string{"a", "b", "c"}, "goto 3,step", "c", "0 3", 0},
		{"DBG-3 set current repeats", []string{"a", "b", "c"}, "step,step,goto 1,run", "a a b c", "0 1 2 1", 0},
		{"DBG-3 cancel fails the sequence", []string{"a", "b", "c"}, "step,step,cancel", "a", "0 1 2", step.CodeCancelled},
		{"DBG-3 quit lets it go on", []string{"a", "b", "c"}, "break 3,step,quit", "a b c", "0 0 1", 0},
		{"TS-50 DBG-4 a failed step can be retried", []string{"a", "exit 7", "c"}, "run,retry,skip,step", "a exit 7 exit 7 c", "0 2!7 2!7 3", 0},
		{"DBG-4 run after a failure tries again", []string{"a", "exit 7", "c"}, "run,run,skip,run", "a exit 7 exit 7 c", "0 2!7 2!7 3", 0},
		{"DBG-4 set current leaves a failure", []string{"a", "exit 7", "c"}, "run,goto 3,run", "a exit 7 c", "0 2!7 3", 0},
		{"DBG-4 a failure takes its course", []string{"a", "exit 7", "c"}, "run,fail", "a exit 7", "0 2!7", 7},
		{"DBG-3 quit at a failure fails", []string{"a", "exit 7", "c"}, "run,quit", "a exit 7", "0 2!7", 7},
		{"skip without a failure", []string{"a", "b", "c"}, "step,skip,run", "b c", "0 1 2", 0},
		{"skip a group", []string{"a", "b"}, "skip", "", "0", 0},
		{"what makes no sense is refused", []string{"a"}, "goto 9,goto -1,retry,fail,dance,run", "a", "0 0 0 0 0 0", 0},
		{"DBG-6 nobody attached", []string{"a"}, "abandon", "", "0", step.CodeCancelled},
		{"DBG-6 nobody attached to a failure", []string{"exit 7"}, "run,abandon", "exit 7", "0 1!7", 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &person{script: strings.Split(c.script, ",")}
			r := debug(t, numbered(t, c.lines...), p, nil)
			require.Equal(t, c.ran, strings.Join(r.commands.lines, " "))
			require.Equal(t, c.at, strings.Join(p.at, " "))
			require.Equal(t, c.code, r.result.ExitCode)
			require.Equal(t, c.code != 0, r.result.Outcome == tsengine.Failed)
			require.Empty(t, p.script)
		})
	}
}

func TestDebuggerStarts(t *testing.T) {
	t.Run("DBG-2 by TSDebugMode", func(t *testing.T) {
		p := &person{script: []string{"run"}}
		r := execute(t, numbered(t, "a"), func(c *tsengine.Config) {
			c.Debugger, c.Variables = p, variables(t, "TSDebugMode", "TRUE")
		})
		require.Equal(t, []string{"0"}, p.at)
		require.Equal(t, []string{"a"}, r.commands.lines)
	})
	t.Run("TS-173 TSDebugMode without anybody to attach changes nothing", func(t *testing.T) {
		r := execute(t, numbered(t, "a"), func(c *tsengine.Config) { c.Variables = variables(t, "TSDebugMode", "TRUE") })
		require.Equal(t, tsengine.Succeeded, r.result.Outcome)
	})
	t.Run("DBG-2 by TSDebugOnError at the first error that nobody ignores", func(t *testing.T) {
		p := &person{script: []string{"skip", "step"}}
		r := execute(t, parse(t, command("ignored", "exit 3", `continueOnError="true"`)+setVariable("TSDebugOnError", "TRUE")+
			`<group name="g" continueOnError="true">`+command("inside", "exit 4", "")+`</group>`+
			command("fatal", "exit 5", "")+command("after", "exit 6", `continueOnError="true"`)), func(c *tsengine.Config) { c.Debugger = p })
		require.Equal(t, []string{"4!5", "5"}, p.at)
		require.Equal(t, tsengine.Succeeded, r.result.Outcome)
		require.Contains(t, r.recorder.trace(), "fatal:debugger-paused")
	})
	t.Run("without debug mode a failure ends it", func(t *testing.T) {
		p := &person{}
		r := execute(t, numbered(t, "exit 7"), func(c *tsengine.Config) { c.Debugger = p })
		require.Equal(t, tsengine.Failed, r.result.Outcome)
		require.Empty(t, p.stood)
	})
	t.Run("after quit an error ends it", func(t *testing.T) {
		p := &person{script: []string{"quit"}}
		r := debug(t, numbered(t, "a", "exit 7"), p, func(c *tsengine.Config) { c.Variables = variables(t, "TSDebugOnError", "TRUE") })
		require.EqualValues(t, 7, r.result.ExitCode)
		require.Equal(t, []string{"0"}, p.at)
	})
}

// TestDBG5StepsIntoChildren: child sequences are shown in place and stepped through (TS-173).
func TestDBG5StepsIntoChildren(t *testing.T) {
	child := parse(t, command("inner", "b", ""))
	s := parse(t, command("outer", "a", "")+`<subtasksequence name="child" type="SMS_TaskSequence_SubTaskSequence"><action/><defaultVarList><variable name="OSDSubTasksequencePackageID" hidden="true">BYD00009</variable></defaultVarList></subtasksequence>`+command("last", "c", ""))
	p := &person{script: []string{"step", "step", "break 3", "run", "run"}}
	r := debug(t, s, p, func(c *tsengine.Config) { c.Children = map[string]*sequence.Sequence{"BYD00009": child} })
	require.Equal(t, []string{"0", "1", "2", "2", "3"}, p.at)
	require.Equal(t, []string{"a", "b", "c"}, r.commands.lines)
	tree := r.engine.Tree()
	require.Len(t, tree, 4)
	require.Equal(t, "inner", tree[2].Name)
	require.Equal(t, 1, tree[2].Depth)
	require.Equal(t, "subtasksequence", tree[1].Kind)
}

// killed runs until the script is at its end, where the agent dies, and goes on from what the store has.
func killed(t *testing.T, s *sequence.Sequence, first, second []string) (*person, run) {
	t.Helper()
	p := &person{script: first}
	c := &commands{}
	kept := &store{}
	config := tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: kept, Debugger: p, Debug: true}
	config.Machine.Commands = c
	engine, err := tsengine.New(config)
	require.NoError(t, err)
	_, err = engine.Run(t.Context())
	require.ErrorIs(t, err, errScriptEnds)
	again := &person{script: second}
	r := execute(t, s, func(o *tsengine.Config) {
		o.Checkpoint, o.Debugger, o.Store, o.Machine.Commands = kept.last(t), again, kept, c
	})
	r.commands = c
	return again, r
}

func TestDebuggerSurvives(t *testing.T) {
	t.Run("DBG-7 OPN-8 breaks and mode over a kill while paused", func(t *testing.T) {
		p, r := killed(t, numbered(t, "a", "b", "c"), []string{"break 3", "step", "step"}, []string{"run", "step"})
		require.Equal(t, []string{"2", "3"}, p.at)
		require.Equal(t, []int{3}, p.stood[0].Breaks)
		require.EqualValues(t, 3, p.stood[0].Taken, "commands are numbered and not taken twice")
		require.Equal(t, []string{"a", "b", "c"}, r.commands.lines)
	})
	t.Run("DBG-4 a failure over a kill, retried knowingly", func(t *testing.T) {
		p, r := killed(t, numbered(t, "a", "exit 7", "c"), []string{"run"}, []string{"retry", "skip", "run"})
		require.Equal(t, []string{"2!7", "2!7", "3"}, p.at)
		require.Equal(t, []string{"a", "exit 7", "exit 7", "c"}, r.commands.lines)
	})
	t.Run("DBG-3 detached over a kill", func(t *testing.T) {
		p := &person{script: []string{"quit"}}
		r := debug(t, numbered(t, "a"), p, nil)
		c := r.store.last(t)
		require.True(t, c.Debug.Quit)
		require.False(t, c.Debug.On)
	})
	t.Run("TS-112a an interrupted step waits for the person's word", func(t *testing.T) {
		s := numbered(t, "a", "b")
		kept := &store{}
		p := &person{script: []string{"step", "step"}}
		ctx, cancel := context.WithCancel(t.Context())
		c := &commands{on: func(string) { cancel() }} // dies in the middle of a
		config := tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: diesWith{kept, ctx}, Debugger: p, Debug: true}
		config.Machine.Commands = c
		engine, err := tsengine.New(config)
		require.NoError(t, err)
		_, _ = engine.Run(ctx)
		require.True(t, kept.last(t).Started)
		again := &person{script: []string{"retry", "run"}}
		r := execute(t, s, func(o *tsengine.Config) { o.Checkpoint, o.Debugger = kept.last(t), again })
		require.Equal(t, []string{fmt.Sprintf("1!%d", step.CodeInterrupted), "2"}, again.at)
		require.Equal(t, []string{"a", "b"}, r.commands.lines, "run again because a person said so, and only then")
	})
}

// diesWith keeps nothing once its context has ended, like a machine without power.
type diesWith struct {
	*store
	alive context.Context
}

func (d diesWith) Save(ctx context.Context, c tsengine.Checkpoint) error {
	if d.alive.Err() != nil {
		return d.alive.Err()
	}
	return d.store.Save(ctx, c)
}

func TestDBG5VariablesAreMasked(t *testing.T) {
	p := &person{script: []string{"run"}}
	r := debug(t, numbered(t, "exit 0"), p, func(c *tsengine.Config) { c.Variables = variables(t, "OSDJoinPassword", "hush-hush", "Plain", "seen") })
	text := fmt.Sprint(r.engine.Variables().List())
	require.Contains(t, text, "seen")
	require.NotContains(t, text, "hush-hush")
}

func TestCommandsAreTakenOnce(t *testing.T) {
	p := &repeats{}
	r := execute(t, numbered(t, "a", "b", "c"), func(c *tsengine.Config) { c.Debugger, c.Debug = p, true })
	require.Equal(t, []string{"a", "b", "c"}, r.commands.lines)
	require.Equal(t, 7, p.asked, "four nodes, and three commands that came again")
}

// repeats delivers every command twice.
type repeats struct{ asked int }

func (r *repeats) Next(context.Context, tsengine.Standing) (tsengine.DebugCommand, error) {
	r.asked++
	return tsengine.DebugCommand{Number: uint64(r.asked+1) / 2, Action: tsengine.DebugStep}, nil
}

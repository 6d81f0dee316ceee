package tsengine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/step"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// One table of small sequences: what runs, and how it ends (TS-20 to TS-36, TS-40 to TS-44).
func TestSemantics(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		lines   []string
		outcome tsengine.Outcome
		code    uint32
	}{
		"empty":                   {"", nil, tsengine.Succeeded, 0},
		"empty groups":            {`<group name="a"><group name="b"/></group>`, nil, tsengine.Succeeded, 0},
		"disabled step":           {command("a", "exit 1", `disable="true"`) + command("b", "exit 0", ""), []string{"exit 0"}, tsengine.Succeeded, 0},
		"disabled group":          {`<group name="g" disable="true"><condition><moon/></condition>` + command("a", "exit 1", "") + `</group>`, nil, tsengine.Succeeded, 0},
		"false condition":         {`<group name="g">` + variableCondition("X", "equals", "1") + command("a", "exit 1", "") + `</group>`, nil, tsengine.Succeeded, 0},
		"condition error":         {`<group name="g"><condition><moon/></condition>` + command("a", "exit 0", "") + `</group>`, nil, tsengine.Failed, step.CodeFailed},
		"condition error ignored": {`<group name="g" continueOnError="true"><condition><moon/></condition>` + command("a", "exit 0", "") + `</group>` + command("b", "exit 0", ""), []string{"exit 0"}, tsengine.Succeeded, 0},
		"wrong environment":       {command("a", "exit 0", `runIn="WinPE"`), nil, tsengine.Failed, step.CodeEnvironment},
		"wrong environment ignored": {command("a", "exit 0", `runIn="WinPE" continueOnError="true"`) + command("b", "echo %_SMSTSLastActionSucceeded%", ""),
			[]string{"echo false"}, tsengine.Succeeded, 0},
		"TS-21: a false condition protects a step of the other environment": {
			strings.ReplaceAll(command("a", "exit 0", `runIn="WinPE"`), "<action>", variableCondition("_SMSTSInWinPE", "equals", "true")+"<action>") + command("b", "exit 0", ""),
			[]string{"exit 0"}, tsengine.Succeeded, 0},
		"success codes": {strings.ReplaceAll(command("a", "exit 5", ""), "0 3010", "0 5  7"), []string{"exit 5"}, tsengine.Succeeded, 0},
		"3010 not in the list": {strings.ReplaceAll(command("a", "exit 3010", ""), "0 3010", "0"),
			[]string{"exit 3010"}, tsengine.Failed, 3010},
		"unsigned exit code": {command("a", "exit 3247440400", `continueOnError="true"`) + `<group name="g">` + variableCondition("_SMSTSLastActionRetCode", "equals", "3247440400") + command("b", "echo %_SMSTSLastActionRetCode%", "") + `</group>`,
			[]string{"exit 3247440400", "echo 3247440400"}, tsengine.Succeeded, 0},
		"a skipped step changes no result": {command("a", "exit 0", "") + command("b", "exit 1", `disable="true"`) + command("c", "echo %_SMSTSLastActionName% %_SMSTSCurrentActionName%", ""),
			[]string{"exit 0", "echo a c"}, tsengine.Succeeded, 0},
		"unsupported": {typed("InventedAction", "x", ""), nil, tsengine.Failed, step.CodeUnsupported},
		"failure in depth": {`<group name="a" continueOnError="true"><group name="b"><group name="c">` + command("x", "exit 3", "") + `</group>` + command("y", "exit 0", "") + `</group>` + command("z", "exit 0", "") + `</group>` + command("last", "echo last", ""),
			[]string{"exit 3", "echo last"}, tsengine.Succeeded, 0},
		"set variable": {setVariable("A", "one") + setVariable("A", "%A% two") + setVariable("B", "%Gone%") + command("c", "echo %A% %B%", ""),
			[]string{"echo one two %Gone%"}, tsengine.Succeeded, 0},
		"set a read-only variable": {setVariable("_SMSTSInWinPE", "true"), nil, tsengine.Failed, step.CodeInvalid},
		"untyped step":             {`<step name="plain" successCodeList="0 3010"><action>echo plain</action></step>`, []string{"echo plain"}, tsengine.Succeeded, 0},
		"clean form of a command": {typed("RunCommandLineAction", "c", "", hidden("CommandLine", "echo clean"), hidden("PackageID", "")),
			[]string{"echo clean"}, tsengine.Succeeded, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := execute(t, parse(t, c.body), nil)
			require.Equal(t, c.lines, r.commands.lines)
			require.Equal(t, c.outcome, r.result.Outcome, r.result.Error)
			require.Equal(t, c.code, r.result.ExitCode, r.result.Error)
		})
	}
}

// TS-120, TS-121, TS-182.
func TestTS120To121ChildSequences(t *testing.T) {
	child := func(id, attributes string) string {
		return `<subtasksequence type="SMS_TaskSequence_SubTasksequence" name="run ` + id + `" successCodeList="0" ` + attributes + `><action>SubTasksequence.exe</action><defaultVarList>` + item("OSDSubTasksequencePackageID", id) + `</defaultVarList></subtasksequence>`
	}
	good := parse(t, `<globalVarList><variable name="FromChild">no</variable><variable name="fromchild">yes</variable></globalVarList>`+setVariable("Out", "from child %In%")+command("in child", "child", ""))
	bad := parse(t, command("bad", "exit 8", "")+command("never", "never", ""))
	children := map[string]*sequence.Sequence{"BYD00011": good, "BYD00012": bad, "BYD00013": parse(t, child("BYD00014", "")), "BYD00014": parse(t, child("BYD00013", ""))}
	with := func(c *tsengine.Config) { c.Children = children }

	r := execute(t, parse(t, setVariable("In", "parent")+child("BYD00011", "")+child("BYD00012", `continueOnError="true"`)+command("after", "echo %Out% %FromChild%", "")), with)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"child", "exit 8", "echo from child parent yes"}, r.commands.lines)
	require.Equal(t, 6, r.engine.Steps()) // TS-171: the child's steps count, the container does not

	r = execute(t, parse(t, child("BYD00012", "")), with)
	require.EqualValues(t, 8, r.result.ExitCode)
	require.Equal(t, "bad", r.result.Step)
	require.Equal(t, "run BYD00012", r.result.Group)

	_, err := tsengine.New(tsengine.Config{Sequence: parse(t, child("BYD00013", "")), Children: children, Environment: tsengine.FullOS})
	require.ErrorContains(t, err, "runs itself")
	_, err = tsengine.New(tsengine.Config{Sequence: parse(t, child("BYD00099", "")), Environment: tsengine.FullOS})
	require.ErrorContains(t, err, "BYD00099")
	problems := tsengine.Check(parse(t, child("BYD00099", "")), children, nil)
	require.NotEmpty(t, problems)
	require.Empty(t, tsengine.Check(parse(t, child("BYD00099", "")), nil, nil), "somebody else looks for it")

	disabled, err := sequence.Parse([]byte(`<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="PackageID" TYPE="string"><VALUE>BYD00011</VALUE></PROPERTY><PROPERTY NAME="TsEnabled" TYPE="boolean"><VALUE>false</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Sequence" TYPE="string"><QUALIFIER NAME="x"><VALUE>no</VALUE></QUALIFIER><VALUE><![CDATA[<sequence version="3.10">` + command("x", "exit 0", "") + `</sequence>]]></VALUE></PROPERTY></INSTANCE>`))
	require.NoError(t, err)
	r = execute(t, parse(t, `<group name="g" continueOnError="true">`+child("BYD00011", `continueOnError="true"`)+`</group>`), func(c *tsengine.Config) {
		c.Children = map[string]*sequence.Sequence{"BYD00011": disabled}
	})
	require.Equal(t, tsengine.Failed, r.result.Outcome, "TS-46")
	require.Empty(t, r.commands.lines)
}

// TS-111, TS-112: a step asks for a restart, and to be run again after it.
func TestTS111To112RebootRequestedByAStep(t *testing.T) {
	s := parse(t, command("work", "work", "")+command("after", "after", ""))
	st, done := &store{}, &commands{}
	var engine *tsengine.Engine
	tries := 0
	done.on = func(line string) {
		if tries++; line == "work" && tries < 3 {
			for n, v := range map[string]string{"SMSTSRebootRequested": "HD", "SMSTSRetryRequested": "1", "SMSTSRebootDelay": "30", "SMSTSRebootMessage": "again"} {
				require.NoError(t, engine.Variables().Set(n, v))
			}
		}
	}
	var c *tsengine.Checkpoint
	var results []tsengine.Result
	for range 3 {
		var err error
		engine, err = tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Checkpoint: c, Machine: machine.Capabilities{Commands: done}})
		require.NoError(t, err)
		r, err := engine.Run(t.Context())
		require.NoError(t, err)
		results = append(results, r)
		c = st.last(t)
	}
	require.Equal(t, []string{"work", "work", "work", "after"}, done.lines)
	require.Equal(t, &tsengine.Restart{Target: step.HD, Message: "again", Delay: 30e9}, results[0].Restart)
	require.Equal(t, tsengine.Succeeded, results[2].Outcome)
	require.Empty(t, engine.Variables().Value("SMSTSRebootRequested"))
}

func TestResumeRefusals(t *testing.T) {
	s := parse(t, command("a", "exit 3010", ""))
	r := execute(t, s, nil)
	require.Equal(t, tsengine.RestartRequested, r.result.Outcome)
	c := r.store.last(t)
	_, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.WinPE, Checkpoint: c})
	require.ErrorIs(t, err, tsengine.ErrWrongEnvironment)
	_, err = tsengine.New(tsengine.Config{Sequence: parse(t, command("b", "exit 0", "")), Environment: tsengine.FullOS, Checkpoint: c})
	require.ErrorIs(t, err, tsengine.ErrOtherSequence)
	c.Next = 99
	_, err = tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Checkpoint: c})
	require.Error(t, err)
}

func TestCancelledInTheMiddle(t *testing.T) {
	s := parse(t, command("a", "exit 0", "")+command("b", "exit 0", ""))
	ctx, cancel := context.WithCancelCause(t.Context())
	st := &store{}
	e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Machine: machine.Capabilities{Commands: stopping{cancel}}})
	require.NoError(t, err)
	r, err := e.Run(ctx)
	require.NoError(t, err)
	require.Equal(t, tsengine.Cancelled, r.Outcome)
	require.Contains(t, r.Error, "going down")
	require.True(t, st.last(t).Started, "the step is on record as started")
}

type stopping struct{ cancel context.CancelCauseFunc }

func (s stopping) Run(ctx context.Context, _ machine.Command) (machine.Exit, error) {
	s.cancel(errors.New("going down"))
	return machine.Exit{}, ctx.Err()
}

// A capability that panics fails its step and not the agent.
func TestPanicFailsTheStep(t *testing.T) {
	done := &commands{on: func(line string) {
		if line == "boom" {
			panic("boom")
		}
	}}
	r := execute(t, parse(t, command("a", "boom", `continueOnError="true"`)+command("b", "exit 0", "")), func(c *tsengine.Config) { c.Machine.Commands = done })
	require.Equal(t, tsengine.Succeeded, r.result.Outcome)
	require.Equal(t, []string{"boom", "exit 0"}, done.lines)
}

// TS-82, TS-84, TS-182: sources and step defaults.
func TestTS82To84AndTS182Sources(t *testing.T) {
	env := variable.New()
	require.Empty(t, env.Load("collection", []variable.Assignment{{Name: "A", Value: "collection"}, {Name: "WorkingDirectory", Value: "/tmp"}}))
	require.Empty(t, env.Load("device", []variable.Assignment{{Name: "A", Value: "device"}}))
	s := parse(t, `<globalVarList><variable name="A">global</variable><variable name="B">first</variable><variable name="B">second</variable></globalVarList>`+
		typed("RunCommandLineAction", "c", "", hidden("CommandLine", "echo %A% %B% %C% %D%"), item("A", "default"), item("C", "default"), hidden("D", "hidden")))
	r := execute(t, s, func(c *tsengine.Config) { c.Variables = env })
	require.Equal(t, []string{"echo device second default %D%"}, r.commands.lines)
}

// TS-171.
func TestTS171ProgressText(t *testing.T) {
	e := tsengine.Event{Step: 2, Steps: 10}
	require.Equal(t, []string{"", "2 of 10", "2 of 10 (20% complete)", "(20% complete)"},
		[]string{tsengine.ProgressText(e, 0), tsengine.ProgressText(e, 1), tsengine.ProgressText(e, 2), tsengine.ProgressText(e, 3)})
	require.Empty(t, tsengine.ProgressText(tsengine.Event{}, 1))
	r := execute(t, parse(t, command("a", "exit 0", "")+`<group name="g" disable="true">`+command("b", "exit 0", "")+`</group>`+command("c", "exit 0", `disable="true"`)+
		`<group name="h">`+variableCondition("X", "exists", "")+command("d", "exit 0", "")+`</group>`), nil)
	require.Equal(t, 2, r.engine.Steps(), "conditions are not considered, disabled nodes are")
}

// Every group that was started is reported as completed or failed, also when a restart is the last thing in it.
func TestGroupsAreReported(t *testing.T) {
	s := parse(t, `<group name="a"><group name="b">`+command("x", "exit 3010", "")+`</group></group><group name="empty"/>`+command("y", "exit 0", ""))
	first := execute(t, s, nil)
	require.Equal(t, "a:group-started b:group-started x:step-succeeded b:group-completed a:group-completed x:restart", first.recorder.trace())
	second := execute(t, s, func(c *tsengine.Config) { c.Checkpoint = first.store.last(t) })
	require.Equal(t, "empty:group-started empty:group-completed y:step-succeeded", second.recorder.trace())
	require.Equal(t, []string{"exit 0"}, second.commands.lines)
}

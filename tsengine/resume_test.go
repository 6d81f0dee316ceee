package tsengine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
)

var errPower = errors.New("power cut")

// TS-112a, TS-115: the machine goes down at every checkpoint in turn; after the resume no command has run twice, none
// is left out, and one that was started and not recorded as finished is reported as interrupted.
func TestTS115KilledAtEveryCheckpoint(t *testing.T) {
	body := ""
	for i := range 6 {
		body += setVariable(fmt.Sprintf("V%d", i), fmt.Sprintf("%%V%d%%x", i-1))
		body += fmt.Sprintf(`<group name="g%d" continueOnError="true">`, i) + command(fmt.Sprintf("c%d", i), fmt.Sprintf("line %d %%V%d%%", i, i), `continueOnError="true"`) +
			`<group name="inner" disable="true">` + command("off", "exit 1", "") + `</group></group>`
	}
	s := parse(t, body)
	whole := execute(t, s, nil)
	require.Equal(t, tsengine.Succeeded, whole.result.Outcome)
	require.Len(t, whole.commands.lines, 6)
	saves := len(whole.store.saves)
	require.GreaterOrEqual(t, saves, 14, "each command has a started and a finished record")

	for cut := 1; cut <= saves; cut++ {
		for _, durable := range []bool{false, true} { // the cut comes just before, or just after the disk has it
			t.Run(fmt.Sprintf("%d durable %t", cut, durable), func(t *testing.T) {
				st := &store{}
				st.fail = func(n int) error {
					if n == cut && !durable || n == cut+1 {
						return errPower
					}
					return nil
				}
				done := &commands{}
				run := func(c *tsengine.Checkpoint, rec *recorder) (tsengine.Result, error) {
					e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Checkpoint: c,
						Reporter: rec, Machine: machine.Capabilities{Commands: done}})
					require.NoError(t, err)
					return e.Run(context.Background())
				}
				_, err := run(nil, &recorder{})
				if durable && cut == saves {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, errPower)
				}
				st.fail = nil
				var c *tsengine.Checkpoint
				if len(st.saves) > 0 {
					c = st.last(t)
				}
				rec := &recorder{}
				result, err := run(c, rec)
				require.NoError(t, err)
				require.Equal(t, tsengine.Succeeded, result.Outcome)

				interrupted := map[string]bool{}
				for _, e := range rec.events {
					if e.Kind == tsengine.StepFailed {
						require.EqualValues(t, 0x800704D3, e.ExitCode)
						interrupted[e.Name] = true
					}
				}
				count := map[string]int{}
				for _, line := range done.lines {
					count[line]++
				}
				for i, line := range whole.commands.lines {
					name := fmt.Sprintf("c%d", i)
					require.LessOrEqual(t, count[line], 1, line)
					if !interrupted[name] {
						require.Equal(t, 1, count[line], line)
					}
				}
				require.LessOrEqual(t, len(interrupted), 1)
				require.Equal(t, whole.engine.Variables().Value("V5"), "%V-1%xxxxxx")
			})
		}
	}
}

func TestTS110RestartAndResume(t *testing.T) {
	s := parse(t, command("first", "exit 3010", "")+`<group name="g">`+command("second", "exit 0", "")+
		`<step type="SMS_TaskSequence_RebootAction" name="restart" successCodeList="0"><action>smsboot.exe /target:HD</action><defaultVarList>`+
		`<variable name="SMSRebootTarget" hidden="true">HD</variable><variable name="SMSRebootMessage">hello %Site%</variable><variable name="SMSRebootTimeout">60</variable></defaultVarList></step>`+
		command("third", "exit 0", "")+`</group>`)
	st, done := &store{}, &commands{}
	var c *tsengine.Checkpoint
	var results []tsengine.Result
	for range 3 {
		e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Checkpoint: c, Machine: machine.Capabilities{Commands: done}})
		require.NoError(t, err)
		r, err := e.Run(t.Context())
		require.NoError(t, err)
		results = append(results, r)
		c = st.last(t)
	}
	require.Equal(t, tsengine.RestartRequested, results[0].Outcome)
	require.Equal(t, &tsengine.Restart{Target: step.HD}, results[0].Restart) // TS-30
	require.Equal(t, "hello %Site%", results[1].Restart.Message)
	require.EqualValues(t, 60e9, results[1].Restart.Delay)
	require.Equal(t, tsengine.Succeeded, results[2].Outcome)
	require.Equal(t, []string{"exit 3010", "exit 0", "exit 0"}, done.lines)

	// Resumed after the end: nothing runs again.
	e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.WinPE, Store: st, Checkpoint: c, Machine: machine.Capabilities{Commands: done}})
	require.NoError(t, err)
	r, err := e.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, tsengine.Succeeded, r.Outcome)
	require.Len(t, done.lines, 3)
}

// TS-117a: a store that could not save one checkpoint stops the run before the next effect; called again, the engine goes
// on where it stood and neither repeats nor loses anything.
func TestTS117aRunAgainAfterAStoreFailed(t *testing.T) {
	s := parse(t, setVariable("A", "%A%x")+command("one", "one %A%", "")+`<group name="g" continueOnError="true">`+command("two", "exit 2", "")+`</group>`+command("three", "exit 3010", ""))
	whole := execute(t, s, nil)
	require.Equal(t, tsengine.RestartRequested, whole.result.Outcome)
	for bad := 1; bad <= len(whole.store.saves); bad++ {
		failed := false
		st := &store{fail: func(n int) error {
			if n == bad && !failed {
				failed = true
				return errPower
			}
			return nil
		}}
		done, rec := &commands{}, &recorder{}
		e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Reporter: rec, Machine: machine.Capabilities{Commands: done}})
		require.NoError(t, err)
		_, err = e.Run(t.Context())
		require.ErrorIs(t, err, errPower)
		r, err := e.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, whole.result, r, "save %d", bad)
		require.Equal(t, whole.commands.lines, done.lines, "save %d", bad)
		require.Equal(t, whole.recorder.trace(), rec.trace(), "save %d", bad)
		require.Equal(t, tsengine.FullOS, st.last(t).Awaits)
	}
}

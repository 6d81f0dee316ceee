package tsengine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/step"
)

// exported is a sequence in the object.xml of an export, with properties and supported platforms.
func exported(t *testing.T, body, properties string) *sequence.Sequence {
	t.Helper()
	s, err := sequence.Parse([]byte(`<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="Name" TYPE="string"><VALUE>Lab</VALUE></PROPERTY>` + properties +
		`<PROPERTY NAME="Sequence" TYPE="string"><VALUE><![CDATA[<sequence version="3.10">` + body + `</sequence>]]></VALUE></PROPERTY></INSTANCE>`))
	require.NoError(t, err)
	return s
}

func property(name, value string) string {
	return `<PROPERTY NAME="` + name + `" TYPE="string"><QUALIFIER NAME="x"><VALUE>y</VALUE></QUALIFIER><VALUE>` + value + `</VALUE></PROPERTY>`
}

func platform(architecture, low, high string) string {
	return `<VALUE.OBJECT><INSTANCE CLASSNAME="SMS_OS_Details">` + property("MaxVersion", high) + property("MinVersion", low) + property("Name", "Win NT") + property("Platform", architecture) + `</INSTANCE></VALUE.OBJECT>`
}

func platforms(list string) string {
	return `<PROPERTY.ARRAY NAME="SupportedOperatingSystems" TYPE="string"><VALUE.ARRAY>` + list + `</VALUE.ARRAY></PROPERTY.ARRAY>`
}

// TS-8: supported platforms decide before the first step of a run that was started in a full system; PXE and boot media do
// not look at them.
func TestTS8SupportedPlatforms(t *testing.T) {
	windows10 := platforms(platform("x64", "10.00.0000.0", "10.00.99999.9999"))
	for name, c := range map[string]struct {
		properties string
		programs   *programs
		mode       string
		refused    string
	}{
		"fits":                {windows10, &programs{}, "SMS", ""},
		"one of two fits":     {platforms(platform("I386", "6.00.0.0", "6.10.9999.9999") + platform("x64", "10.00.0000.0", "10.00.99999.9999")), &programs{}, "SMS", ""},
		"too old":             {platforms(platform("x64", "11.0", "12.0")), &programs{}, "SMS", "none of the 1 platforms"},
		"other architecture":  {platforms(platform("I386", "10.00.0000.0", "10.00.99999.9999")), &programs{}, "SMS", "64 bit"},
		"Linux":               {windows10, &programs{linux: true}, "SMS", "this is not Windows"},
		"any platform":        {property("ProgramFlags", "134217728") + windows10, &programs{linux: true}, "SMS", ""},
		"from the boot image": {windows10, &programs{linux: true}, "PXE", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := execute(t, exported(t, command("a", "echo", ""), c.properties), func(config *tsengine.Config) {
				config.Machine.Programs, config.Machine.Readiness, config.Identity.LaunchMode = c.programs, sheet{facts: ready()}, c.mode
			})
			if c.refused == "" {
				require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
				return
			}
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Equal(t, step.CodeEnvironment, r.result.ExitCode)
			require.Contains(t, r.result.Error, c.refused)
			require.Empty(t, r.commands.lines, "no step was run")
			require.Equal(t, -1, r.result.Pointer)
		})
	}
}

// TS-8: another program runs first, once for a machine, and a run whose program fails does not begin.
func TestTS8AnotherProgramFirst(t *testing.T) {
	s := exported(t, command("a", "echo", ""), property("DependentProgram", "BYD00005;;Prepare"))
	on := func(o *offer, mode string) run {
		return execute(t, s, func(c *tsengine.Config) {
			c.Machine.Software, c.Machine.Content, c.Identity.LaunchMode = o, content{&bench{}}, mode
		})
	}
	o := offered(wire.Program{Name: "Prepare", Command: "exit 3010"})
	r := on(o, "SMS")
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"exit 3010", "echo"}, r.commands.lines)
	require.Equal(t, []string{"echo"}, on(o, "SMS").commands.lines, "it has run on this machine")
	require.Equal(t, []string{"echo"}, on(offered(), "PXE").commands.lines)

	r = on(offered(wire.Program{Name: "Prepare", Command: "exit 7"}), "SMS")
	require.EqualValues(t, 7, r.result.ExitCode)
	require.Contains(t, r.result.Error, "no step was run")
	require.Equal(t, []string{"exit 7"}, r.commands.lines)
	require.Equal(t, step.CodeNotFound, on(offered(), "SMS").result.ExitCode)
}

// TS-8: a run that may not begin leaves no state to go on from, from which an agent that was killed before the end was
// recorded, or stopped while the program ran, would run the steps.
func TestTS8RefusalSurvivesAKill(t *testing.T) {
	s := exported(t, command("a", "echo", ""), property("DependentProgram", "BYD00005;;Prepare"))
	st, done := &store{fail: func(n int) error {
		if n > 1 {
			return errPower
		}
		return nil
	}}, &commands{}
	run := func(ctx context.Context) (tsengine.Result, error) {
		config := tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Identity: tsengine.Identity{LaunchMode: "SMS"},
			Machine: machine.Capabilities{Commands: done, Content: content{&bench{}}, Software: offered(wire.Program{Name: "Prepare", Command: "exit 7"})}}
		if len(st.saves) > 0 {
			config.Checkpoint = st.last(t)
		}
		e, err := tsengine.New(config)
		require.NoError(t, err)
		return e.Run(ctx)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, _ = run(stopped)
	require.Empty(t, st.saves)
	_, _ = run(t.Context())
	st.fail = nil
	r, err := run(t.Context())
	require.NoError(t, err)
	require.Equal(t, tsengine.Failed, r.Outcome)
	require.NotContains(t, done.lines, "echo")
}

// TS-8, TS-112a: a program to run first that takes the machine down is not begun again after each restart; one that is known
// to have ended well lets the steps run.
func TestTS112aProgramToRunFirst(t *testing.T) {
	s := exported(t, command("a", "echo", ""), property("DependentProgram", "BYD00005;;Prepare"))
	for name, ended := range map[string]bool{"went down": false, "ended well": true} {
		t.Run(name, func(t *testing.T) {
			st, done, o := &store{}, &commands{}, offered(wire.Program{Name: "Prepare", Command: "shutdown /r"})
			config := tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Identity: tsengine.Identity{LaunchMode: "SMS"},
				Machine: machine.Capabilities{Commands: done, Content: content{&bench{}}, Software: o}}
			st.fail = func(n int) error { // the power goes once the program has run
				if n > 1 {
					return errPower
				}
				return nil
			}
			e, err := tsengine.New(config)
			require.NoError(t, err)
			_, err = e.Run(t.Context())
			require.ErrorIs(t, err, errPower)
			require.Equal(t, []string{"shutdown /r"}, done.lines)
			st.fail, config.Checkpoint = nil, st.last(t)
			if !ended {
				o.ran = nil
			}
			e, err = tsengine.New(config)
			require.NoError(t, err)
			r, err := e.Run(t.Context())
			require.NoError(t, err)
			if ended {
				require.Equal(t, tsengine.Succeeded, r.Outcome, r.Error)
				require.Equal(t, []string{"shutdown /r", "echo"}, done.lines)
				return
			}
			require.Equal(t, tsengine.Failed, r.Outcome)
			require.Equal(t, step.CodeInterrupted, r.ExitCode)
			require.Equal(t, []string{"shutdown /r"}, done.lines)
		})
	}
	// Without its record the program is not begun, and is when there can be one.
	st, done := &store{fail: func(int) error { return errPower }}, &commands{}
	e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Identity: tsengine.Identity{LaunchMode: "SMS"},
		Machine: machine.Capabilities{Commands: done, Content: content{&bench{}}, Software: offered(wire.Program{Name: "Prepare", Command: "exit 0"})}})
	require.NoError(t, err)
	_, err = e.Run(t.Context())
	require.ErrorIs(t, err, errPower)
	require.Empty(t, done.lines)
	st.fail = nil
	r, err := e.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, tsengine.Succeeded, r.Outcome, r.Error)
	require.Equal(t, []string{"exit 0", "echo"}, done.lines)
}

// TS-8: what people see is the custom progress text, else the name.
func TestTS8CustomProgressText(t *testing.T) {
	require.Equal(t, "Lab", exported(t, "", "").Title())
	require.Equal(t, "Stay away", exported(t, "", property("CustomProgressMsg", " Stay away ")).Title())
}

// TS-99: the variables that only the SDK names have honest values.
func TestTS99VariablesOfTheSDK(t *testing.T) {
	show := command("show", "%_SMSTSReturnToGINA% %_SMSTSStandAloneMode% %_SMSTSShowProgressUI%", "")
	for want, change := range map[string]func(*tsengine.Identity){
		"false false true":  func(*tsengine.Identity) {},
		"false true true":   func(i *tsengine.Identity) { i.MediaType = "FullMedia" },
		"false false false": func(i *tsengine.Identity) { i.HideProgress = true },
	} {
		r := execute(t, parse(t, show), func(c *tsengine.Config) { change(&c.Identity) })
		require.Equal(t, []string{want}, r.commands.lines)
	}
}

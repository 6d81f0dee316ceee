package tsengine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

func logged(t *testing.T, s *sequence.Sequence, change func(*tsengine.Config)) (run, string) {
	t.Helper()
	dir := t.TempDir()
	log, err := smstslog.Open(dir, smstslog.Options{})
	require.NoError(t, err)
	r := execute(t, s, func(c *tsengine.Config) {
		c.Log = log
		if change != nil {
			change(c)
		}
	})
	require.NoError(t, log.Close())
	text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
	require.NoError(t, err)
	return r, string(text)
}

// The type of a sequence: 2 with a boot image or a step that deploys an operating system, else 1.
func TestTS6Type(t *testing.T) {
	for body, want := range map[string]string{
		command("a", "type %_SMSTSType%", ""):                                                       "type 1",
		command("a", "type %_SMSTSType%", "") + typed("PartitionDiskAction", "p", `disable="true"`): "type 1",
		command("a", "type %_SMSTSType%", "") + `<group name="g">` + variableCondition("X", "exists", "") + typed("ApplyOperatingSystemAction", "p", "") + `</group>`: "type 2",
	} {
		require.Equal(t, []string{want}, execute(t, parse(t, body), nil).commands.lines, body)
	}
	s := parse(t, command("a", "type %_SMSTSType%", ""))
	s.BootImageID = bootImage
	require.Equal(t, []string{"type 2"}, execute(t, s, nil).commands.lines)
}

func TestTS15LaunchAndMediaKind(t *testing.T) {
	r := execute(t, parse(t, command("a", "%_SMSTSLaunchMode% %_SMSTSMediaType%", "")), func(c *tsengine.Config) {
		c.Identity.LaunchMode, c.Identity.MediaType = "UFD+FORMAT", "FullMedia"
	})
	require.Equal(t, []string{"UFD+FORMAT FullMedia"}, r.commands.lines)
}

// What Set Dynamic Variables finds out is there from the start, and the step changes nothing in it.
func TestTS97IdentityOfTheMachine(t *testing.T) {
	show := "%_SMSTSMake%|%_SMSTSModel%|%_SMSTSSerialNumber%|%_SMSTSAssetTag%|%_SMSTSUUID%|%_SMSTSMacAddresses%|%_SMSTSIPAddresses%|%_SMSTSDefaultGateways%"
	r := execute(t, parse(t, command("a", show, "")+typed("SetDynamicVariablesAction", "rules", "")+command("b", show, "")), func(c *tsengine.Config) {
		c.Hardware = tsengine.Hardware{Make: "Acme", Model: "One", SerialNumber: "S1", AssetTag: "T1", UUID: "U1", MACAddresses: []string{"02:00:00:00:00:01", "02:00:00:00:00:02"},
			IPAddresses: []string{"192.0.2.5"}, DefaultGateways: []string{"192.0.2.1"}}
	})
	line := "Acme|One|S1|T1|U1|02:00:00:00:00:01,02:00:00:00:00:02|192.0.2.5|192.0.2.1"
	require.Equal(t, []string{line, line}, r.commands.lines)
}

// The request is looked at after every step, not only after commands, and also after one that failed and is ignored.
func TestTS35RequestAfterEveryStep(t *testing.T) {
	for name, body := range map[string]string{
		"a step of the engine": setVariable("SMSTSRebootRequested", "HD"),
		"a failed step":        `<group name="g">` + setVariable("SMSTSRebootRequested", "HD") + `</group>`,
	} {
		t.Run(name, func(t *testing.T) {
			r := execute(t, parse(t, body+command("next", "next", "")), nil)
			require.Equal(t, tsengine.RestartRequested, r.result.Outcome)
			require.Equal(t, step.HD, r.result.Restart.Target)
			require.Empty(t, r.commands.lines)
			require.Empty(t, r.engine.Variables().Value("SMSTSRebootRequested"), "honoured")
		})
	}
	var e *tsengine.Engine
	done := &commands{on: func(line string) {
		if line == "exit 9" {
			require.NoError(t, e.Variables().Set("SMSTSRebootRequested", "hd"))
		}
	}}
	e, err := tsengine.New(tsengine.Config{Sequence: parse(t, command("bad", "exit 9", `continueOnError="true"`)+command("next", "next", "")), Environment: tsengine.FullOS,
		Store: &store{}, Machine: machine.Capabilities{Commands: done}})
	require.NoError(t, err)
	r, err := e.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, tsengine.RestartRequested, r.Outcome)
	require.Equal(t, []string{"exit 9"}, done.lines)
}

// order notes messages, saves and commands as they come.
type order struct {
	commands
	notes []string
}

func (o *order) Report(e tsengine.Event) {
	if e.Kind == tsengine.StepSucceeded {
		o.notes = append(o.notes, "message "+e.Name)
	}
}

func (o *order) Save(_ context.Context, c tsengine.Checkpoint) error {
	if !c.Started {
		o.notes = append(o.notes, fmt.Sprint("state ", c.Next))
	}
	return nil
}

func TestTS36MessageThenStateThenTheNextNode(t *testing.T) {
	o := &order{}
	o.on = func(line string) { o.notes = append(o.notes, line) }
	execute(t, parse(t, command("a", "run a", "")+command("b", "run b", "")), func(c *tsengine.Config) {
		c.Store, c.Reporter, c.Machine.Commands = o, o, o
	})
	require.Equal(t, []string{"run a", "message a", "state 1", "run b", "message b", "state 2"}, slices.DeleteFunc(o.notes, func(s string) bool { return s == "state 0" })[:6])
}

// Values are counted in characters; a long one is taken and warned of.
func TestTS81LongValues(t *testing.T) {
	for length, warned := range map[int]bool{4000: false, 4001: true} {
		r, text := logged(t, parse(t, setVariable("Long", strings.Repeat("ä", length))), nil)
		require.Equal(t, tsengine.Succeeded, r.result.Outcome)
		require.Len(t, []rune(r.engine.Variables().Value("Long")), length)
		require.Equal(t, warned, strings.Contains(text, "TS-81"), "%d characters", length)
	}
}

// Variables, also a step's output, live over restarts and are shared with child sequences in both directions.
func TestTS87VariablesLiveForTheWholeRun(t *testing.T) {
	child := `<subtasksequence type="SMS_TaskSequence_SubTasksequence" name="child" successCodeList="0"><action/><defaultVarList>` + item("OSDSubTasksequencePackageID", "BYD00011") + `</defaultVarList></subtasksequence>`
	inside := parse(t, setVariable("FromChild", "%FromParent% and child")+typed("RunCommandLineAction", "out", "", hidden("CommandLine", "printed"), item("SMSTSRunCommandLineOutputVariableName", "Output")))
	s := parse(t, setVariable("FromParent", "parent")+child+command("restart", "exit 3010", "")+command("show", "%FromChild% %Output%", ""))
	with := func(c *tsengine.Config) { c.Children = map[string]*sequence.Sequence{"BYD00011": inside} }
	first := execute(t, s, with)
	require.Equal(t, tsengine.RestartRequested, first.result.Outcome, first.result.Error)
	second := execute(t, s, func(c *tsengine.Config) { with(c); c.Checkpoint = first.store.last(t) })
	require.Equal(t, []string{"parent and child printed"}, second.commands.lines)
}

// Without a place for the state a restart would be the end, and says so instead.
func TestTS116NoPlaceForTheState(t *testing.T) {
	r := execute(t, parse(t, command("a", "exit 3010", `continueOnError="true"`)+command("b", "never", "")), func(c *tsengine.Config) { c.Store = nil })
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.Contains(t, r.result.Error, "TS-116")
	require.Equal(t, []string{"exit 3010"}, r.commands.lines)
}

type slow struct{}

func (slow) Contract() step.Contract { return step.Contract{} }

func (slow) Run(_ context.Context, c *step.Context) step.Outcome {
	c.Progress(0, 4, "begins")
	c.Progress(4, 4, "ends")
	return step.Outcome{}
}

func TestTS172ProgressOfAStep(t *testing.T) {
	r := execute(t, parse(t, command("a", "x", "")), func(c *tsengine.Config) {
		c.Steps = func(int, *sequence.Node) step.Step { return slow{} }
	})
	seen := []string{}
	for _, e := range r.recorder.events {
		if e.Kind == tsengine.StepProgress {
			seen = append(seen, fmt.Sprintf("%s %d/%d %s", e.Name, e.Current, e.Total, e.Reason))
		}
	}
	require.Equal(t, []string{"a 0/4 begins", "a 4/4 ends"}, seen)
}

// A script of MDT under the name of a step of Configuration Manager is not held to where that step runs: MDT's sequences
// call ZTINICConfig.wsf in the boot environment and in the installed system (section 14).
func TestTS21ScriptsOfMDT(t *testing.T) {
	nic := func(kind, action string) string {
		return `<step type="` + kind + `" name="nic" successCodeList="0 3010"><action>` + action + `</action></step>`
	}
	for _, where := range []tsengine.Environment{tsengine.WinPE, tsengine.FullOS} {
		for action, held := range map[string]bool{`cscript.exe "%SCRIPTROOT%\ZTINICConfig.wsf" /ForceCapture`: false, `osdnetsettings.exe capture adapters:true`: where == tsengine.WinPE} {
			r := execute(t, parse(t, nic("SMS_TaskSequence_CaptureNetworkSettingsAction", action)), func(c *tsengine.Config) {
				c.Environment, c.Steps = where, func(_ int, n *sequence.Node) step.Step { return harmless{step.Find(n)} }
			})
			require.Equal(t, held, r.result.ExitCode == step.CodeEnvironment, "%s in %s: %s", action, where, r.result.Error)
			require.Equal(t, !held, r.result.Outcome == tsengine.Succeeded)
		}
	}
}

// harmless has the contract of a step and does nothing.
type harmless struct{ step.Step }

func (harmless) Run(context.Context, *step.Context) step.Outcome { return step.Outcome{} }

// The two variables of the screen count from the moment they are set.
func TestTS170AndTS171VariablesOfTheScreen(t *testing.T) {
	r := execute(t, parse(t, command("a", "x", "")+setVariable("TSDisableProgressUI", "True")+command("b", "x", "")+setVariable("TSDisableProgressUI", "false")+setVariable("TSProgressInfoLevel", "2")+command("c", "x", "")), nil)
	shown := []string{}
	for _, e := range r.recorder.events {
		if e.Kind == tsengine.StepStarted && e.Type == sequence.TypePrefix+"RunCommandLineAction" {
			shown = append(shown, fmt.Sprintf("%s %t %s", e.Name, e.Hidden, e.Progress))
		}
	}
	require.Equal(t, []string{"a false ", "b true ", "c false 6 of 6 (100% complete)"}, shown)
}

package tsengine_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
)

var record = regexp.MustCompile(`(?s)<!\[LOG\[(.*?)\]LOG\]!><time="\d\d:\d\d:\d\d\.\d{3}[+-]\d+" date="\d\d-\d\d-\d{4}" component="([^"]*)" context="" type="([0-3])" thread="\d+" file="[^":]+:\d+">` + "\r\n")

// Every byte of the log belongs to a record, and the phrases are those that reading tools look for.
func TestTS152PhrasesAndTS150Records(t *testing.T) {
	s := parse(t, `<group name="try" continueOnError="true">`+command("first", "exit 0", "")+command("off", "x", `disable="true"`)+command("bad", "exit 5", "")+`</group>`+
		`<group name="off too" disable="true">`+command("x", "x", "")+`</group><group name="no">`+variableCondition("X", "exists", "")+`</group>`+
		command("pe", "x", `runIn="FullOS"`)+command("end", "exit 6", ""))
	r, text := logged(t, s, nil)
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.Empty(t, record.ReplaceAllString(text, ""), "nothing but records")
	phrases := []string{}
	for _, m := range record.FindAllStringSubmatch(text, -1) {
		phrases = append(phrases, m[3]+" "+m[1])
	}
	type_ := "Type: 'SMS_TaskSequence_RunCommandLineAction'."
	for _, want := range []string{
		"1 Start executing an instruction. Instruction name: 'try'.  Pointer: 0. Type: ''. Disabled: 0",
		"1 The group (try) has been successfully started",
		"1 Start executing an instruction. Instruction name: 'first'.  Pointer: 1. " + type_ + " Disabled: 0",
		"1 Expand a string: WinPEandFullOS",
		"1 Process completed with exit code 0",
		"1 Successfully completed the action (first) with the exit win32 code 0",
		"1 Start executing an instruction. Instruction name: 'off'.  Pointer: 2. " + type_ + " Disabled: 1",
		"1 The action (off) has been skipped because it is disabled",
		"1 Process completed with exit code 5",
		"3 The execution of the group (try) has failed and the execution has been aborted. An action failed.",
		"1 Start executing an instruction. Instruction name: 'off too'.  Pointer: 4. Type: ''. Disabled: 1",
		"1 Start executing an instruction. Instruction name: 'pe'.  Pointer: 7. " + type_ + " Disabled: 0",
		"1 Expand a string: FullOS",
		"3 Task Sequence Engine failed! Code: enExecutionFail",
	} {
		require.Contains(t, phrases, want)
	}
	require.Regexp(t, `(?m)\[LOG\[Failed to run the action: bad\.`, text)
	require.Regexp(t, `(?m)\[LOG\[Failed to run the action: end\.`, text)
}

// The manager's result of a run that restarts.
func TestTS123RebootResult(t *testing.T) {
	_, text := logged(t, parse(t, command("a", "exit 3010", "")), nil)
	require.Contains(t, text, "[LOG[The action (a) initiated a reboot request]LOG]")
	require.Contains(t, text, "[LOG[Execution engine result code: Reboot (2)]LOG]")
	require.Contains(t, text, `[LOG[Exiting with return code 0x80070BC2]LOG]`)
	_, text = logged(t, parse(t, command("a", "exit 0", "")), nil)
	require.Contains(t, text, "[LOG[Exiting with return code 0x00000000]LOG]")
	require.NotContains(t, text, "80070BC2")
}

// The engine writes as TSManager, each step as its program does.
func TestTS151Components(t *testing.T) {
	b := &bench{}
	_, text := logged(t, parse(t, partitionStep()+typed("ApplyOperatingSystemAction", "Apply", "", hidden("ImagePackageID", "BYD00002"), hidden("DestinationVariable", "OSDisk"))+command("c", "x", "")+
		typed("SetupWindowsAndSMSAction", "Setup", "")), func(c *tsengine.Config) {
		c.Environment, c.Machine, c.Identity.BootImageID = tsengine.WinPE, b.capabilities(&commands{}), bootImage
	})
	components := map[string]bool{}
	for _, m := range record.FindAllStringSubmatch(text, -1) {
		components[m[2]] = true
	}
	for _, want := range []string{"TSManager", "OSDDiskPart", "ApplyOperatingSystem", "OSDSetupWindows"} {
		require.True(t, components[want], "%s in %v", want, components)
	}
}

// Section 11: which message each event is, with what its insertion strings are made of.
func TestTS161MessagesOfAStepRecord(t *testing.T) {
	s := parse(t, `<group name="g" continueOnError="true">`+command("first", "exit 0", "")+command("off", "x", `disable="true"`)+
		`<group name="off too" disable="true"/><group name="no">`+variableCondition("X", "exists", "")+`</group>`+
		command("ignored", "exit 4", `continueOnError="true"`)+command("bad", "exit 5", "")+`</group><group name="h">`+command("restart", "exit 3010", "")+`</group>`)
	describe := func(r run) []string {
		out := []string{}
		for _, e := range r.recorder.events {
			if e.MessageID != 0 {
				out = append(out, fmt.Sprintf("%d %d|%d|%s|%s|%d|%s", e.MessageID, e.Severity, e.Step, e.Name, e.Group, e.ExitCode, e.Output))
			}
		}
		return out
	}
	const info, warning, failure = "1073741824", "-2147483648", "-1073741824"
	first := execute(t, s, nil)
	require.Equal(t, []string{
		"11140 " + info + "|0|||0|",
		"11124 " + info + "|0|g||0|",
		"11134 " + info + "|1|first|g|0|exit 0",
		"11128 " + info + "|0|off|g|0|",
		"11129 " + info + "|0|off too|g|0|",
		"11131 " + info + "|0|no|g|0|",
		"11135 " + failure + "|2|ignored|g|4|exit 4",
		"11138 " + warning + "|2|ignored|g|4|",
		"11135 " + failure + "|3|bad|g|5|exit 5",
		"11122 " + failure + "|0|g||5|",
		"11138 " + warning + "|0|g||5|",
		"11124 " + info + "|0|h||0|",
		"11134 " + info + "|4|restart|h|3010|exit 3010",
		"11127 " + info + "|0|h||0|",
		"11142 " + info + "|4|restart|h|0|",
	}, describe(first))
	second := execute(t, s, func(c *tsengine.Config) { c.Checkpoint = first.store.last(t) })
	require.Contains(t, describe(second), "11143 "+info+"|0|||0|")

	skipped := execute(t, parse(t, `<step name="s" successCodeList="0"><action>x</action>`+variableCondition("X", "exists", "")+`</step>`+command("bad", "exit 5", "")), func(c *tsengine.Config) { c.Environment = tsengine.WinPE })
	got := describe(skipped)
	require.Equal(t, "11144 "+info+"|0|||0|", got[0], "a machine that is no client")
	require.Equal(t, "11130 "+info+"|1|s||0|", got[1])
	require.Equal(t, "11141 "+failure+"|0|||5|", got[len(got)-1])
}

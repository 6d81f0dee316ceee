package agent_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/tsengine"
)

// TSDisableProgressUI and TSProgressInfoLevel reach the screen.
func TestTS170AndTS171OnTheScreen(t *testing.T) {
	for text, e := range map[string]tsengine.Event{
		"": {Kind: tsengine.StepStarted, Name: "a", Step: 2, Steps: 10, Hidden: true},
		"step 2 of 10: a  [##..................]\r\n":                {Kind: tsengine.StepStarted, Name: "a", Step: 2, Steps: 10},
		"step 2 of 10 (20% complete): a  [##..................]\r\n": {Kind: tsengine.StepStarted, Name: "a", Step: 2, Steps: 10, Progress: "2 of 10 (20% complete)"},
	} {
		var screen bytes.Buffer
		agent.NewConsole(&screen, time.Now).Show(e)
		require.Equal(t, text, screen.String())
	}
}

// TS-170: a step that reports has a bar of its own, and the screen is headed by the organisation and the title.
func TestTS170OrganisationSubtitleAndBars(t *testing.T) {
	var screen bytes.Buffer
	c := agent.NewConsole(&screen, time.Now)
	c.Show(tsengine.Event{Kind: tsengine.StepProgress, Name: "a", Current: 50, Total: 100, Reason: "applying"})
	require.Equal(t, "   50%  applying  [##########..........]\r\n", screen.String())

	b := newBench(t)
	b.run.Organisation, b.run.SequenceName = "Lab of Acme", "Debian"
	b.run.SequenceXML = sequenceOf(command("first", "echo %_SMSTSOrgName%"))
	require.NoError(t, b.boot(t.Context()))
	require.Contains(t, b.screen.String(), "Lab of Acme | Debian\r\n")
	require.Equal(t, []string{"echo Lab of Acme"}, b.commands.All())

	b = newBench(t) // the custom progress text stands in the sequence's object (TS-8)
	b.run.SequenceXML = object(sequenceOf(command("first", "echo one")), "CustomProgressMsg", "Please do not switch off")
	require.NoError(t, b.boot(t.Context()))
	require.Contains(t, b.screen.String(), "\r\nPlease do not switch off\r\n")
}

// object puts a sequence into the object.xml of an export, with properties by name and value.
func object(sequence string, properties ...string) string {
	text := ""
	for i := 0; i+1 < len(properties); i += 2 {
		text += `<PROPERTY NAME="` + properties[i] + `" TYPE="string"><VALUE>` + properties[i+1] + `</VALUE></PROPERTY>`
	}
	return `<INSTANCE CLASSNAME="SMS_TaskSequencePackage">` + text + `<PROPERTY NAME="Sequence" TYPE="string"><VALUE><![CDATA[` + sequence + `]]></VALUE></PROPERTY></INSTANCE>`
}

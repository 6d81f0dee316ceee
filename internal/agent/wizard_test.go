package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/agenttest"
	"github.com/bootyard/bootyard/internal/wire"
)

// chosen is a machine at which somebody takes the only entry of the menu.
func chosen(t *testing.T, keys *typed) *bench {
	b := newBench(t)
	b.config.Keys = keys
	b.run.Variables = map[string]string{"Site": "", "OSDJoinPassword": "", "Known": "yes"}
	b.run.SequenceXML = sequenceOf(command("first", "echo %Site% %Known% %OSDJoinPassword%"))
	b.policy = func(r wire.PolicyRequest) wire.Policy {
		if r.Chosen != "" {
			return wire.Policy{Action: wire.ActionRun, Deployment: r.Chosen}
		}
		return wire.Policy{Action: wire.ActionMenu, Candidates: []wire.Candidate{{Deployment: "BYD20001", SequenceName: "Alpha"}}}
	}
	return b
}

// TS-17: variables without a value are asked for, of whom chose the sequence; nobody else is asked.
func TestTS17EmptyVariablesAreAskedFor(t *testing.T) {
	b := chosen(t, &typed{lines: []string{"", "geheim-7", "North Hall"}})
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, []string{"echo North Hall yes geheim-7"}, b.commands.All())
	require.Contains(t, b.screen.String(), "OSDJoinPassword:")
	require.NotContains(t, b.screen.String(), "geheim-7")
	require.NotContains(t, string(b.log), "geheim-7")

	b = chosen(t, &typed{lines: []string{"", "", ""}})
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, []string{"echo %Site% yes %OSDJoinPassword%"}, b.commands.All(), "nothing typed leaves it unset")

	b = chosen(t, &typed{})
	b.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionRun, Deployment: b.run.Deployment}
	}
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, []string{"echo %Site% yes %OSDJoinPassword%"}, b.commands.All(), "a required run must not wait for a person")
	require.NotContains(t, b.screen.String(), "Site:")
}

// TS-14: what is typed while a sequence runs does not end it; before it began, the same person could leave it alone.
func TestTS14PersonCannotCancel(t *testing.T) {
	b := newBench(t)
	keys := &typed{lines: []string{"q", "cancel", "\x03"}}
	b.config.Keys = keys
	b.run.SequenceXML = sequenceOf(command("first", "echo one"), command("second", "echo two"))
	require.NoError(t, b.boot(context.Background()))
	require.True(t, b.finish.Succeeded)
	require.Equal(t, []string{"echo one", "echo two"}, b.commands.All())
	require.Len(t, keys.lines, 3, "nobody reads the keys of a run")
}

// TS-16: a medium says how often policy is asked for again after an empty answer.
func TestTS16PolicyRetries(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		asked     int
		waited    time.Duration
	}{
		"never":         {map[string]string{"SMSTSAssignmentsDownloadRetry": "0"}, 1, 0},
		"three times":   {map[string]string{"smstsassignmentsdownloadretry": "3", "SMSTSAssignmentsDownloadInterval": "60"}, 4, 3 * time.Minute},
		"without pause": {map[string]string{"SMSTSAssignmentsDownloadRetry": "2"}, 3, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.config.Boot.Token = ""
			b.config.Boot.Media = &wire.Media{ID: "m1", Token: "media-secret", Unattended: true, Variables: c.variables}
			b.policy = func(wire.PolicyRequest) wire.Policy { return wire.Policy{Action: wire.ActionNothing} }
			require.ErrorContains(t, b.boot(context.Background()), "SMSTSAssignmentsDownloadRetry")
			require.Len(t, b.policies, c.asked)
			require.Equal(t, c.waited, b.clock.Now().Sub(start))
		})
	}
}

// TS-49: the screen of a failed run stays for SMSTSErrorDialogTimeout seconds, then the machine restarts; Enter keeps it, and
// 0 does.
func TestTS49ErrorDialog(t *testing.T) {
	set := func(value string) string {
		return `<step type="SMS_TaskSequence_SetVariableAction" name="set" successCodeList="0"><action/><defaultVarList><variable name="VariableName" hidden="true">SMSTSErrorDialogTimeout</variable><variable name="VariableValue" hidden="true">` + value + `</variable></defaultVarList></step>`
	}
	for name, c := range map[string]struct {
		steps  string
		waited time.Duration
		stays  bool
	}{
		"default": {"", 15 * time.Minute, false}, "a minute": {set("60"), time.Minute, false}, "for good": {set("0"), 0, true}, "no number": {set("soon"), 15 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.run.SequenceXML = sequenceOf(c.steps, command("break it", "exit 5"))
			a, err := agent.NewBootAgent(b.config)
			require.NoError(t, err)
			failed := a.Run(context.Background())
			require.Error(t, failed)
			before := b.clock.Now()
			err = a.Linger(context.Background(), failed)
			require.Equal(t, c.stays, err != nil)
			require.Equal(t, c.waited, b.clock.Now().Sub(before))
			require.Equal(t, map[bool]int{true: 0, false: 1}[c.stays], b.machine.Restarts)
		})
	}
	b := newBench(t)
	b.config.Clock = waiting{b.clock}
	b.config.Keys = &typed{lines: []string{""}}
	b.run.SequenceXML = sequenceOf(command("break it", "exit 5"))
	a, err := agent.NewBootAgent(b.config)
	require.NoError(t, err)
	failed := a.Run(context.Background())
	require.ErrorIs(t, a.Linger(context.Background(), failed), failed)
	require.Zero(t, b.machine.Restarts)
	require.Contains(t, b.screen.String(), "Press Enter to keep it")
}

// waiting is a clock whose waits end with their context only.
type waiting struct{ *agenttest.Clock }

func (waiting) Sleep(ctx context.Context, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// TS-161: the manager says how the deployment ended, once.
func TestTS161ManagerMessages(t *testing.T) {
	for line, want := range map[string]int{"echo one": 11171, "exit 5": 11170} {
		b := newBench(t)
		b.run.SequenceXML = sequenceOf(command("first", line))
		_ = b.boot(context.Background())
		var ids []int
		for _, e := range b.events {
			if e.MessageID == 11170 || e.MessageID == 11171 {
				ids = append(ids, e.MessageID)
			}
		}
		require.Equal(t, []int{want}, ids, line)
	}
}

package tsengine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// commands is a machine.Commands that records command lines. "exit N" ends with code N.
type commands struct {
	mu    sync.Mutex
	lines []string
	on    func(line string)
}

func (c *commands) Run(_ context.Context, command machine.Command) (machine.Exit, error) {
	c.mu.Lock()
	c.lines = append(c.lines, command.Line)
	c.mu.Unlock()
	if c.on != nil {
		c.on(command.Line)
	}
	var code uint32
	_, _ = fmt.Sscanf(command.Line, "exit %d", &code)
	return machine.Exit{Code: code, Output: command.Line + "\n"}, nil
}

// store keeps checkpoints as JSON, as a real one would.
type store struct {
	saves [][]byte
	fail  func(n int) error // called before the n-th save, from 1
}

func (s *store) Save(_ context.Context, c tsengine.Checkpoint) error {
	if s.fail != nil {
		if err := s.fail(len(s.saves) + 1); err != nil {
			return err
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	s.saves = append(s.saves, b)
	return nil
}

func (s *store) last(t *testing.T) *tsengine.Checkpoint {
	t.Helper()
	require.NotEmpty(t, s.saves)
	c := &tsengine.Checkpoint{}
	require.NoError(t, json.Unmarshal(s.saves[len(s.saves)-1], c))
	return c
}

// recorder keeps events.
type recorder struct {
	mu     sync.Mutex
	events []tsengine.Event
}

func (r *recorder) Report(e tsengine.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// trace is one word per event of interest.
func (r *recorder) trace() string {
	var out []string
	for _, e := range r.events {
		if e.Kind != tsengine.StepStarted && e.Kind != tsengine.StepProgress && e.Pointer >= 0 {
			out = append(out, fmt.Sprintf("%s:%s", e.Name, e.Kind))
		}
	}
	return strings.Join(out, " ")
}

func parse(t testing.TB, body string) *sequence.Sequence {
	t.Helper()
	s, err := parseText(body)
	require.NoError(t, err)
	return s
}

func parseText(body string) (*sequence.Sequence, error) {
	return sequence.Parse([]byte(`<sequence version="3.10">` + body + `</sequence>`))
}

func command(name, line, attributes string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0 3010" %s><action>smsswd.exe /run: %s</action></step>`, name, attributes, line)
}

func setVariable(name, value string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_SetVariableAction" name="set %s" successCodeList="0"><action/><defaultVarList><variable name="VariableName" hidden="true">%s</variable><variable name="VariableValue" hidden="true">%s</variable></defaultVarList></step>`, name, name, value)
}

func variableCondition(name, operator, value string) string {
	return fmt.Sprintf(`<condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">%s</variable><variable name="Value">%s</variable><variable name="Variable">%s</variable></expression></condition>`, operator, value, name)
}

type run struct {
	result   tsengine.Result
	engine   *tsengine.Engine
	commands *commands
	recorder *recorder
	store    *store
}

// execute runs a sequence with fakes; change may adjust the configuration.
func execute(t testing.TB, s *sequence.Sequence, change func(*tsengine.Config)) run {
	t.Helper()
	r := run{commands: &commands{}, recorder: &recorder{}, store: &store{}}
	sealer, err := tsengine.NewSealer(make([]byte, 32))
	require.NoError(t, err)
	c := tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Reporter: r.recorder, Store: r.store, Sealer: sealer,
		Machine: machine.Capabilities{Commands: r.commands}}
	if change != nil {
		change(&c)
	}
	r.engine, err = tsengine.New(c)
	require.NoError(t, err)
	r.result, err = r.engine.Run(t.Context())
	require.NoError(t, err)
	return r
}

// TS-45 is the documented example.
func TestWorkedExampleTS45(t *testing.T) {
	r := execute(t, parse(t, `<group name="g1" continueOnError="true">`+
		command("1", "exit 1", `continueOnError="true"`)+command("2", "exit 2", "")+command("3", "exit 0", "")+
		`</group><group name="g2">`+command("4", "exit 4", "")+command("5", "exit 0", "")+command("6", "exit 0", "")+`</group>`), nil)
	require.Equal(t, []string{"exit 1", "exit 2", "exit 4"}, r.commands.lines)
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.EqualValues(t, 4, r.result.ExitCode)
	require.Equal(t, "4", r.result.Step)
	require.Equal(t, "g2", r.result.Group)
	require.Equal(t, "g1:group-started 1:step-failed 1:failure-ignored 2:step-failed g1:group-failed g1:failure-ignored "+
		"g2:group-started 4:step-failed g2:group-failed", r.recorder.trace())
}

// TS-48: sequences build try and catch from a group with continue on error and a condition on the last result.
func TestTryCatchTS48(t *testing.T) {
	r := execute(t, parse(t, `<group name="try" continueOnError="true">`+command("work", "exit 7", "")+command("never", "exit 0", "")+
		`</group><group name="catch">`+variableCondition("_SMSTSLastActionSucceeded", "equals", "false")+
		command("rescue", "echo %_SMSTSLastActionName% %_SMSTSLastActionRetCode%", "")+command("raise", "exit 9", "")+`</group>`), nil)
	require.Equal(t, []string{"exit 7", "echo work 7", "exit 9"}, r.commands.lines)
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.EqualValues(t, 9, r.result.ExitCode)
}

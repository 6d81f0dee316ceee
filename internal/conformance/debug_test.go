package conformance_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
)

// debugged is a person at the debugger of a run on an installed machine.
type debugged struct {
	*client
	t     *testing.T
	ended chan error // of the agent's round
	keys  int
}

// debugHold is short, so that a moved clock is seen soon.
const debugHold = 50 * time.Millisecond

// debug deploys a sequence for debugging to one machine, whose agent begins it.
func (b *bench) debug(c *client, change func(*wire.DeploymentSpec), steps ...string) *debugged {
	b.t.Helper()
	spec := wire.DeploymentSpec{TaskSequence: b.tasks("Debugged", steps...).ID, Collection: b.collection("one", c.device).ID, Purpose: wire.Required,
		Assignments: asap, Debug: true, RestartOutsideWindow: true}
	if change != nil {
		change(&spec)
	}
	b.create(spec)
	d := &debugged{client: c, t: b.t}
	d.config.DebugHold = debugHold
	d.reopen()
	return d
}

// reopen is restart without a round, which would wait for a person.
func (d *debugged) reopen() {
	d.t.Helper()
	var err error
	d.Agent, err = agent.New(d.config)
	require.NoError(d.t, err)
}

// goes lets the agent do a round beside the test.
func (d *debugged) goes() {
	d.ended = make(chan error, 1)
	go func() { d.ended <- d.RunOnce(d.b.Ctx) }() // ends with the round
}

// until waits for a view that satisfies want.
func (d *debugged) until(what string, want func(wire.DebugView) bool) wire.DebugView {
	d.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for revision := int64(0); ; {
		status, _ := d.b.ask("GET", fmt.Sprintf("/runs/%s/debug", d.device.Name), nil)
		if status == http.StatusOK {
			v := call[wire.DebugView](d.b, "GET", fmt.Sprintf("/runs/%s/debug?after=%d&hold=1", d.device.Name, revision), nil)
			if want(v) {
				return v
			}
			revision = v.Revision
		}
		require.True(d.t, time.Now().Before(deadline), "%s does not come", what)
	}
}

// stands waits until the run is paused at a pointer.
func (d *debugged) stands(pointer int) wire.DebugView {
	d.t.Helper()
	return d.until(fmt.Sprintf("the pause at %d", pointer), func(v wire.DebugView) bool {
		return v.Reported != nil && v.Paused && v.Pointer == pointer && len(v.Pending) == 0
	})
}

// do says a word and waits until it was taken.
func (d *debugged) do(action string, pointer int) {
	d.t.Helper()
	d.keys++
	ask := wire.DebugAsk{Action: action, Pointer: pointer, Key: fmt.Sprint("k", d.keys)}
	c := call[wire.DebugCommand](d.b, "POST", "/runs/"+d.device.Name+"/debug", ask)
	again := call[wire.DebugCommand](d.b, "POST", "/runs/"+d.device.Name+"/debug", ask)
	require.Equal(d.t, c.Number, again.Number, "the same key is the same command")
}

func (d *debugged) ends() error {
	d.t.Helper()
	select {
	case err := <-d.ended:
		return err
	case <-time.After(30 * time.Second):
		require.Fail(d.t, "the agent's round does not end")
		return nil
	}
}

// debugging is row S-123: step, break, retry, skip, and who gets no debugger.
func debugging(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	d := b.debug(c, nil, command("one", "echo one"), command("two", "exit 7"), command("three", "echo three"), command("four", "exit 8"), command("five", "echo five"))
	d.goes()
	v := d.stands(0)
	require.Equal(t, []string{"one", "two", "three", "four", "five"}, nodeNames(v))
	require.Empty(t, c.commands.All(), "nothing runs before somebody says so")
	d.do("step", 0)
	d.stands(1)
	require.Equal(t, []string{"echo one"}, c.commands.All())
	d.do("break", 2)
	d.do("step", 0)
	v = d.stands(1)
	require.EqualValues(t, 7, v.Failed.Code, "DBG-4: it waits and does not end")
	require.Equal(t, []int{2}, v.Breaks)
	d.do("retry", 0)
	v = d.until("the second failure", func(v wire.DebugView) bool { return v.Paused && v.Failed != nil && len(c.commands.All()) == 3 })
	require.EqualValues(t, 7, v.Failed.Code)
	d.do("skip", 0)
	d.stands(2)
	d.do("run", 0)
	v = d.stands(3)
	require.EqualValues(t, 8, v.Failed.Code, "run stops at a failure")
	d.do("goto", 4)
	d.stands(4)
	d.do("run", 0)
	require.NoError(t, d.ends())
	require.Equal(t, []string{"echo one", "exit 7", "exit 7", "echo three", "exit 8", "echo five"}, c.commands.All())
	run := b.runs("")[0]
	require.Equal(t, wire.RunSucceeded, run.State)
	require.False(t, run.Debugging)
	texts := []string{}
	for _, e := range call[[]wire.Event](b, "GET", "/runs/"+run.ID+"/events", nil) {
		texts = append(texts, e.Text)
	}
	require.Contains(t, texts, "debugger: skip by root", "who did what is in the run's record")

	// Eleven members: refused, and not offered.
	devices := []wire.Device{}
	for i := range 11 {
		devices = append(devices, b.device(fmt.Sprint("many-", i)))
	}
	many := b.collection("Many", devices...)
	q := b.tasks("Tasks", command("one", "echo one"))
	p := b.refused("POST", "/deployments", wire.DeploymentSpec{TaskSequence: q.ID, Collection: many.ID, Debug: true})
	require.Equal(t, "DBG-1", p.Rule)
	offered := func() []string {
		out := []string{}
		for _, c := range call[[]wire.Collection](b, "GET", "/collections-for/"+q.ID+"?debug=true", nil) {
			out = append(out, c.Name)
		}
		return out
	}
	require.NotContains(t, offered(), "Many")
	require.NotContains(t, offered(), "All Unknown Computers")
	call[struct{}](b, "DELETE", "/collections/"+many.ID+"/members/many-0", nil)
	require.Contains(t, offered(), "Many")
	b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: many.ID, Debug: true})
}

func nodeNames(v wire.DebugView) []string {
	out := []string{}
	for _, n := range v.Tree {
		out = append(out, n.Name)
	}
	return out
}

func TestDBG5VariablesAreShownAndSecretOnesMasked(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	call[struct{}](b, "PUT", "/devices/pc-1/variables/OSDJoinPassword", wire.Variable{Name: "OSDJoinPassword", Value: "hush-hush-1", Hidden: true})
	call[struct{}](b, "PUT", "/devices/pc-1/variables/Seen", wire.Variable{Name: "Seen", Value: "in the open"})
	call[wire.Device](b, "POST", "/devices/pc-1/approve", nil)
	d := b.debug(c, nil, command("one", "echo %OSDJoinPassword%"))
	d.goes()
	v := d.stands(0)
	text := fmt.Sprint(v.Variables)
	require.Contains(t, text, "in the open")
	require.NotContains(t, text, "hush-hush-1")
	i := slices.IndexFunc(v.Variables, func(v wire.DebugVariable) bool { return v.Name == "OSDJoinPassword" })
	require.True(t, v.Variables[i].Secret)
	d.do("run", 0)
	require.NoError(t, d.ends())
	require.Equal(t, []string{"echo hush-hush-1"}, c.commands.All(), "the step gets the real value")
}

func TestDBG2TSDebugModeAndTSDebugOnError(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	call[struct{}](b, "PUT", "/devices/pc-1/variables/TSDebugMode", wire.Variable{Name: "TSDebugMode", Value: "TRUE"})
	d := b.debug(c, func(s *wire.DeploymentSpec) { s.Debug = false }, command("one", "echo one"))
	d.goes()
	d.stands(0)
	d.do("run", 0)
	require.NoError(t, d.ends())

	other := b.client("pc-2", "UTC")
	call[struct{}](b, "PUT", "/devices/pc-2/variables/TSDebugOnError", wire.Variable{Name: "TSDebugOnError", Value: "TRUE"})
	e := &debugged{client: other, t: t}
	e.config.DebugHold = debugHold
	b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Fails", command("one", "echo one"), command("two", "exit 9"), command("three", "echo three")).ID,
		Collection: b.collection("two", other.device).ID, Purpose: wire.Required, Assignments: asap})
	e.reopen()
	e.goes()
	require.EqualValues(t, 9, e.stands(1).Failed.Code)
	e.do("fail", 0)
	require.NoError(t, e.ends())
	run := b.runs("")[0]
	require.Equal(t, wire.RunFailed, run.State)
	require.EqualValues(t, 9, run.ExitCode)
}

func TestDBG6NobodyAttachesForAnHour(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	d := b.debug(c, nil, command("one", "echo one"))
	d.goes()
	d.stands(0) // somebody looked
	b.at(b.Clock.Now().Add(50 * time.Minute))
	d.stands(0) // and again
	b.at(b.Clock.Now().Add(50 * time.Minute))
	d.stands(0)
	b.at(b.Clock.Now().Add(61 * time.Minute))
	require.NoError(t, d.ends())
	run := b.runs("")[0]
	require.Equal(t, wire.RunFailed, run.State)
	require.Contains(t, run.Message, "DBG-6")
	require.Empty(t, c.commands.All())
}

func TestDBG7BreaksSurviveARestartAndTheApplianceToo(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	d := b.debug(c, nil, command("one", "echo one"), restartStep, command("two", "echo two"), command("three", "echo three"))
	d.goes()
	d.stands(0)
	d.do("break", 3)
	d.do("run", 0)
	require.Error(t, d.ends(), "the machine restarts")
	d.reopen()
	d.goes()
	v := d.stands(3)
	require.Equal(t, []int{3}, v.Breaks, "OPN-8")
	require.Equal(t, []string{"echo one", "echo two"}, c.commands.All())
	d.do("step", 0)
	require.NoError(t, d.ends())
	require.Len(t, c.commands.All(), 3)
}

func TestDBG8TheOlderOfNormalAndDebugIsShown(t *testing.T) {
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprint("debug first ", first), func(t *testing.T) {
			b := newBench(t)
			c := b.client("pc-1", "UTC")
			q := b.tasks("Tasks", command("one", "echo one"))
			one := b.collection("one", c.device)
			older := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: one.ID, Debug: first})
			newer := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: one.ID, Debug: !first})
			c.round()
			require.True(t, c.sees(older.ID))
			require.False(t, c.sees(newer.ID), "PXE-28")
		})
	}
}

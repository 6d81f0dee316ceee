package tsengine_test

import (
	"context"
	"errors"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// moody is a person who says anything at any time, and a machine that dies now and then.
type moody struct {
	dice  *rand.Rand
	left  int // commands until nothing is said but run and cancel
	nodes int
	t     *testing.T
}

var errDied = errors.New("the machine died")

func (m *moody) Next(_ context.Context, at tsengine.Standing) (tsengine.DebugCommand, error) {
	for _, b := range at.Breaks {
		require.Less(m.t, b, m.nodes)
	}
	require.True(m.t, at.Left || at.Pointer < m.nodes)
	if m.left--; m.left > 0 && m.dice.Intn(20) == 0 {
		return tsengine.DebugCommand{}, errDied
	}
	if !at.Paused && m.dice.Intn(3) > 0 {
		return tsengine.DebugCommand{}, nil
	}
	actions := []tsengine.DebugAction{tsengine.DebugStep, tsengine.DebugRun, tsengine.DebugGoto, tsengine.DebugBreak, tsengine.DebugClear, tsengine.DebugClearAll,
		tsengine.DebugRetry, tsengine.DebugSkip, tsengine.DebugFail, tsengine.DebugStep, tsengine.DebugStep, "dance", "", tsengine.DebugQuit, tsengine.DebugCancel, tsengine.DebugAbandon}
	switch {
	case m.left <= 0:
		actions = []tsengine.DebugAction{tsengine.DebugClearAll, tsengine.DebugSkip, tsengine.DebugCancel}
	case m.dice.Intn(10) > 0: // the last three end it
		actions = actions[:len(actions)-3]
	}
	c := tsengine.DebugCommand{Number: at.Taken + uint64(m.dice.Intn(3)), Action: actions[m.dice.Intn(len(actions))], Pointer: m.dice.Intn(m.nodes+2) - 1, By: "ann"}
	return c, nil
}

// DBG-3, DBG-4, DBG-7: whatever people say and whenever the machine dies, the run comes to an end of its own, and no command
// of a sequence that nobody moved about in runs without having been asked for.
func TestDebuggerAtRandom(t *testing.T) {
	s := parse(t, command("first", "a", "")+`<group name="g" continueOnError="true">`+command("bad", "exit 7", "")+command("after", "b", "")+`</group>`+
		`<group name="off" disable="true">`+command("never", "never", "")+`</group>`+setVariable("V", "1")+command("fails", "exit 9", "")+
		`<group name="last">`+command("deep", "c", `continueOnError="true"`)+`</group>`)
	nodes := len(engineOf(t, s, nil, nil, &commands{}, &store{}).Tree())
	ends := map[tsengine.Outcome]int{}
	for seed := range int64(300) {
		m := &moody{dice: rand.New(rand.NewSource(seed)), left: 60, nodes: nodes, t: t}
		kept, c := &store{}, &commands{}
		var from *tsengine.Checkpoint
		for starts := 0; ; starts++ {
			require.Less(t, starts, 100, "seed %d", seed)
			r, err := engineOf(t, s, m, from, c, kept).Run(t.Context())
			if err == nil {
				ends[r.Outcome]++
				break
			}
			require.ErrorIs(t, err, errDied, "seed %d", seed)
			from = kept.last(t)
		}
		require.NotContains(t, c.lines, "never", "seed %d", seed)
	}
	require.Positive(t, ends[tsengine.Succeeded])
	require.Positive(t, ends[tsengine.Failed])
}

func engineOf(t *testing.T, s *sequence.Sequence, d tsengine.Debugger, from *tsengine.Checkpoint, c *commands, kept *store) *tsengine.Engine {
	t.Helper()
	e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: kept, Debugger: d, Debug: d != nil, Checkpoint: from,
		Machine: machine.Capabilities{Commands: c}})
	require.NoError(t, err)
	return e
}

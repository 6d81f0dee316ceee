package site_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// DBG-3: who told a run what is on the record, before the machine hears of it; a command given again by its key is not twice.
func TestDBG3CommandsAreRecorded(t *testing.T) {
	s := sitetest.New(t)
	who, run := debugRun(t, s)
	_, err := s.DebugReport(s.Ctx, who, run, report(wire.WinPE, true))
	require.NoError(t, err)
	ann := site.WithActor(s.Ctx, "ann")
	gone, hangUp := context.WithCancel(ann)
	hangUp()
	_, err = s.DebugCommand(gone, run, wire.DebugAsk{Action: "skip"})
	require.Error(t, err)
	for _, ask := range []wire.DebugAsk{{Action: "goto", Pointer: 1, Key: "k"}, {Action: "goto", Pointer: 1, Key: "k"}, {Action: "cancel"}} {
		_, err = s.DebugCommand(ann, run, ask)
		require.NoError(t, err)
	}
	orders, err := s.DebugReport(s.Ctx, who, run, report(wire.WinPE, true))
	require.NoError(t, err)
	require.Len(t, orders.Commands, 2)
	list, err := s.Messages(s.Ctx, "audit")
	require.NoError(t, err)
	var told []string
	for _, m := range list {
		if m.Run == run && m.Rule == "DBG-3" {
			told = append(told, m.Actor+": "+m.Text)
		}
	}
	require.Equal(t, []string{"ann: debugger told: cancel", "ann: debugger told: goto 1"}, told)
}

// What many debugged runs hold in memory is bounded; what was forgotten comes again when somebody looks.
func TestDebugMemoryIsBounded(t *testing.T) {
	s := sitetest.New(t)
	type machine struct {
		who site.Session
		run string
	}
	machines := make([]machine, 30)
	q := s.Sequence("S", true)
	for i := range machines {
		d := s.Device(fmt.Sprintf("lab-%02d", i), i+1)
		dep := s.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: s.Collection(d.Name, d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE, Debug: true})
		m := machine{who: site.Session{Device: d.ID, Environment: wire.WinPE, LaunchMode: wire.LaunchPXE}}
		run, err := s.Claim(s.Ctx, m.who, wire.ClaimRequest{Deployment: dep.ID, Key: d.ID, Environment: wire.WinPE, LaunchMode: wire.LaunchPXE})
		require.NoError(t, err)
		m.run = run.ID
		machines[i] = m
	}
	large := func() wire.DebugReport {
		r := report(wire.WinPE, true)
		r.Variables = make([]wire.DebugVariable, 1000)
		for i := range r.Variables {
			r.Variables[i] = wire.DebugVariable{Name: fmt.Sprint("V", i), Value: strings.Repeat("x", 4000)}
		}
		return r
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for _, m := range machines { // 120 MB together
		s.Clock.Advance(time.Second)
		_, err := s.DebugReport(s.Ctx, m.who, m.run, large())
		require.NoError(t, err)
	}
	require.Less(t, heap()-before, int64(48<<20))
	small := report(wire.WinPE, true)
	small.Tree = nil
	orders, err := s.DebugReport(s.Ctx, machines[0].who, machines[0].run, small)
	require.NoError(t, err)
	require.False(t, orders.WantAll, "nobody looks, and there is no room")
	orders, err = s.DebugReport(s.Ctx, machines[29].who, machines[29].run, small)
	require.NoError(t, err)
	require.False(t, orders.WantAll, "it is there")

	told := make(chan error, 1)
	ready := make(chan struct{})
	go func() { // a machine that waits hears at once that somebody came
		<-ready
		r := small
		r.Hold = wire.Duration(20 * time.Second)
		orders, err := s.DebugReport(s.Ctx, machines[0].who, machines[0].run, r)
		if err == nil && !orders.WantAll {
			err = errors.New("it was not asked")
		}
		if err == nil {
			_, err = s.DebugReport(s.Ctx, machines[0].who, machines[0].run, large())
		}
		told <- err
	}()
	close(ready)
	var view wire.DebugView
	for len(view.Variables) == 0 {
		view, err = s.DebugView(s.Ctx, machines[0].run, 0, 20*time.Second)
		require.NoError(t, err)
	}
	require.NoError(t, <-told)
	require.Len(t, view.Variables, 1000)
	require.Less(t, heap()-before, int64(48<<20))
}

// People attach, step, cancel, quit and open shells at random while the run's machine asks, goes away, starts anew and the run
// ends; -race looks on. Nothing hangs, and what has ended is not debugged any more.
func TestDebugAtRandom(t *testing.T) {
	for round := range 4 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			s := sitetest.New(t)
			who, run := debugRun(t, s)
			ctx, stop := context.WithTimeout(s.Ctx, 30*time.Second)
			defer stop()
			var people, machines sync.WaitGroup
			for i := range 3 { // one machine, and what is left of it from before its kills
				machines.Go(func() {
					dice := rand.New(rand.NewSource(int64(round*100 + i)))
					taken := int64(0)
					for {
						hasty, cancel := context.WithTimeout(ctx, time.Duration(1+dice.Intn(20))*time.Millisecond)
						r := report(wire.WinPE, dice.Intn(4) > 0)
						r.Taken, r.Hold, r.Ended = taken, wire.Duration(time.Second), dice.Intn(50) == 0
						if dice.Intn(2) == 0 {
							r.Tree = nil
						}
						orders, err := s.DebugReport(hasty, who, run, r)
						for _, c := range orders.Commands {
							taken = c.Number
						}
						if err == nil && orders.Shell != nil {
							_, _ = s.ShellOutput(hasty, who, run, orders.Shell.ID, wire.ShellChunk{Data: []byte("$ ")})
							_, _ = s.ShellInput(hasty, who, run, orders.Shell.ID, wire.ShellAsk{Hold: wire.Duration(time.Second)})
						}
						cancel()
						if err != nil && strings.Contains(err.Error(), "cancelled") || ctx.Err() != nil {
							return
						}
					}
				})
			}
			done := make(chan struct{})
			for i := range 4 {
				people.Go(func() {
					dice := rand.New(rand.NewSource(int64(round*100 + 50 + i)))
					name := site.WithActor(ctx, fmt.Sprint("p", i))
					for {
						select {
						case <-done:
							return
						default:
						}
						hasty, cancel := context.WithTimeout(name, time.Duration(1+dice.Intn(20))*time.Millisecond)
						switch dice.Intn(4) {
						case 0:
							_, _ = s.DebugView(hasty, run, int64(dice.Intn(3)), time.Second)
						case 1:
							_, _ = s.DebugCommand(hasty, run, wire.DebugAsk{Action: []string{"step", "run", "quit", "cancel", "break"}[dice.Intn(5)], Pointer: dice.Intn(2)})
						case 2:
							if sh, err := s.OpenShell(hasty, run, wire.ShellOpen{}); err == nil {
								_, _ = s.ShellWrite(hasty, run, sh.ID, wire.ShellChunk{Data: []byte("id\n")})
								_, _ = s.ShellRead(hasty, run, sh.ID, 0, time.Second)
							}
						case 3:
							_, _ = s.DebugView(hasty, "lab-01", 0, 0)
						}
						cancel()
					}
				})
			}
			for range 200 { // some work is done before the run ends
				_, _ = s.DebugView(ctx, run, 0, 0)
			}
			_, err := s.Cancel(s.Ctx, run)
			require.NoError(t, err)
			machines.Wait()
			require.NoError(t, ctx.Err(), "the machines heard of the end")
			view, err := s.DebugView(s.Ctx, run, 0, 0)
			require.NoError(t, err)
			require.Equal(t, wire.RunCancelled, view.State)
			require.Empty(t, view.Tree)
			close(done)
			people.Wait()
		})
	}
}

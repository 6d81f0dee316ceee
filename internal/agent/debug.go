package agent

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
)

const (
	// debugPatience is how long a paused run waits while nobody is attached, counted from the pause, the restart or when
	// somebody was there last (DBG-6).
	debugPatience = time.Hour
	// debugHold is how long the appliance may hold a paused run's request.
	debugHold = 20 * time.Second
	// debugGlance is how often a run that is not paused asks for commands, and debugGlanceTime how long that may take.
	debugGlance     = 500 * time.Millisecond
	debugGlanceTime = 5 * time.Second
	// maxDebugText and maxDebugTotal bound the variables that are shown.
	maxDebugText  = 4096
	maxDebugTotal = 2 << 20
)

// debugger is the line between the engine and the people who debug the run (TS-173). The machine asks, since nobody can
// reach it: a paused run asks again and again, and the appliance holds the answer until somebody says something. It is
// used by the goroutine of the run.
type debugger struct {
	*job
	engine *tsengine.Engine
	hold   time.Duration
	pause  link.Backoff // between tries of an appliance that does not answer

	queue   []wire.DebugCommand
	at      *tsengine.Standing // told last
	known   bool               // the appliance has tree and variables
	since   time.Time          // since when nobody is attached
	glanced time.Time
	tries   int // that failed in a row

	shells sync.WaitGroup
	stop   context.CancelFunc // ends the shells
	alive  context.Context
}

func (j *job) newDebugger(ctx context.Context) *debugger {
	d := &debugger{job: j, hold: j.debugHold, pause: link.Backoff{First: time.Second, Max: 15 * time.Second}}
	if d.hold <= 0 {
		d.hold = debugHold
	}
	d.alive, d.stop = context.WithCancel(ctx)
	return d
}

// end closes the shells and waits for them.
func (d *debugger) end() {
	d.stop()
	d.shells.Wait()
}

// Next implements tsengine.Debugger.
func (d *debugger) Next(ctx context.Context, at tsengine.Standing) (tsengine.DebugCommand, error) {
	if at.Left {
		d.glance(ctx, at)
		return tsengine.DebugCommand{}, nil
	}
	now := d.clock.Now()
	if d.at == nil || at.Paused && (!d.at.Paused || d.at.Pointer != at.Pointer || d.at.Taken != at.Taken) {
		d.since = now
	}
	for {
		if c, ok := d.pop(at.Taken); ok {
			return c, nil
		}
		if !at.Paused {
			if now.Sub(d.glanced) < debugGlance && !now.Before(d.glanced) {
				return tsengine.DebugCommand{}, nil
			}
			d.glance(ctx, at)
			c, _ := d.pop(at.Taken)
			return c, nil
		}
		if d.clock.Now().Sub(d.since) >= debugPatience {
			return tsengine.DebugCommand{Action: tsengine.DebugAbandon}, nil
		}
		if err := d.wait(ctx, at); err != nil {
			return tsengine.DebugCommand{}, err
		}
	}
}

// pop takes the next command that was not taken yet.
func (d *debugger) pop(taken uint64) (tsengine.DebugCommand, bool) {
	for len(d.queue) > 0 {
		c := d.queue[0]
		d.queue = d.queue[1:]
		if uint64(max(c.Number, 0)) > taken {
			return tsengine.DebugCommand{Number: uint64(c.Number), Action: tsengine.DebugAction(c.Action), Pointer: c.Pointer, By: cut(c.By)}, true
		}
	}
	return tsengine.DebugCommand{}, false
}

// glance asks without waiting; an appliance that does not answer does not stop a run that is not paused.
func (d *debugger) glance(ctx context.Context, at tsengine.Standing) {
	ctx, cancel := context.WithTimeout(ctx, debugGlanceTime)
	defer cancel()
	if err := d.ask(ctx, at, 0); err != nil && ctx.Err() == nil {
		d.kit.log.Warn("the appliance does not hear where the debugged run stands", "err", err)
	}
	d.glanced = d.clock.Now()
}

// wait asks and lets the appliance hold the answer. It returns when there may be a command, or after a pause when the
// appliance does not answer.
func (d *debugger) wait(ctx context.Context, at tsengine.Standing) error {
	if d.at == nil || d.at.Pointer != at.Pointer || !d.at.Paused {
		d.console.Say("the task sequence is paused in the debugger at pointer %d: 'bootyard run debug %s' attaches to it", at.Pointer, d.run.ID)
	}
	limited, cancel := context.WithTimeout(ctx, d.hold+time.Minute)
	err := d.ask(limited, at, d.hold)
	cancel()
	if err == nil {
		if d.tries > 0 {
			d.console.Say("the appliance is back: the paused run can be debugged again")
		}
		d.tries = 0
		return nil
	}
	if ctx.Err() != nil || !link.Temporary(err) {
		return fmt.Errorf("ask what the debugger is to do: %w", err)
	}
	if d.tries++; d.tries == 1 {
		d.console.Say("the appliance does not answer, and nobody can debug the paused run meanwhile: %v", err)
	}
	d.known = false // it may be another one when it is back
	return d.clock.Sleep(ctx, d.pause.Wait(d.tries))
}

// ask reports where the run stands and queues what people say.
func (d *debugger) ask(ctx context.Context, at tsengine.Standing, hold time.Duration) error {
	report := wire.DebugReport{Hold: wire.Duration(hold), Ended: at.Left, DebugStanding: wire.DebugStanding{Environment: d.environment,
		Pointer: at.Pointer, Paused: at.Paused, Breaks: at.Breaks, Taken: int64(at.Taken), Refused: at.Refused}}
	if at.Failed != nil {
		report.Failed = &wire.DebugFailure{Code: at.Failed.Code, Reason: cut(at.Failed.Reason)}
	}
	if !d.known {
		report.Tree = d.tree()
	}
	moved := d.at == nil || d.at.Pointer != at.Pointer || d.at.Taken != at.Taken || d.at.Paused != at.Paused
	if !d.known || moved && at.Paused {
		report.Variables = d.list()
	}
	d.at = &at
	var orders wire.DebugOrders
	if err := d.line.Do(ctx, http.MethodPost, link.Path(wire.PathDebug, "run", d.run.ID), report, &orders); err != nil {
		return err
	}
	d.known = !orders.WantAll
	if orders.Attached {
		d.since = d.clock.Now()
	}
	d.queue = append(d.queue[:0], orders.Commands...)
	if orders.Shell != nil {
		d.openShell(*orders.Shell)
	}
	return nil
}

// tree is the sequence as people see it. A longer one is shown up to the bound.
func (d *debugger) tree() []wire.DebugNode {
	nodes := d.engine.Tree()
	out := make([]wire.DebugNode, 0, len(nodes))
	for _, n := range nodes[:min(len(nodes), wire.MaxDebugNodes)] {
		name := []rune(n.Name)
		out = append(out, wire.DebugNode{Depth: n.Depth, Kind: n.Kind, Name: string(name[:min(len(name), 100)]), Type: n.Type, Disabled: n.Disabled})
	}
	return out
}

// list are the variables, secret ones masked (DBG-5).
func (d *debugger) list() []wire.DebugVariable {
	out, total := []wire.DebugVariable{}, 0
	for _, v := range d.engine.Variables().List() {
		value := v.Value
		if len(value) > maxDebugText {
			value = value[:maxDebugText-10] + " ..."
		}
		if total += len(v.Name) + len(value); total > maxDebugTotal || len(out) >= wire.MaxDebugVariables {
			break
		}
		out = append(out, wire.DebugVariable{Name: v.Name, Value: value, Secret: v.Secret})
	}
	return out
}

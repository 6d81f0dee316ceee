package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// debugActions are what a person may say (DBG-3, DBG-4).
var debugActions = []string{"step", "run", "goto", "break", "clear", "clear-all", "retry", "skip", "fail", "cancel", "quit"}

// DebugReport takes what a run in debug mode says and answers with what people
// told it to do.
func (s *Service) DebugReport(ctx context.Context, who Session, id string, in wire.DebugReport) (out wire.DebugOrders, err error) {
	if len(in.Tree) > wire.MaxDebugNodes || len(in.Variables) > wire.MaxDebugVariables || len(in.Breaks) > wire.MaxDebugNodes || in.Taken < 0 {
		return out, invalid("TS-173", "tree", fmt.Sprintf("a report has at most %d nodes and %d variables", wire.MaxDebugNodes, wire.MaxDebugVariables), "")
	}
	desk := &s.debug
	desk.mu.Lock()
	defer desk.mu.Unlock()
	for left := -1; left != desk.left; { // a run that ends after it was looked at must not come back
		left = desk.left
		desk.mu.Unlock()
		err := s.debugContact(ctx, who, id, !in.Ended)
		desk.mu.Lock()
		if err != nil {
			return out, err
		}
	}
	if in.Ended {
		desk.drop(id)
		return out, nil
	}
	now := s.Now().UTC()
	r := desk.of(id, now)
	r.take(in, now)
	desk.shrink(r, now)
	ready := func() bool {
		return len(r.pending) > 0 || desk.wantsAll(r, s.Now()) || r.shell != nil && !r.shell.ordered
	}
	if err := desk.hold(ctx, r, durationOf(in.Hold), ready); err != nil {
		return out, err
	}
	if err := ctx.Err(); err != nil {
		return out, err // nobody hears the answer, so a shell is not ordered by it
	}
	out.Commands, out.WantAll = slices.Clone(r.pending), desk.wantsAll(r, s.Now())
	out.Attached = len(r.attached(s.Now())) > 0
	if r.shell != nil && !r.shell.ordered {
		r.shell.ordered = true
		out.Shell = &wire.ShellOrder{ID: r.shell.id, ShellOpen: r.shell.open}
	}
	return out, nil
}

// take stores a report. What a machine sends is cut to what a screen can show.
func (r *debugRun) take(in wire.DebugReport, now time.Time) {
	before := r.standing
	in.Refused = printable(in.Refused, 256)
	if in.Failed != nil {
		in.Failed.Reason = printable(in.Failed.Reason, 1024)
	}
	r.standing, r.reported = in.DebugStanding, &now
	if in.Tree != nil {
		for i := range in.Tree {
			n := &in.Tree[i]
			n.Depth, n.Kind, n.Name, n.Type = min(max(n.Depth, 0), 100), printable(n.Kind, 32), printable(n.Name, 256), printable(n.Type, 128)
		}
		r.tree = in.Tree
	}
	if in.Variables != nil {
		for i := range in.Variables {
			v := &in.Variables[i]
			v.Name, v.Value = printable(v.Name, 256), printable(v.Value, 4096)
		}
		r.variables = in.Variables
	}
	if in.Tree != nil || in.Variables != nil {
		r.size = 0
		for _, n := range r.tree {
			r.size += len(n.Kind) + len(n.Name) + len(n.Type) + 64
		}
		for _, v := range r.variables {
			r.size += len(v.Name) + len(v.Value) + 48
		}
	}
	r.number = max(r.number, in.Taken)
	pending := len(r.pending)
	r.pending = slices.DeleteFunc(r.pending, func(c wire.DebugCommand) bool { return c.Number <= in.Taken })
	if in.Tree != nil || in.Variables != nil || pending != len(r.pending) || before.Pointer != in.Pointer || before.Paused != in.Paused ||
		before.Taken != in.Taken || (before.Failed == nil) != (in.Failed == nil) {
		r.bump()
	}
}

// debugContact checks whose run it is, and writes down now and then that the
// machine was heard of.
func (s *Service) debugContact(ctx context.Context, who Session, id string, debugging bool) error {
	var run store.Run
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		if run, err = ownRun(tx, who, id); err == nil && run.State != wire.RunRunning {
			err = ended(run)
		}
		return err
	})
	now := s.Now().UTC()
	if err != nil || run.Debugging == debugging && now.Sub(run.LastContact) < debugContact {
		return err
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		run, err := ownRun(tx, who, id)
		if err != nil || run.State != wire.RunRunning {
			return err
		}
		run.Debugging, run.LastContact = debugging, now
		return tx.PutRun(run)
	})
	s.feed.bump()
	return err
}

// debugged finds a run that people want to debug, by its id or its device.
func (s *Service) debugged(ctx context.Context, ref string) (run store.Run, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if run, err = tx.Run(ref); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		d, err := findDevice(tx, ref)
		if err != nil {
			return err
		}
		if run, err = tx.ActiveRun(d.ID); errors.Is(err, store.ErrNotFound) {
			return refusal(409, "TS-173", "run", d.Name+" has no run in progress", "start the machine, or deploy something to it with --debug")
		}
		return err
	})
	if err == nil && run.State == wire.RunRunning && !run.Debugging {
		err = refusal(409, "DBG-2", "run", "the run is not in debug mode",
			"deploy with --debug, or set the variable TSDebugMode or TSDebugOnError to TRUE on the device; then it stops by itself")
	}
	return run, err
}

// DebugView shows a run in debug mode and attaches who asks. With after above 0
// it waits up to hold for a revision that is not after.
func (s *Service) DebugView(ctx context.Context, ref string, after int64, hold time.Duration) (wire.DebugView, error) {
	run, err := s.debugged(ctx, ref)
	if err != nil {
		return wire.DebugView{}, err
	}
	desk := &s.debug
	desk.mu.Lock()
	defer desk.mu.Unlock()
	if run.State == wire.RunRunning {
		r := desk.of(run.ID, s.Now())
		s.attach(r, actor(ctx))
		told := func() bool { return r.reported != nil && r.tree != nil }
		if !told() {
			hold = min(hold, debugUnheard)
		}
		if after > 0 || !told() {
			if err := desk.hold(ctx, r, hold, func() bool { return r.revision != after && told() }); err != nil {
				return wire.DebugView{}, err
			}
		}
		if !r.gone && r.reported != nil {
			s.attach(r, actor(ctx))
			return r.view(run, s.Now()), nil
		}
		// It has ended meanwhile or left debug mode, or the machine is silent.
		desk.mu.Unlock()
		run, err = s.debugged(ctx, run.ID)
		desk.mu.Lock()
		if err != nil {
			return wire.DebugView{}, err
		}
		if run.State == wire.RunRunning {
			return desk.known(run.ID).view(run, s.Now()), nil
		}
	}
	return (&debugRun{}).view(run, s.Now()), nil
}

// attach notes that somebody is there (DBG-6).
func (s *Service) attach(r *debugRun, name string) {
	now := s.Now()
	_, known := r.people[name]
	if !known && len(r.people) >= maxDebugPeople {
		maps.DeleteFunc(r.people, func(_ string, at time.Time) bool { return now.Sub(at) >= debugPresence })
		if len(r.people) >= maxDebugPeople {
			return
		}
	}
	news := !known || now.Sub(r.people[name]) >= debugPresence
	r.people[name] = now
	if news {
		r.bump()
	}
}

func (r *debugRun) view(run store.Run, now time.Time) wire.DebugView {
	v := wire.DebugView{Run: run.ID, Device: run.Device, DeviceName: run.DeviceName, SequenceName: run.SequenceName, State: run.State,
		Message: run.Message, Revision: r.revision, Reported: r.reported, DebugStanding: r.standing, Tree: r.tree, Variables: r.variables,
		Pending: slices.Clone(r.pending), Last: r.last, Attached: r.attached(now)}
	v.Environment = cmp.Or(v.Environment, run.Awaits)
	if v.Tree == nil {
		v.Tree = []wire.DebugNode{}
	}
	if v.Variables == nil {
		v.Variables = []wire.DebugVariable{}
	}
	return v
}

// DebugCommand tells a run in debug mode what to do. Of several people the last
// one's word counts: commands are carried out in their order.
func (s *Service) DebugCommand(ctx context.Context, ref string, ask wire.DebugAsk) (c wire.DebugCommand, err error) {
	if !slices.Contains(debugActions, ask.Action) {
		return c, invalid("DBG-3", "action", fmt.Sprintf("%q is no command of the debugger", printable(ask.Action, 40)),
			"use step, run, goto, break, clear, clear-all, retry, skip, fail, cancel or quit")
	}
	if len(ask.Key) > 64 {
		return c, invalid("", "key", "a key has at most 64 characters", "")
	}
	run, err := s.debugged(ctx, ref)
	if err == nil && run.State != wire.RunRunning {
		err = ended(run)
	}
	if err != nil {
		return c, err
	}
	desk := &s.debug
	desk.mu.Lock()
	defer desk.mu.Unlock()
	if c, err = s.mayCommand(desk.known(run.ID), ask, actor(ctx)); err != nil || c.Number > 0 {
		return c, err
	}
	// It is on the record before the machine can hear of it, as a shell is.
	desk.mu.Unlock()
	err = s.recordCommand(ctx, run, ask)
	desk.mu.Lock()
	if err != nil {
		return c, err
	}
	r := desk.known(run.ID)
	if c, err = s.mayCommand(r, ask, actor(ctx)); err != nil || c.Number > 0 {
		return c, err
	}
	r.number++
	c = wire.DebugCommand{Number: r.number, Action: ask.Action, Pointer: ask.Pointer, By: actor(ctx), Time: s.Now().UTC()}
	r.pending, r.last = append(r.pending, c), &c
	if ask.Key != "" {
		if len(r.keys) >= 4*maxDebugPending {
			clear(r.keys)
		}
		r.keys[ask.Key] = c.Number
	}
	s.attach(r, actor(ctx))
	r.bump()
	return c, nil
}

// mayCommand says why a run takes no command now, or returns the one that was given by the same key before. Call it locked.
func (s *Service) mayCommand(r *debugRun, ask wire.DebugAsk, by string) (given wire.DebugCommand, err error) {
	if r.reported == nil {
		// Its numbers are not known before the machine has spoken.
		return given, refusal(409, "TS-173", "run", "the machine has not reported since the appliance was started", "try again in half a minute")
	}
	if number := r.keys[ask.Key]; ask.Key != "" && number != 0 {
		return wire.DebugCommand{Number: number, Action: ask.Action, Pointer: ask.Pointer, By: by, Time: s.Now().UTC()}, nil
	}
	if n := len(r.tree); ask.Pointer < 0 || n > 0 && ask.Pointer >= n {
		return given, invalid("TS-152", "pointer", fmt.Sprintf("the sequence has the pointers 0 to %d", n-1), "see the numbers in the tree")
	}
	if len(r.pending) >= maxDebugPending {
		return given, refusal(429, "", "action", "the machine has not taken the commands before this one yet", "wait until its step has ended")
	}
	return given, nil
}

// recordCommand writes down who told a run what.
func (s *Service) recordCommand(ctx context.Context, run store.Run, ask wire.DebugAsk) error {
	what := ask.Action
	switch what {
	case "goto", "break", "clear":
		what = fmt.Sprintf("%s %d", what, ask.Pointer)
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "DBG-3", Device: run.Device, Deployment: run.Deployment, Run: run.ID, Text: "debugger told: " + what})
	})
}

package cli_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bootyard/bootyard/internal/client"
	"github.com/bootyard/bootyard/internal/wire"
)

// toy is a machine in the debugger: three steps, the second of which fails once.
type toy struct {
	agent  *client.Client
	run    string
	report wire.DebugReport
	failed bool
	over   bool
}

// debugs DEPLOYMENT MAC plays a machine whose run is in debug mode, until the script ends.
func debugs(ts *testscript.TestScript, neg bool, args []string) {
	machine(ts, neg, []string{args[1], args[0], "running"})
	agent, err := client.New(client.Options{Socket: ts.Getenv("BOOTYARD_SOCKET"), Token: ts.Getenv("SESSION")})
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	ts.Defer(func() { cancel(); <-done })
	m := &toy{agent: agent, run: ts.Getenv("RUN")}
	m.report = wire.DebugReport{Hold: wire.Duration(time.Second),
		DebugStanding: wire.DebugStanding{Environment: wire.WinPE, Paused: true},
		Tree: []wire.DebugNode{{Kind: "group", Name: "Install"}, {Depth: 1, Kind: "step", Name: "first", Type: "RunCommandLine"},
			{Depth: 1, Kind: "step", Name: "fails once"}, {Depth: 1, Kind: "step", Name: "last"}},
		Variables: []wire.DebugVariable{{Name: "OSDComputerName", Value: "pc-1"}, {Name: "OSDJoinPassword", Value: "********", Secret: true}}}
	ts.Check(m.ask(ctx, &wire.DebugOrders{}, 0))
	go func() { // ends with ctx or the run
		defer close(done)
		for ctx.Err() == nil && !m.over {
			var orders wire.DebugOrders
			if m.ask(ctx, &orders, time.Second) != nil {
				return
			}
			for _, c := range orders.Commands {
				m.obey(ctx, c)
			}
			if s := orders.Shell; s != nil {
				m.shell(ctx, *s)
			}
		}
	}()
}

func (m *toy) to(path string) string { return strings.Replace(path, "{run}", m.run, 1) }

func (m *toy) ask(ctx context.Context, orders *wire.DebugOrders, hold time.Duration) error {
	m.report.Hold = wire.Duration(hold)
	return m.agent.Do(ctx, http.MethodPost, m.to(wire.PathDebug), m.report, orders)
}

func (m *toy) obey(ctx context.Context, c wire.DebugCommand) {
	s := &m.report.DebugStanding
	s.Taken, s.Refused = c.Number, ""
	switch c.Action {
	case "step", "run", "retry":
		for {
			if s.Failed = nil; s.Pointer == 2 && !m.failed {
				m.failed, s.Failed = true, &wire.DebugFailure{Code: 7, Reason: "it had to"}
				return
			}
			if s.Pointer++; s.Pointer > 3 {
				m.finish(ctx, true)
				return
			}
			if c.Action != "run" || slices.Contains(s.Breaks, s.Pointer) {
				return
			}
		}
	case "goto":
		s.Pointer, s.Failed = c.Pointer, nil
	case "skip":
		s.Pointer, s.Failed = s.Pointer+1, nil
	case "break":
		s.Breaks = append(s.Breaks, c.Pointer)
	case "clear-all":
		s.Breaks = nil
	case "fail":
		if s.Failed == nil {
			s.Refused = "no step has failed here"
		}
	case "cancel":
		m.finish(ctx, false)
	case "quit":
		m.report.Ended, m.over = true, true
		_ = m.ask(ctx, nil, 0) // the script sees what comes of it
	}
}

func (m *toy) finish(ctx context.Context, succeeded bool) {
	m.over = true
	_ = m.agent.Do(ctx, http.MethodPost, m.to(wire.PathFinish), wire.Finish{Succeeded: succeeded, Message: "told to", Time: time.Now()}, nil)
}

// shell prints what it was told, or what was typed until Ctrl-D.
func (m *toy) shell(ctx context.Context, order wire.ShellOrder) {
	path := func(p string) string { return strings.Replace(m.to(p), "{shell}", order.ID, 1) }
	text := order.Command
	for text == "" || order.Command == "" && !strings.HasSuffix(text, "\x04") {
		var in wire.ShellChunk
		if m.agent.Do(ctx, http.MethodPost, path(wire.PathShellIn), wire.ShellAsk{Offset: int64(len(text)), Hold: wire.Duration(time.Second)}, &in) != nil {
			return
		}
		text += string(in.Data)
	}
	code := 0
	if order.Command == "false" {
		code = 1
	}
	_ = m.agent.Do(ctx, http.MethodPost, path(wire.PathShellOut), wire.ShellChunk{Data: []byte("you said: " + text + "\n"), Closed: true, Code: code}, nil)
}

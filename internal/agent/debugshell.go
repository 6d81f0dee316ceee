package agent

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/agent/terminal"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// shellPatience is how long a shell outlives an appliance that does not answer.
	shellPatience = 2 * time.Minute
	// shellEnd is how long a shell whose output has ended may take to exit.
	shellEnd = 5 * time.Second
)

// openShell opens a shell for somebody at the appliance, in the boot environment only (DBG-3). It ends with the run here,
// with its person, or by itself.
func (d *debugger) openShell(order wire.ShellOrder) {
	s := &remoteShell{debugger: d, order: order}
	d.shells.Add(1)
	go func() { // ends with d.alive
		defer d.shells.Done()
		s.serve(d.alive)
	}()
}

type remoteShell struct {
	*debugger
	order wire.ShellOrder
	sent  int64 // bytes of output that the appliance has
}

func (s *remoteShell) serve(ctx context.Context) {
	if s.environment != wire.WinPE {
		s.finish(ctx, -1, "a shell exists in the boot environment only (DBG-3)")
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.console.Say("a shell is opened for the debugger")
	session, err := terminal.Open(ctx, terminal.Options{Command: s.order.Command, Rows: s.order.Rows, Columns: s.order.Columns,
		Env: append(os.Environ(), "TERM=linux", "PS1=bootyard# ")})
	if err != nil {
		s.finish(ctx, -1, err.Error())
		return
	}
	typing := make(chan struct{})
	go func() { // ends with ctx
		defer close(typing)
		s.input(ctx, session)
	}()
	gone := s.output(ctx, session)
	code := session.Wait(ctx, shellEnd)
	if !gone {
		s.finish(ctx, code, "")
	}
	cancel()
	<-typing
	s.console.Say("the debugger's shell is closed")
}

// input types what comes from the person, and ends the shell when nobody is there any more.
func (s *remoteShell) input(ctx context.Context, session *terminal.Session) {
	defer session.Close()
	for offset := int64(0); ctx.Err() == nil; {
		var chunk wire.ShellChunk
		err := s.ask(ctx, wire.PathShellIn, wire.ShellAsk{Offset: offset, Hold: wire.Duration(s.hold)}, &chunk)
		if err != nil {
			return
		}
		offset += int64(len(chunk.Data))
		_ = session.Resize(chunk.Rows, chunk.Columns) // a wrong size does not matter
		if len(chunk.Data) > 0 {
			if _, err := session.Write(chunk.Data); err != nil {
				return
			}
		}
		if chunk.Closed {
			return
		}
	}
}

// output sends what the shell prints until that ends or nobody takes it any more, which is gone.
func (s *remoteShell) output(ctx context.Context, session *terminal.Session) (gone bool) {
	buf := make([]byte, wire.MaxShellChunk/2)
	for {
		n, err := session.Read(buf)
		if n > 0 && !s.send(ctx, buf[:n]) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// send brings a piece to the appliance, which may take it bit by bit.
func (s *remoteShell) send(ctx context.Context, data []byte) bool {
	for end := s.sent + int64(len(data)); s.sent < end; {
		var taken wire.ShellTaken
		if err := s.ask(ctx, wire.PathShellOut, wire.ShellChunk{Offset: s.sent, Data: data[len(data)-int(end-s.sent):]}, &taken); err != nil || taken.Closed {
			return false
		}
		s.sent = min(max(taken.Offset, s.sent), end)
	}
	return true
}

func (s *remoteShell) finish(ctx context.Context, code int, message string) {
	_ = s.ask(ctx, wire.PathShellOut, wire.ShellChunk{Offset: s.sent, Closed: true, Code: code, Message: cut(message)}, nil) // it closes by silence too
}

func (s *remoteShell) ask(ctx context.Context, path string, in, out any) error {
	return link.Retry(ctx, s.clock, link.Backoff{First: time.Second, Max: 5 * time.Second, For: shellPatience}, nil, func(ctx context.Context) error {
		return s.line.Do(ctx, http.MethodPost, link.Path(path, "run", s.run.ID, "shell", s.order.ID), in, out)
	})
}

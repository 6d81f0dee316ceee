package agent

import (
	"fmt"
	"time"

	"github.com/bootyard/bootyard/internal/agent/outbox"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
)

const (
	// maxText bounds the text of an event; programs may print anything.
	maxText = 4000
	// progressEvery keeps progress from crowding the status: the live page is redrawn once a second.
	progressEvery = time.Second
)

// reporter passes the engine's events on to the appliance and to the console. Progress may come from any goroutine; the
// outbox and the console are safe for that.
type reporter struct {
	outbox  *outbox.Outbox
	console *Console
	last    chan time.Time // one element: when progress was last sent
}

func newReporter(o *outbox.Outbox, c *Console) *reporter {
	r := &reporter{outbox: o, console: c, last: make(chan time.Time, 1)}
	r.last <- time.Time{}
	return r
}

// Report implements tsengine.Reporter.
func (r *reporter) Report(e tsengine.Event) {
	r.console.Show(e)
	w := wire.Event{Time: e.Time.UTC(), Kind: wire.EventStep, MessageID: e.MessageID, Severity: severity(e.Severity), Pointer: e.Pointer,
		Step: e.Name, Group: e.Group, ExitCode: e.ExitCode, Current: e.Step, Total: e.Steps, Text: cut(e.Reason)}
	if e.Output != "" {
		w.Text = cut(e.Output)
		if e.Reason != "" {
			w.Text = cut(e.Reason + "\n" + e.Output)
		}
	}
	if e.NodeKind != "step" {
		// The appliance shows the step in progress; neither a group nor the sequence is one.
		w.Group, w.Step, w.Current, w.Total = e.Name, "", 0, 0
	}
	switch e.Kind {
	case tsengine.StepStarted:
		w.Result = "started"
	case tsengine.GroupStarted, tsengine.SequenceStarted, tsengine.SequenceResumed:
		w.Result = "started"
	case tsengine.StepSucceeded, tsengine.GroupCompleted:
		w.Result = "succeeded"
	case tsengine.StepFailed, tsengine.GroupFailed:
		w.Result = "failed"
	case tsengine.FailureIgnored:
		w.Result = "ignored"
	case tsengine.NodeSkipped:
		w.Result = "skipped"
	case tsengine.SequenceEnded:
		if w.Result = "succeeded"; e.Severity == tsengine.Failure {
			w.Result = "failed"
		}
	case tsengine.StepProgress:
		if !r.due(e) {
			return
		}
		w.Kind = wire.EventProgress
		if e.Total > 0 {
			w.Percent = int(min(max(e.Current*100/e.Total, 0), 100))
		}
	case tsengine.DebuggerPaused, tsengine.DebuggerCommand, tsengine.ScriptMessage:
		w.Kind = wire.EventMessage
		if e.Kind == tsengine.DebuggerCommand {
			w.Text = cut("debugger: " + e.Reason)
		}
	case tsengine.RestartAsked:
		w.Kind = wire.EventRestart
		if e.Restart != nil {
			w.Text = fmt.Sprintf("restart into %s", e.Restart.Target)
		}
	}
	r.outbox.Post(w)
}

func (r *reporter) due(e tsengine.Event) bool {
	last := <-r.last
	due := e.Time.Sub(last) >= progressEvery || e.Time.Before(last) || e.Current >= e.Total
	if due {
		last = e.Time
	}
	r.last <- last
	return due
}

func severity(s int32) string {
	switch s {
	case tsengine.Caution:
		return "warning"
	case tsengine.Failure:
		return "error"
	}
	return "info"
}

// cut keeps the end of a text, where programs say what went wrong, on a rune's border.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	s = s[len(s)-maxText:]
	for len(s) > 0 && s[0]&0xc0 == 0x80 {
		s = s[1:]
	}
	return "... " + s
}

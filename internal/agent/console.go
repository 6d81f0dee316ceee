package agent

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/tsengine"
)

// Console writes plain lines for a person in front of the machine, and the marks that tests wait for. It is safe for
// concurrent use. A nil Console is silent.
type Console struct {
	mu    sync.Mutex
	out   io.Writer
	now   func() time.Time
	quiet bool // no progress, only marks and messages

	step    string // of the last progress line
	percent int64
	shown   time.Time
	bytes   int64 // of the last progress line, for the speed
}

// NewConsole writes to out.
func NewConsole(out io.Writer, now func() time.Time) *Console {
	return &Console{out: out, now: now}
}

// maxLine bounds a line: texts may come from programs and from the network.
const maxLine = 1000

// Say writes one line. Line breaks and control characters inside become blanks, so that nobody can fake a mark.
func (c *Console) Say(format string, args ...any) {
	if c == nil {
		return
	}
	text := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0x9b {
			return ' '
		}
		return r
	}, fmt.Sprintf(format, args...))
	if len(text) > maxLine {
		text = text[:maxLine] + " ..."
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// A console that cannot be written to must not stop a deployment.
	_, _ = io.WriteString(c.out, text+"\r\n")
}

// quietly switches progress off and on (UX-6).
func (c *Console) quietly(quiet bool) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = quiet
}

// head names the organisation and what runs, over the progress that follows (TS-170).
func (c *Console) head(organisation, title string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	quiet := c.quiet
	c.mu.Unlock()
	switch {
	case quiet:
	case organisation != "":
		c.Say("%s | %s", organisation, title)
	case title != "":
		c.Say("%s", title)
	}
}

// barWidth is the length of a progress bar in characters.
const barWidth = 20

// bar is the part that is done, as a bar behind a line; nothing while the whole is not known.
func bar(done, total int64) string {
	if total <= 0 || done < 0 {
		return ""
	}
	full := int(min(done, total) * barWidth / total)
	return "  [" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
}

// Show writes what is worth a line of an engine's event.
func (c *Console) Show(e tsengine.Event) {
	if c == nil {
		return
	}
	c.mu.Lock()
	quiet := c.quiet
	c.mu.Unlock()
	if quiet || e.Hidden {
		return
	}
	switch e.Kind {
	case tsengine.SequenceResumed:
		c.Say("task sequence %s goes on", e.Name)
	case tsengine.GroupStarted:
		c.Say("group: %s", e.Name)
	case tsengine.StepStarted:
		progress := fmt.Sprintf("%d of %d", e.Step, e.Steps)
		if e.Progress != "" {
			progress = e.Progress
		}
		c.Say("step %s: %s%s", progress, e.Name, bar(int64(e.Step-1), int64(e.Steps)))
	case tsengine.StepFailed:
		c.Say("step %d of %d failed: %s, code 0x%08X: %s", e.Step, e.Steps, e.Name, e.ExitCode, e.Reason)
	case tsengine.FailureIgnored:
		c.Say("  the failure is ignored (continue on error)")
	case tsengine.NodeSkipped:
		if e.Step > 0 {
			c.Say("step %d of %d: %s skipped: %s", e.Step, e.Steps, e.Name, e.Reason)
		}
	case tsengine.StepProgress:
		c.progress(e)
	case tsengine.ScriptMessage:
		c.Say("  %s", e.Reason)
	}
}

// progress writes a line for each tenth, and every few seconds when a tenth takes long.
func (c *Console) progress(e tsengine.Event) {
	const (
		tenth   = 10
		silence = 10 * time.Second // longest silence while something moves
	)
	if e.Total <= 0 {
		return
	}
	percent := min(e.Current*100/e.Total, 100)
	now := c.now()
	c.mu.Lock()
	key := fmt.Sprint(e.Pointer, e.Reason)
	same := key == c.step
	if same && percent/tenth == c.percent/tenth && now.Sub(c.shown) < silence {
		c.mu.Unlock()
		return
	}
	speed := ""
	if elapsed := now.Sub(c.shown).Seconds(); same && elapsed > 0.2 && e.Current > c.bytes && e.Total > 1<<20 {
		speed = fmt.Sprintf(", %.1f MB/s", float64(e.Current-c.bytes)/elapsed/1e6)
	}
	c.step, c.percent, c.shown, c.bytes = key, percent, now, e.Current
	c.mu.Unlock()
	text := e.Reason
	if text == "" {
		text = e.Name
	}
	c.Say("  %3d%%  %s%s%s", percent, text, speed, bar(percent, 100))
}

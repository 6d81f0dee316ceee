package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/bootyard/bootyard/internal/wire"
)

// maxLogLines bounds what the debugger's log shows.
const maxLogLines = 1000

// tree prints the sequence with the current node and the breaks.
func (d *debugger) tree() {
	v := d.view
	fmt.Fprintf(d.env.out, "%s on %s, run %s\n", oneLine(v.SequenceName), oneLine(v.DeviceName), v.Run)
	for i := range v.Tree {
		fmt.Fprintln(d.env.out, d.line(i))
	}
}

// line is one node: > is the current one, * has a break, ! has failed.
func (d *debugger) line(i int) string {
	v, n := d.view, d.view.Tree[i]
	marks := []byte("   ")
	if i == v.Pointer {
		marks[0] = '>'
		if v.Failed != nil {
			marks[2] = '!'
		}
	}
	if slices.Contains(v.Breaks, i) {
		marks[1] = '*'
	}
	text := fmt.Sprintf("%s%4d  %s%s", marks, i, strings.Repeat("  ", n.Depth), oneLine(n.Name))
	switch {
	case n.Kind != "step":
		text += "  [" + n.Kind + "]"
	case n.Type != "":
		text += "  (" + oneLine(n.Type) + ")"
	}
	if n.Disabled {
		text += "  disabled"
	}
	return text
}

// where prints where the run stands now, and who else is there.
func (d *debugger) where() {
	v := d.view
	if v.State != wire.RunRunning {
		d.env.say("the run has ended: %s%s", v.State, colon(oneLine(v.Message)))
		return
	}
	switch {
	case !v.Paused:
		d.env.say("running, now at pointer %d", v.Pointer)
	case v.Pointer >= 0 && v.Pointer < len(v.Tree):
		d.env.say("%s", d.line(v.Pointer))
	}
	if f := v.Failed; f != nil {
		d.env.say("     failed with code %d (0x%08X)%s; retry, skip, goto N or fail", f.Code, f.Code, colon(oneLine(f.Reason)))
	}
	if len(v.Attached) > 1 {
		d.env.say("     attached: %s", oneLine(strings.Join(v.Attached, ", ")))
	}
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

// variables prints those whose names hold text.
func (d *debugger) variables(text string) {
	w := tabwriter.NewWriter(d.env.out, 0, 8, 2, ' ', 0)
	for _, v := range d.view.Variables {
		if strings.Contains(strings.ToLower(v.Name), strings.ToLower(text)) {
			row(w, v.Name, v.Value)
		}
	}
	_ = w.Flush() // a terminal that is gone shows nothing
}

// logLine is a record of smsts.log (TS-150).
var logLine = regexp.MustCompile(`<!\[LOG\[(.*)\]LOG\]!><time="(\d\d:\d\d:\d\d)`)

// log prints the last lines of smsts.log.
func (d *debugger) log(ctx context.Context, n int) error {
	c, err := d.env.client()
	if err != nil {
		return err
	}
	body, err := c.Stream(ctx, apiRoot+"/runs/"+esc(d.view.Run)+"/log")
	if err != nil {
		return err
	}
	defer body.Close()
	lines := make([]string, 0, n)
	scanner := bufio.NewScanner(body)
	scanner.Buffer(make([]byte, 64<<10), 1<<20)
	for scanner.Scan() {
		if len(lines) == n {
			lines = lines[1:]
		}
		line := scanner.Text()
		if m := logLine.FindStringSubmatch(line); m != nil {
			line = m[2] + " " + m[1]
		}
		lines = append(lines, oneLine(line))
	}
	for _, line := range lines {
		fmt.Fprintln(d.env.out, line)
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	return nil
}

// prompt takes words until its person leaves or the run has ended.
func (d *debugger) prompt(ctx context.Context) error {
	d.tree()
	d.where()
	d.keys = newKeyboard(d.env.in)
	for {
		if d.view.State != wire.RunRunning {
			return nil
		}
		fmt.Fprintf(d.env.err, "debug %d> ", d.view.Pointer)
		line, ok := d.keys.line(ctx, func(ctx context.Context) {
			// A person who thinks is attached too (DBG-6).
			_, _ = get[wire.DebugView](ctx, d.env, "/runs/"+esc(d.view.Run)+"/debug")
		})
		if !ok {
			fmt.Fprintf(d.env.err, "\nthe sequence stays as it is; 'bootyard run debug %s' attaches again\n", oneLine(d.view.DeviceName))
			return ctx.Err()
		}
		err := d.do(ctx, line)
		switch word := strings.ToLower(strings.TrimSpace(line)); {
		case errors.Is(err, errLeft):
			return nil
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil:
			d.env.fail(err)
		case word != "" && !slices.Contains([]string{"help", "?", "tree", "vars", "log", "shell"}, strings.Fields(word)[0]):
			d.where()
		}
	}
}

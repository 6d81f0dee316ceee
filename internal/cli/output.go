package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes v as JSON with --json, else what table does.
func (env *environment) print(v any, table func(*tabwriter.Writer)) error {
	if env.json {
		enc := json.NewEncoder(env.out)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(env.out, 0, 8, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// say writes a line for a person; with --json it is silent.
func (env *environment) say(format string, args ...any) {
	if !env.json {
		fmt.Fprintf(env.out, format+"\n", args...)
	}
}

func row(w *tabwriter.Writer, cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		if s := fmt.Sprint(c); s == "" {
			fmt.Fprint(w, "-")
		} else {
			fmt.Fprint(w, oneLine(s))
		}
	}
	fmt.Fprintln(w)
}

// oneLine keeps what came from a machine from moving the cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// size prints bytes as people read them.
func size(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	div, exp := int64(unit), 0
	for m := n / unit; m >= unit; m /= unit {
		div *= unit
		exp++
	}
	return fmt.Sprintf("%.1f %cB", float64(n)/float64(div), "kMGTPE"[exp])
}

// copyFrom prints the body of an answer as it is.
func (env *environment) copyFrom(ctx context.Context, path string) error {
	c, err := env.client()
	if err != nil {
		return err
	}
	body, err := c.Stream(ctx, path)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(env.out, body); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// clock is the time of day with its zone, for lines that follow each other.
func clock(t time.Time) string { return t.Local().Format("15:04:05 MST") }

package cli

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/simulate"
)

// mark is how a result looks: a sign and a word that stand for it without colour, and the colour of a terminal.
type mark struct{ sign, word, colour string }

var marks = map[simulate.Result]mark{
	simulate.Run:        {"+", "run", "\x1b[32m"},
	simulate.Skipped:    {"-", "skipped", "\x1b[2m"},
	simulate.Failed:     {"x", "failed", "\x1b[31m"},
	simulate.Ignored:    {"!", "ignored", "\x1b[33m"},
	simulate.NotReached: {".", "not reached", "\x1b[2m"},
}

// printTrace shows a simulation as a tree: pointer, sign, name, what became of it and why.
func (env *environment) printTrace(t *simulate.Trace, s *sequence.Sequence) error {
	w := bufio.NewWriter(env.out)
	width, colour := 0, false
	if f, ok := env.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		width, _, _ = term.GetSize(int(f.Fd()))
		colour = env.getenv("NO_COLOR") == "" && env.getenv("TERM") != "dumb"
	}
	title := s.Name
	if title == "" {
		title = "task sequence"
	}
	fmt.Fprintf(w, "%s, beginning in %s\n", oneLine(title), t.Environment)
	digits, quiet := len(fmt.Sprint(len(t.Nodes))), -1
	for _, n := range t.Nodes {
		if quiet >= 0 && n.Depth > quiet {
			continue // the contents of a group that is skipped or not reached say nothing new
		}
		quiet = -1
		if n.Kind != "step" && (n.Result == simulate.Skipped || n.Result == simulate.NotReached) {
			quiet = n.Depth
		}
		line := fmt.Sprintf("%*d %s %s%s", digits, n.Pointer, marks[n.Result].sign, strings.Repeat("  ", n.Depth), oneLine(n.Name))
		if n.Kind != "step" {
			line += "/"
		}
		line += ": " + words(n)
		if runes := []rune(line); width > 20 && len(runes) > width {
			line = string(runes[:width-3]) + "..."
		}
		if colour {
			line = marks[n.Result].colour + line + "\x1b[0m"
		}
		fmt.Fprintln(w, line)
	}
	env.summary(w, t)
	return w.Flush()
}

// words says what became of a node and why, without what goes without saying.
func words(n simulate.Node) string {
	reason := oneLine(n.Reason)
	if n.Kind == "step" && n.ExitCode != nil {
		usual := fmt.Sprintf("exit code %d, its first success code", *n.ExitCode)
		reason = strings.TrimPrefix(strings.Replace(reason, "; "+usual, "", 1), usual)
		reason = strings.TrimPrefix(reason, "; ")
	}
	if reason == "" {
		return marks[n.Result].word
	}
	return marks[n.Result].word + ", " + reason
}

func (env *environment) summary(w *bufio.Writer, t *simulate.Trace) {
	count, steps := map[simulate.Result]int{}, 0
	for _, n := range t.Nodes {
		if n.Kind == "step" {
			count[n.Result]++
			steps++
		}
	}
	var parts []string
	for _, r := range []simulate.Result{simulate.Run, simulate.Skipped, simulate.Failed, simulate.Ignored, simulate.NotReached} {
		if count[r] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[r], marks[r].word))
		}
	}
	fmt.Fprintf(w, "\n%s: %d step(s)", t.Outcome, steps)
	if len(parts) > 0 {
		fmt.Fprintf(w, ", %s", strings.Join(parts, ", "))
	}
	fmt.Fprintln(w)
	if t.Error != nil {
		fmt.Fprintf(w, "error: %s\n", oneLine(*t.Error))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Variables)) {
		if !strings.HasPrefix(name, "_") { // the engine's own are in --json
			fmt.Fprintf(w, "  %s = %s\n", name, oneLine(t.Variables[name]))
		}
	}
	for _, text := range t.Warnings {
		fmt.Fprintf(w, "note: %s\n", oneLine(text))
	}
}

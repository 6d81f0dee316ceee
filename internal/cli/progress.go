package cli

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// progress shows how far long work is: on a terminal in one line that is
// written over, elsewhere in a line for each new text.
type progress struct {
	w     io.Writer
	width int // columns of the terminal; 0 when it is none
	last  string
}

func (env *environment) progress() *progress {
	p := &progress{w: env.err}
	if f, ok := env.err.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			p.width = columns
		}
	}
	return p
}

// show replaces the text.
func (p *progress) show(text string) {
	text = oneLine(text)
	if text == p.last {
		return
	}
	p.last = text
	if p.width == 0 {
		fmt.Fprintln(p.w, text)
		return
	}
	if runes := []rune(text); len(runes) >= p.width {
		text = string(runes[:p.width-1])
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", text)
}

// amount shows bytes done of total: every percent on a terminal, every tenth
// elsewhere.
func (p *progress) amount(what string, done, total int64) {
	percent := int64(100)
	if total > 0 {
		percent = 100 * done / total
	}
	if p.width == 0 {
		percent = percent / 10 * 10
	}
	p.show(fmt.Sprintf("%s: %d %% of %s", what, percent, size(total)))
}

// end leaves the line, so that what follows starts at the margin.
func (p *progress) end() {
	if p.width > 0 && p.last != "" {
		fmt.Fprintln(p.w)
	}
	p.last = ""
}

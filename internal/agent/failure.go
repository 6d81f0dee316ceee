package agent

import (
	"errors"
	"fmt"
)

// failure is an error for the person at the machine: what went wrong, where, and what to do.
type failure struct {
	mark   bool // a run failed, and wire.MarkRunFailed was printed
	step   string
	code   uint32
	err    error
	remedy string
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// lines are what stays on the screen.
func (f failure) lines() []string {
	list := []string{}
	if f.step != "" {
		list = append(list, "  step:    "+f.step)
	}
	if f.mark {
		list = append(list, fmt.Sprintf("  code:    0x%08X (%d)", f.code, f.code))
	}
	return append(list, "  reason:  "+f.err.Error(), "  to do:   "+f.remedy)
}

// Explain writes what went wrong and what to do, as the last lines on the screen.
func Explain(console *Console, err error) {
	var f failure
	if !errors.As(err, &f) {
		f = failure{err: err, remedy: "correct the cause and start the machine again"}
	}
	if !f.mark {
		console.Say("bootyard: this machine cannot go on")
	}
	for _, line := range f.lines() {
		console.Say("%s", line)
	}
}

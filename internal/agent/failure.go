package agent

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/step"
)

// failure is an error for the person at the machine: what went wrong, where, and what to do.
type failure struct {
	mark   bool // a run failed, and wire.MarkRunFailed was printed
	step   string
	code   uint32
	err    error
	remedy string
	dialog time.Duration // how long a failed run keeps the screen before the machine restarts; 0: for good (TS-49)
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// contentMissing reports whether content cannot be had although the appliance answers: it has no place for it, no source
// gives the bytes of the manifest, or there is no room for them.
func contentMissing(err error) bool {
	status := link.Status(err)
	return status == http.StatusNotFound || status == http.StatusGone || errors.Is(err, client.ErrUnavailable) ||
		errors.Is(err, client.ErrHashMismatch) || errors.Is(err, syscall.ENOSPC)
}

// failedResult is the end of a run by an error of its machinery, not of a step. The appliance must hear of it all the same.
func failedResult(err error) tsengine.Result {
	result := tsengine.Result{Outcome: tsengine.Failed, ExitCode: step.CodeFailed, Error: err.Error(), Pointer: -1}
	if contentMissing(err) {
		result.ExitCode = step.CodeContent
	}
	return result
}

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

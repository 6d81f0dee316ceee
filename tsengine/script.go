package tsengine

import (
	"fmt"
	"unicode/utf8"

	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// scripted is the step that runs, for the objects by which its scripts speak to the engine (TS-95).
type scripted struct {
	pointer int
	on      bool // false: no step runs
}

func (e *Engine) setScripted(s scripted) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.scripted = s
}

// showScripts shows the run to scripts until the function it returns is called. Without the objects a sequence can still
// do all that does not need them, so an error is a warning.
func (e *Engine) showScripts() (hide func()) {
	if e.config.Machine.Scripts == nil {
		return func() {}
	}
	hide, err := e.config.Machine.Scripts.Show(scripts{e})
	if err != nil {
		e.log(smstslog.Warning, fmt.Sprintf("Scripts do not find the task sequence environment (TS-95): %v", err))
		return func() {}
	}
	return hide
}

// scripts implements machine.ScriptedRun.
type scripts struct{ e *Engine }

func (s scripts) running() scripted {
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	return s.e.scripted
}

func (s scripts) Variable(name string) string { return s.e.variables.Value(name) }

func (s scripts) SetVariable(name, value string) error {
	if err := s.e.variables.Assign(variable.Assignment{Name: name, Value: value}); err != nil {
		s.e.log(smstslog.Warning, fmt.Sprintf("A script could not set a variable: %v", err))
		return err
	}
	if n := utf8.RuneCountInString(value); n > variable.MaxValue {
		s.e.log(smstslog.Warning, fmt.Sprintf("The value of %s has %d characters; others accept %d (TS-81)", name, n, variable.MaxValue))
	}
	return nil
}

func (s scripts) VariableNames() []string {
	list := s.e.variables.List()
	names := make([]string, 0, len(list))
	for _, a := range list {
		names = append(names, a.Name)
	}
	return names
}

func (s scripts) Progress(current, total int64, text string) {
	if r := s.running(); r.on {
		s.e.reportNode(Event{Kind: StepProgress, Current: current, Total: total, Reason: text}, r.pointer)
	}
}

func (s scripts) Message(text string) {
	s.e.log(smstslog.Info, "Message of a script: "+text)
	if r := s.running(); r.on {
		s.e.reportNode(Event{Kind: ScriptMessage, Severity: Information, Reason: text}, r.pointer)
	}
}

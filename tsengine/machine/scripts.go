package machine

// Scripts shows a run to scripts as objects of the operating system (TS-95).
type Scripts interface {
	// Show makes the run visible until hide is called; hide may be called once, and no call of a script reaches the run
	// after it. One run is shown at a time. An error means that scripts do not find the run; everything else works.
	Show(run ScriptedRun) (hide func(), err error)
}

// ScriptedRun is what scripts may do with a run. It is called from any goroutine.
type ScriptedRun interface {
	// Variable is the value of a variable, secrets as they are; empty when it is not set (TS-66).
	Variable(name string) string
	// SetVariable obeys the name rules of TS-80 and TS-88; the empty value deletes (TS-86).
	SetVariable(name, value string) error
	// VariableNames are the names of all variables that are set.
	VariableNames() []string
	// Progress is the running step's own (TS-172): current of total, with a text.
	Progress(current, total int64, text string)
	// Message is for the person in front of the machine, for the log and for the status.
	Message(text string)
}

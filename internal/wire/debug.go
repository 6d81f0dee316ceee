package wire

import "time"

// Paths of the agent's part of the debugger (TS-173).
const (
	PathDebug    = "/api/v1/agent/runs/{run}/debug"                 // POST DebugReport -> DebugOrders, waits for them
	PathShellIn  = "/api/v1/agent/runs/{run}/shells/{shell}/input"  // POST ShellAsk -> ShellChunk, waits for it
	PathShellOut = "/api/v1/agent/runs/{run}/shells/{shell}/output" // POST ShellChunk -> ShellTaken
)

// Bounds of the debugger's messages.
const (
	// MaxDebugHold is the longest time that a request of the debugger waits
	// for news.
	MaxDebugHold = 25 * time.Second
	// MaxDebugNodes and MaxDebugVariables bound what is shown of a run.
	MaxDebugNodes     = 10_000
	MaxDebugVariables = 2_000
	// MaxShellChunk bounds one piece of a shell's input or output.
	MaxShellChunk = 64 << 10
)

// DebugReport says where a run in debug mode stands (TS-173). The answer waits
// up to Hold for a command with a number above Taken.
type DebugReport struct {
	DebugStanding
	// Tree and Variables are sent when they changed or were asked for; nil
	// means as before.
	Tree      []DebugNode     `json:"tree,omitempty"`
	Variables []DebugVariable `json:"variables,omitempty"`
	Hold      Duration        `json:"hold,omitempty"`
	// Ended says that the run has left debug mode.
	Ended bool `json:"ended,omitempty"`
}

// DebugStanding is where a run stands.
type DebugStanding struct {
	Environment Environment   `json:"environment"`
	Pointer     int           `json:"pointer"` // of the node that runs next
	Paused      bool          `json:"paused"`
	Failed      *DebugFailure `json:"failed,omitempty"` // of the node at Pointer
	Breaks      []int         `json:"breaks,omitempty"`
	Taken       int64         `json:"taken"`             // number of the last command that was taken
	Refused     string        `json:"refused,omitempty"` // why that one was not carried out
}

// DebugFailure is a failure that waits for a decision (TS-50).
type DebugFailure struct {
	Code   uint32 `json:"code"`
	Reason string `json:"reason,omitempty"`
}

// DebugNode is a node of the sequence with its child sequences in place. Its
// pointer is its index.
type DebugNode struct {
	Depth    int    `json:"depth"`
	Kind     string `json:"kind"` // group, step or subtasksequence
	Name     string `json:"name"`
	Type     string `json:"type,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
}

// DebugVariable is a variable; the value of a secret one is masked (DBG-5).
type DebugVariable struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Secret bool   `json:"secret,omitempty"`
}

// DebugOrders answer a report.
type DebugOrders struct {
	Commands []DebugCommand `json:"commands,omitempty"`
	// Attached says that somebody is there (DBG-6).
	Attached bool `json:"attached"`
	// WantAll asks for tree and variables with the next report.
	WantAll bool `json:"wantAll,omitempty"`
	// Shell is one to open (DBG-3).
	Shell *ShellOrder `json:"shell,omitempty"`
}

// DebugCommand is one order. Numbers rise within a run; a command whose number
// was taken is not taken again.
type DebugCommand struct {
	Number  int64     `json:"number"`
	Action  string    `json:"action"` // step, run, goto, break, clear, clear-all, retry, skip, fail, cancel, quit
	Pointer int       `json:"pointer,omitempty"`
	By      string    `json:"by"`
	Time    time.Time `json:"time"`
}

// DebugAsk is a command as a person gives it. The same Key gives the same
// command, so that a request may be repeated.
type DebugAsk struct {
	Action  string `json:"action"`
	Pointer int    `json:"pointer,omitempty"`
	Key     string `json:"key,omitempty"`
}

// DebugView is a run in debug mode as people see it.
type DebugView struct {
	Run          string   `json:"run"`
	Device       string   `json:"device"`
	DeviceName   string   `json:"deviceName"`
	SequenceName string   `json:"sequenceName"`
	State        RunState `json:"state"`
	Message      string   `json:"message,omitempty"` // of a run that has ended
	// Revision rises with every change; a request may wait for the next one.
	Revision int64 `json:"revision"`
	// Reported is when the machine said this; nil when it has said nothing
	// since the appliance was started.
	Reported *time.Time `json:"reported,omitempty"`
	DebugStanding
	Tree      []DebugNode     `json:"tree"`
	Variables []DebugVariable `json:"variables"`
	Pending   []DebugCommand  `json:"pending,omitempty"` // not taken yet
	Last      *DebugCommand   `json:"last,omitempty"`    // given last, by whom
	Attached  []string        `json:"attached"`
}

// ShellOpen asks for a shell in the boot environment of a run in debug mode.
// With Command it runs that and ends.
type ShellOpen struct {
	Command string `json:"command,omitempty"`
	Rows    int    `json:"rows,omitempty"`
	Columns int    `json:"columns,omitempty"`
}

// ShellOrder tells the agent of one.
type ShellOrder struct {
	ID string `json:"id"`
	ShellOpen
}

// ShellChunk is a piece of a shell's input or output; Offset counts bytes from
// its begin. Closed says that nothing follows.
type ShellChunk struct {
	Offset  int64  `json:"offset"`
	Data    []byte `json:"data,omitempty"` // at most MaxShellChunk
	Closed  bool   `json:"closed,omitempty"`
	Code    int    `json:"code,omitempty"`    // exit code, with Closed of the output
	Message string `json:"message,omitempty"` // why it closed, for people
	Rows    int    `json:"rows,omitempty"`    // new size of the person's terminal
	Columns int    `json:"columns,omitempty"`
}

// ShellAsk asks for what follows Offset and waits up to Hold for it.
type ShellAsk struct {
	Offset int64    `json:"offset"`
	Hold   Duration `json:"hold,omitempty"`
}

// ShellTaken is how much has been taken in all; less than was sent means: send
// the rest again later.
type ShellTaken struct {
	Offset int64 `json:"offset"`
	Closed bool  `json:"closed,omitempty"` // the other side has gone
}

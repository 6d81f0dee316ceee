package step

import (
	"context"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// Step is the implementation of one step type. Implementations hold no state; one value serves all nodes.
type Step interface {
	Contract() Contract
	// Run does the work. The engine has checked environment and condition, has put the node's defaults into the local
	// scope, and has made the started record durable when the contract says that there is an effect.
	Run(ctx context.Context, c *Context) Outcome
}

// Contract is what the engine must know about a step type.
type Contract struct {
	Type       string         // class name without prefix
	RunIn      sequence.RunIn // where the type can run at all
	Effect     bool           // changes something outside the engine: gets a durable started and finished record
	Repeatable bool           // may run again after it was interrupted
	Fatal      bool           // continue on error does not help (TS-46)
	EntersOS   bool           // when the agent of the installed system finds this step started, it has succeeded
	Component  string         // of its log records (TS-151)
}

// Where is the environment that the type of a node is held to. A script of MDT under the class name of a step, such as
// ZTINICConfig.wsf under ApplyNetworkSettingsAction, runs wherever its sequence says (section 14), not where that step would.
func Where(s Step, n *sequence.Node) sequence.RunIn {
	if strings.Contains(strings.ToLower(n.Action), ".wsf") {
		return sequence.WinPEAndFullOS
	}
	return s.Contract().RunIn
}

// Outcome is how a step ended. Success is decided by the engine: no error, and Code in the node's success list.
type Outcome struct {
	Code    uint32
	Output  string // last part of what it printed, for status
	Err     error  // why it failed before or besides an exit code; says what to do
	Fatal   bool   // continue on error does not help this time
	Restart *Restart
}

// Target is what a restart boots.
type Target string

// The targets of a restart (TS-110).
const (
	HD         Target = "HD"
	BootImage  Target = "WinPE"
	SameTarget Target = "" // where the machine is now
)

// Restart asks the engine for a restart after the step. Again runs the same step once more afterwards (TS-112).
type Restart struct {
	Target  Target
	Message string
	Delay   time.Duration
	Again   bool
	// PowerOff switches the machine off instead; the sequence goes on at the next start, whoever asks for it.
	PowerOff bool
}

// Exit codes that the engine and steps give of their own accord.
const (
	CodeFailed       uint32 = 0x80004005 // unspecified failure
	CodeUnsupported  uint32 = 0x80004001 // not implemented
	CodeEnvironment  uint32 = 0x80070032 // not supported in this environment (TS-21)
	CodeNotFound     uint32 = 0x80070002 // program or file not found
	CodeInvalid      uint32 = 0x80070057 // an input is wrong
	CodeTimeout      uint32 = 1460       // time allowed is up (TS-28)
	CodeInterrupted  uint32 = 0x800704D3 // started and not finished before the machine or the agent went down (TS-112a)
	CodeContent      uint32 = 0x80091007 // content missing or not as it should be (TS-135)
	CodeRestart      uint32 = 3010       // success, restart wanted (TS-30)
	CodeNoBootTarget uint32 = 0x80070490 // nothing to restart into (TS-46)
	CodeCancelled    uint32 = 0x800704C7 // the run was cancelled
	CodeNotReady     uint32 = 4316       // a check of Check Readiness failed
)

// Failure is an outcome with an error and a code.
func Failure(code uint32, err error) Outcome { return Outcome{Code: code, Err: err} }

// Find returns the implementation for a node; one that is not known fails when it runs.
func Find(n *sequence.Node) Step {
	if s := mdtStep(n); s != nil {
		return s
	}
	switch n.ShortType() {
	case "RunCommandLineAction":
		return RunCommandLine{}
	case "RunPowerShellScriptAction":
		return RunPowerShell{}
	case "SetVariableAction":
		return SetVariable{}
	case "SetDynamicVariablesAction":
		return SetDynamicVariables{}
	case "RebootAction":
		return RestartComputer{}
	case "PartitionDiskAction":
		return PartitionDisk{}
	case "ApplyOperatingSystemAction":
		return ApplyOS{}
	case "CaptureSystemImageAction":
		return CaptureImage{}
	case "ApplyDataImageAction":
		return ApplyData{}
	case "SetupWindowsAndSMSAction":
		return SetupOS{}
	case "DownloadPackageContentAction":
		return DownloadContent{}
	case "":
		return RunCommandLine{} // a step without type is a plain command line
	}
	if s := settingsStep(n.ShortType()); s != nil {
		return s
	}
	if s := softwareStep(n.ShortType()); s != nil {
		return s
	}
	return Unsupported{}
}

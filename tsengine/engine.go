package tsengine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// Environment is where the engine runs: WinPE (any boot environment) or FullOS.
type Environment = machine.Environment

// The environments.
const (
	WinPE  = machine.WinPE
	FullOS = machine.FullOS
)

// Config is everything an engine needs. Sequence and Environment are required.
type Config struct {
	Sequence *sequence.Sequence
	Children map[string]*sequence.Sequence // by package id, for Run Task Sequence

	Environment Environment
	Identity    Identity
	Hardware    Hardware

	// Variables holds what the sources of TS-82 set before the start, loaded in rising precedence; nil is none. On a
	// resume its values are replaced by those of the checkpoint.
	Variables *variable.Environment

	Machine machine.Capabilities // Commands nil is process.Runner
	Facts   condition.Facts      // nil: Windows-only expressions are false with a warning (TS-76)
	Files   condition.Files      // nil is condition.OS

	Checkpoint *Checkpoint     // resume from it; nil starts from the beginning
	Store      CheckpointStore // nil keeps no state; a restart then ends the run
	Sealer     Sealer          // required with Store when there are secrets

	Debugger Debugger // nil: nobody can debug here
	Debug    bool     // start in the debugger, as TSDebugMode does (DBG-1)

	// Steps chooses the implementation of the step at a pointer; nil is step.Find. The simulator puts its own here.
	Steps func(pointer int, n *sequence.Node) step.Step
	// Absent ends a Run Task Sequence node whose child is not in Children, as a group without content: code 0 and no
	// error is success. With nil, New refuses such a sequence (TS-120).
	Absent func(pointer int, n *sequence.Node) (code uint32, err error)
	// CanRestart says whether a restart into the target would come back; nil is what the engine knows itself (TS-46).
	CanRestart func(step.Target) error

	Reporter Reporter         // nil drops events
	Log      *smstslog.Writer // nil writes no smsts.log
	Logger   *slog.Logger     // nil is silent
	Now      func() time.Time // nil is time.Now
}

// Identity is what the run is about; the values become read-only variables. Empty ones are not set.
type Identity struct {
	PackageID        string // of the sequence; empty: the sequence's own
	PackageName      string
	AdvertID         string // deployment
	BootImageID      string // empty: the sequence's own
	LaunchMode       string // SMS, UFD, UFD+FORMAT, CD, DVD, PXE, HD (TS-15)
	MediaType        string // BootMedia, FullMedia, PXE, OEMMedia (TS-15)
	MachineName      string
	ClientGUID       string
	OrgName          string
	SiteCode         string
	ManagementPoint  string
	MDataPath        string
	ClientCache      string // content cache of the installed system (TS-136)
	DownloadOnDemand bool
	RunFromDP        bool // content is used where it lies (TS-130)
	UserStarted      bool
	HideProgress     bool // the deployment asks for no progress (_SMSTSShowProgressUI)
}

// Hardware is what is known about the machine at the start (TS-96, TS-98).
type Hardware struct {
	UEFI                                       bool
	SecureBoot                                 string // NA, Enabled, Disabled
	Make, Model, SerialNumber, AssetTag, UUID  string
	MACAddresses, IPAddresses, DefaultGateways []string
}

// Engine runs one task sequence once. It is made by New and used by one goroutine; Cancel-like control is the context
// handed to Run.
type Engine struct {
	config    Config
	program   *program
	variables *variable.Environment
	volumes   machine.Table
	evaluator condition.Evaluator

	number      uint64 // of the last checkpoint
	next        int
	agentOnDisk bool
	last        LastAction
	stepsDone   int
	unsaved     int       // nodes since the last checkpoint
	savedAt     time.Time // of the last checkpoint
	done        *Result
	interrupted bool     // resumed at a step that was started and not finished
	continues   int      // pointer + 1 of a step that goes on after a restart of its own; 0 for none
	tries       int      // how often that step was run again (TS-113)
	repeated    bool     // the step that runs now was interrupted before
	entersOS    bool     // ... and that this environment proves to have succeeded
	refused     *failure // the sequence may not run here (TS-8)
	firstBegun  bool     // resumed at the program that was to run first (TS-8)
	begun       bool     // the start was recorded and reported
	// ending is what is left to do when the checkpoint of an end or a restart could not be saved.
	ending    func(context.Context) (*Result, error)
	component string
	mu        sync.Mutex // guards component and scripted: capabilities report from their own goroutines
	scripted  scripted   // the step whose scripts run
	debug     debugging
	entered   []int // groups that were started and not ended, outermost first
}

// New checks a configuration and makes an engine for one run. Errors: a sequence that refers to a child that is not
// there or to itself (TS-120), a checkpoint of another sequence or another environment.
func New(config Config) (*Engine, error) {
	if config.Sequence == nil {
		return nil, errors.New("no task sequence to run")
	}
	if config.Environment != WinPE && config.Environment != FullOS {
		return nil, fmt.Errorf("environment %q is unknown; WinPE and FullOS exist", config.Environment)
	}
	if config.Sequence.Disabled {
		return nil, errors.New("the task sequence is disabled; enable it before deploying it (TS-9)")
	}
	program, err := compile(config.Sequence, config.Children, config.Absent != nil)
	if err != nil {
		return nil, err
	}
	return start(config, program)
}

// Resume makes the engine that goes on from a checkpoint of this one after a restart into an environment, as New does
// with the same configuration, without reading the sequence again. This engine must not be used afterwards.
func (e *Engine) Resume(c *Checkpoint, environment Environment) (*Engine, error) {
	config := e.config
	config.Checkpoint, config.Environment = c, environment
	return start(config, e.program)
}

func start(config Config, program *program) (*Engine, error) {
	if config.Variables == nil {
		config.Variables = variable.New()
	}
	if config.Machine.Commands == nil {
		config.Machine.Commands = process.Runner{}
	}
	if config.Steps == nil {
		config.Steps = func(_ int, n *sequence.Node) step.Step { return step.Find(n) }
	}
	if config.Files == nil {
		config.Files = condition.OS{}
	}
	if config.Reporter == nil {
		config.Reporter = ReporterFunc(func(Event) {})
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	e := &Engine{config: config, program: program, variables: config.Variables, component: smstslog.TSManager}
	e.agentOnDisk = config.Environment == FullOS
	e.evaluator = condition.Evaluator{Variables: e.variables, Facts: config.Facts, Files: config.Files, Warn: func(text string) { e.log(smstslog.Warning, text) }}
	e.knowSecrets()
	if config.Checkpoint != nil {
		if err := e.restore(config.Checkpoint); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// knowSecrets lets the secrets that stand in the sequence be masked from the start, also before the step that uses them:
// names and conditions may hold them too (TS-93). Values that refer to variables are known when they are expanded.
func (e *Engine) knowSecrets() {
	for i := range e.program.code {
		n := e.program.code[i].node
		for _, v := range step.HiddenValues(n) { // of Set Task Sequence Variable with "do not display"
			if !strings.Contains(v, "%") {
				e.variables.AddSecret(v)
			}
		}
		for _, v := range n.Defaults {
			if (variable.IsSecretName(v.Name) || variable.IsSecretName(v.Property)) && !strings.Contains(v.Value, "%") {
				e.variables.AddSecret(v.Value)
			}
		}
	}
}

func (e *Engine) implementation(i int) step.Step { return e.config.Steps(i, e.program.code[i].node) }

// Steps is the number of steps that progress counts (TS-171).
func (e *Engine) Steps() int { return e.program.steps }

// Title is what people see while the sequence runs (TS-170).
func (e *Engine) Title() string { return e.variables.Mask(e.config.Sequence.Title()) }

// Variables is the environment of the run, for the debugger and for tests; secrets are masked by its List.
func (e *Engine) Variables() *variable.Environment { return e.variables }

// Volumes returns a copy of the volume table.
func (e *Engine) Volumes() []machine.Volume {
	return append([]machine.Volume(nil), e.volumes.Volumes...)
}

// PostAction is the command line of SMSTSPostAction, expanded, or empty. When the sequence has succeeded or failed, the
// caller starts it as the last thing it does and does not wait for it (TS-122). It may hold secrets.
func (e *Engine) PostAction() string {
	return e.variables.Expand(e.variables.Value("SMSTSPostAction"))
}

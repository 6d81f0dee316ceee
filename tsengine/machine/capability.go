package machine

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Capabilities is what a machine can do in its present environment. Any may be nil.
type Capabilities struct {
	Disks    Disks
	Images   Images
	OSSetup  OSSetup
	Content  Content
	Commands Commands

	Readiness   Readiness      // facts for Check Readiness
	Folders     NetworkFolders // shares of other machines
	Settings    OSSettings     // of the operating system that the run applied
	Capture     SettingsCapture
	Preparation OSPreparation // of the running system for the capture of an image
	Programs    Programs      // of the system, by argument list
	Tattoo      Tattoo        // marks the system with facts of its deployment
	Software    Software      // that the site offers
	StateStore  StateStore    // of the site
	UserState   UserState     // of this machine
	Drivers     Drivers       // devices of the machine, and drivers for them
	Imaging     ImageCapture  // of an installed system, in the boot environment
	Volumes     VolumeFolders // of the run
	DriverStore DriverStore   // of an applied Windows, where DISM is not
	Scripts     Scripts       // the run, for scripts
	ImageStore  ImageStore    // of the site, for what Imaging captures
}

// Stateful is implemented by a capability that must remember something over a restart. Its state goes into every
// checkpoint as is, and must hold no secrets.
type Stateful interface {
	// State returns what Restore needs; it is called often and must be cheap.
	State() (json.RawMessage, error)
	// Restore is called once, before the first step after a resume.
	Restore(state json.RawMessage) error
}

// Progress tells how far a step is: current of total, in a unit of the step's choice, and a short text for the second
// bar (TS-172). It never blocks and may be called from any goroutine. Total 0 is unknown.
type Progress func(current, total int64, text string)

// ErrAmbiguousDisk is what Partition returns when the request names no disk and the machine has several.
var ErrAmbiguousDisk = errors.New("several disks and no disk index: set OSDDiskIndex")

// Disks partitions and formats.
type Disks interface {
	// Partition wipes one disk and lays it out. Volumes are returned in the order of the request, one for each
	// partition. It checks everything it can (disk choice, size) before it writes anything.
	Partition(ctx context.Context, request DiskRequest, progress Progress) ([]Volume, error)
}

// Images applies operating system images.
type Images interface {
	// Apply empties the target volume, writes the image to it and, when request.Bootable, makes it start.
	// Repeating an interrupted Apply must be safe.
	Apply(ctx context.Context, request ApplyRequest, progress Progress) (Applied, error)
}

// OSSetup prepares the applied operating system so that the sequence goes on in it (TS-118a).
type OSSetup interface {
	// Setup puts agent, service, CA, address and resume token into the operating system and sets the firmware's next
	// boot. The state of the run is not its business: the engine saves the checkpoint after it and then asks for the
	// restart to HD. Repeating an interrupted Setup must be safe.
	Setup(ctx context.Context, request SetupRequest, progress Progress) error
}

// Detacher is implemented by Commands that can start a program nobody waits for.
type Detacher interface {
	// Detach starts a command line and returns at once; the program goes on when the agent ends (TS-122).
	Detach(line string) error
}

// ContentRemover is implemented by Content that can give room back before the run ends.
type ContentRemover interface {
	// Remove takes the content of a package out of the cache of the run; false says that it has to stay, or is not there.
	Remove(ctx context.Context, packageID string) (bool, error)
}

// Commands runs programs.
type Commands interface {
	// Run starts a program and waits for its end. When ctx ends or the timeout expires, the program and everything it
	// started is killed; for an expired timeout the error is ErrTimeout. A program that ran has no error, whatever its
	// exit code; one that could not be started has one.
	Run(ctx context.Context, command Command) (Exit, error)
}

// ErrTimeout is the error of a command that was ended because its time was up (TS-28).
var ErrTimeout = errors.New("the time allowed for the command is up")

// Command is a program to run. Secrets may be in Line and Environment; implementations log neither.
type Command struct {
	Line        string // expanded command line, split by the rules of the system it runs on (TS-100, TS-100a)
	Dir         string // working folder; empty is the implementation's choice
	Environment []string
	Timeout     time.Duration // 0 is none
	User        string        // empty is the agent's own account (TS-11)
	Password    string
	// Redirect asks for the view of a 32-bit program on a 64-bit Windows: System32 is SysWOW64 (TS-72). No meaning elsewhere.
	Redirect bool
	// Own are files and folders that are handed to User: what the engine made for this command.
	Own []string
	// Codes are the exit codes that mean something to the step. Where programs have only eight bits for theirs, one that
	// is not among them stands for the first of these above 255 with the same low bits: 194 is 3010 (TS-30).
	Codes  []uint32
	Output func(line string) // gets each line of output as it comes; may be nil
}

// Exit is how a command ended. Code is unsigned 32 bit (TS-33); Output is the last part of stdout and stderr.
type Exit struct {
	Code   uint32
	Output string
}

// Environment is where an engine runs.
type Environment string

// The environments: the boot environment (bootyard's own or WinPE) and an installed operating system.
const (
	WinPE  Environment = "WinPE"
	FullOS Environment = "FullOS"
)

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/agent/imagestore"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/agent/outbox"
	"github.com/bootyard/bootyard/internal/agent/userstate"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// Target is what a run deploys to: the disks of this machine in a boot environment. An installed system has none.
type Target interface {
	// Capabilities are the engine's disks, images and OS setup; nil ones do not exist here.
	Capabilities() machine.Capabilities
	// DataDir is the folder of the run on a formatted volume (TS-117a), empty while there is none.
	DataDir() string
	// States shows visit every folder on the machine's volumes in which a run may have left its state: folders of runs, and
	// state folders of operating systems that runs made. Nothing is written, and nothing stays mounted.
	States(ctx context.Context, visit func(dir string)) error
	// KeepContent moves a complete package from the cache folder from into the state folder of the operating system that Setup
	// prepared; to is its place there, the cache folder and the package's.
	KeepContent(ctx context.Context, from, to string) error
	// KeepState puts files into the state folder of the operating system that Setup prepared.
	KeepState(ctx context.Context, files map[string][]byte) error
	// Clean removes the folder of the run from its volume (TS-122).
	Clean() error
	// Close unmounts everything.
	Close() error
}

// kit is what every run on this machine needs.
type kit struct {
	environment wire.Environment
	line        outbox.Line
	client      *link.Client
	http        *http.Client
	machine     host.Machine
	clock       link.Clock
	console     *Console
	log         *slog.Logger
	backoff     link.Backoff // for requests that have to succeed in the end
	dir         string       // state folder
	site        string
	device      string
	build       string
	target      Target // nil: none
	commands    machine.Commands
	local       machine.Capabilities
	facts       func() *fact.Sheet // nil: none
	retry       client.Retry
	debugHold   time.Duration // zero: debugHold
	logs        LogPlaces
	cacheLimit  int64 // of the client cache, in bytes; zero: there is none
}

func (k *kit) runDir() string { return filepath.Join(k.dir, "run") }

// job is one run on this machine until it ends or restarts.
type job struct {
	*kit
	run    wire.Run
	key    []byte
	from   *tsengine.Checkpoint
	outbox *outbox.Outbox
	sheet  *fact.Sheet // of the engine; nil: none
	log    *smstslog.Writer
	phases phases
	store  *contentStore                   // of the engine
	engine atomic.Pointer[tsengine.Engine] // of this run once it exists
	dialog time.Duration                   // of a run that failed (TS-49)
	post   string                          // SMSTSPostAction of a run that has ended (TS-122); may hold secrets
}

// newJob prepares a run. from is the checkpoint to go on from, nil for the start.
func (k *kit) newJob(run wire.Run, key []byte, from *tsengine.Checkpoint) (*job, error) {
	j := &job{kit: k, run: run, key: key, from: from}
	data, err := json.Marshal(withoutCheckpoint(run))
	if err != nil {
		return nil, fmt.Errorf("keep the run: %w", err)
	}
	if err := os.MkdirAll(k.runDir(), 0o700); err != nil {
		return nil, fmt.Errorf("keep the run: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(k.runDir(), runFile), data, 0o600); err != nil {
		return nil, fmt.Errorf("keep the run: %w", err)
	}
	if j.outbox, err = outbox.Open(outbox.Options{Dir: filepath.Join(k.runDir(), "outbox"), Run: run.ID, Next: run.NextEvent, Log: run.LogSize,
		Line: k.line, Logger: k.log, Backoff: k.backoff, OneTry: j.oneTry}); err != nil {
		return nil, err
	}
	j.log, err = smstslog.Open(k.logDir(), smstslog.Options{Now: k.clock.Now, Mirror: j.outbox})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open smsts.log: %w", err), j.outbox.Close())
	}
	return j, nil
}

func withoutCheckpoint(run wire.Run) wire.Run {
	run.Checkpoint = nil
	return run
}

func (j *job) close() error { return errors.Join(j.log.Close(), j.outbox.Close()) }

// execute runs the sequence until it ends, fails or wants a restart, and delivers status meanwhile.
func (j *job) execute(ctx context.Context) (tsengine.Result, error) {
	debug := j.newDebugger(ctx)
	defer debug.end()
	engine, err := j.newEngine(ctx, debug)
	if err != nil {
		return tsengine.Result{}, err
	}
	debug.engine = engine
	j.engine.Store(engine)
	j.console.head(j.run.Organisation, engine.Title())
	j.fullPower(ctx)
	delivering, stop := context.WithCancel(ctx)
	delivered := make(chan struct{})
	go func() { // ends with stop
		defer close(delivered)
		j.sendFacts(delivering)
		j.outbox.Deliver(delivering)
	}()
	var result tsengine.Result
	if err = j.locateAll(ctx); err == nil {
		result, err = engine.Run(ctx)
	}
	if j.store.place != nil {
		if err := j.store.place.end(ctx); err != nil {
			j.console.Say("the package share stays connected: %v", err)
		}
	}
	stop()
	<-delivered
	if err == nil && (result.Outcome == tsengine.Succeeded || result.Outcome == tsengine.Failed) {
		j.post = engine.PostAction()
	}
	j.dialog = errorDialog(engine)
	j.managed(ctx, result, err)
	return result, err
}

// locateAll makes sure before the first step that all content can be had (TS-12): better no start than an empty disk.
func (j *job) locateAll(ctx context.Context) error {
	if j.from != nil {
		return nil
	}
	store := j.content()
	for _, id := range j.run.Packages {
		// Applications are no packages, and the boot image is what runs here.
		if !wire.ValidObjectID(id) || id == j.run.BootImage {
			continue
		}
		if _, err := store.locate(ctx, id); err != nil {
			return fmt.Errorf("no step was run: %w", err)
		}
	}
	return nil
}

func (j *job) newEngine(ctx context.Context, debug tsengine.Debugger) (*tsengine.Engine, error) {
	s, children, err := parseSequences(j.run)
	if err != nil {
		return nil, err
	}
	variables, err := j.variables()
	if err != nil {
		return nil, err
	}
	identity, err := j.machine.Identity(ctx, "")
	if err != nil {
		return nil, err
	}
	sealer, err := tsengine.NewSealer(j.key)
	if err != nil {
		return nil, err
	}
	capabilities := machine.Capabilities{}
	if j.target != nil {
		capabilities = j.target.Capabilities()
	}
	capabilities = working(capabilities, workplace{
		begin:    func() { j.phase(wire.PhaseApply) },
		unmounts: j.logToRAM, mounted: j.logToDisk,
	})
	capabilities.Commands = j.commands
	capabilities.Readiness, capabilities.Folders, capabilities.Capture = j.local.Readiness, j.local.Folders, j.local.Capture
	capabilities.Preparation, capabilities.Programs, capabilities.Tattoo = j.local.Preparation, j.local.Programs, j.local.Tattoo
	capabilities.Scripts = j.local.Scripts
	j.store = j.content()
	capabilities.Content = j.store
	capabilities.Software = &software{line: j.line, clock: j.clock, wait: j.backoff, say: j.console.Say, dir: j.dir}
	capabilities.StateStore = &userstate.Store{Line: j.line, Run: j.run.ID, Clock: j.clock, Wait: j.backoff, Say: j.console.Say}
	if j.local.UserState != nil {
		capabilities.UserState = j.local.UserState
	}
	capabilities.ImageStore = &imagestore.Store{Line: j.line, Run: j.run.ID, Clock: j.clock, Wait: j.backoff, Say: j.console.Say}
	sheet := j.factSheet()
	j.sheet = sheet
	capabilities.Drivers = &drivers{line: j.line, clock: j.clock, wait: j.backoff, say: j.console.Say, sheet: sheet}
	engine, err := tsengine.New(tsengine.Config{
		Sequence: s, Children: children, Environment: engineEnvironment(j.environment), Variables: variables,
		Identity: j.identity(), Hardware: hardware(identity, sheet), Machine: capabilities, Facts: answers(sheet, j.environment),
		Checkpoint: j.from, Store: j.checkpoints(), Sealer: sealer,
		Debugger: debug, Debug: j.run.Debug,
		Reporter: newReporter(j.outbox, j.console), Log: j.log, Logger: j.kit.log, Now: j.clock.Now,
	})
	j.logToDisk() // a checkpoint brings its volumes along
	return engine, err
}

func parseSequences(run wire.Run) (*sequence.Sequence, map[string]*sequence.Sequence, error) {
	s, err := sequence.Parse([]byte(run.SequenceXML))
	if err != nil {
		return nil, nil, fmt.Errorf("read task sequence %s: %w", run.SequenceID, err)
	}
	if s.PackageID == "" {
		s.PackageID = run.SequenceID
	}
	if s.Name == "" {
		s.Name = run.SequenceName
	}
	children := make(map[string]*sequence.Sequence, len(run.Children))
	for id, text := range run.Children {
		if children[id], err = sequence.Parse([]byte(text)); err != nil {
			return nil, nil, fmt.Errorf("read task sequence %s: %w", id, err)
		}
		if children[id].PackageID == "" {
			children[id].PackageID = id
		}
		children[id].Disabled = children[id].Disabled || slices.Contains(run.DisabledChildren, id)
	}
	return s, children, nil
}

// variables are those of the run, already merged by the appliance (TS-82).
func (j *job) variables() (*variable.Environment, error) {
	secret := map[string]bool{}
	for _, name := range j.run.Secret {
		secret[strings.ToLower(name)] = true
	}
	list := make([]variable.Assignment, 0, len(j.run.Variables))
	for name, value := range j.run.Variables {
		list = append(list, variable.Assignment{Name: name, Value: value, Secret: secret[strings.ToLower(name)]})
	}
	v := variable.New()
	for _, err := range v.Load("policy", list) {
		j.console.Say("variable left out: %v", err)
	}
	return v, nil
}

func (j *job) identity() tsengine.Identity {
	media := ""
	switch j.run.LaunchMode {
	case wire.LaunchPXE:
		media = "PXE"
	case wire.LaunchCD, wire.LaunchUFD:
		media = "BootMedia"
	}
	return tsengine.Identity{
		PackageID: j.run.SequenceID, PackageName: j.run.SequenceName, AdvertID: j.run.Deployment, BootImageID: j.run.BootImage,
		LaunchMode: string(j.run.LaunchMode), MediaType: media, MachineName: j.run.ComputerName, ClientGUID: j.device, SiteCode: j.site,
		ManagementPoint: j.client.Base(), MDataPath: j.dataDir(), DownloadOnDemand: j.run.Option == wire.AsNeeded,
		ClientCache: j.clientCache(), RunFromDP: j.run.Option == wire.DirectFromDP,
		OrgName: j.run.Organisation, HideProgress: !j.run.ShowProgress,
	}
}

// dataDir is where the run keeps content: on a formatted volume when there is one, else in the state folder.
func (j *job) dataDir() string {
	if j.target != nil {
		if dir := j.target.DataDir(); dir != "" {
			return dir
		}
	}
	return j.dir
}

func (j *job) checkpoints() *checkpoints {
	c := &checkpoints{
		line: j.line, run: j.run.ID, key: j.key, environment: j.environment, clock: j.clock, backoff: j.backoff, say: j.console.Say,
		folders: func() (volatile, durable []string) {
			if j.environment == wire.FullOS {
				return nil, []string{j.runDir()}
			}
			volatile = []string{j.runDir()}
			if j.target != nil && j.target.DataDir() != "" {
				durable = append(durable, filepath.Join(j.target.DataDir(), "State"))
			}
			return volatile, durable
		},
		report: func(ctx context.Context) {
			if j.oneTry() {
				return
			}
			if err := j.outbox.FlushOnce(ctx); err != nil {
				j.kit.log.Warn("status follows its checkpoint", "run", j.run.ID, "err", err)
			}
		},
	}
	if j.target != nil {
		c.moving = j.move
	}
	return c
}

// move hands the run over to the agent in the applied operating system: the run, its state, and what the appliance does
// not have yet (TS-118a).
func (j *job) move(ctx context.Context, c tsengine.Checkpoint) error {
	flush, cancel := context.WithTimeout(ctx, tryCheckpoint)
	defer cancel()
	if err := j.outbox.Flush(flush); err != nil {
		j.console.Say("status goes along to the new operating system: %v", err)
	}
	state, err := json.Marshal(c)
	if err != nil {
		return err
	}
	run, err := json.Marshal(withoutCheckpoint(j.run))
	if err != nil {
		return err
	}
	j.preserve(ctx)
	j.logToRAM() // the new system must not keep the run's folder
	files := map[string][]byte{stateFile: state, keyFile: j.key, runFile: run}
	dir := filepath.Join(j.runDir(), "outbox")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if files["outbox/"+entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return j.target.KeepState(ctx, files)
}

// finish queues the end of the run and tries for a while to deliver everything.
func (j *job) finish(ctx context.Context, f wire.Finish, patience time.Duration) error {
	f.Time = j.clock.Now().UTC()
	if err := j.outbox.Finish(f); err != nil {
		j.console.Say("the result is kept in memory only: %v", err)
	}
	return j.flush(ctx, patience)
}

// flush tries for a while to deliver everything that is queued.
func (j *job) flush(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return j.outbox.Flush(ctx)
}

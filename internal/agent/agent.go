package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
)

const (
	clientTokenFile = "client.token"
	resumeTokenFile = "token" // in the run's folder (images/apply.ResumeToken)
	// defaultPoll is how often policy is asked for when the appliance names no interval.
	defaultPoll = 5 * time.Minute
)

// Config is what the agent of an installed system is made of. URL, Machine, Clock and Dir are required.
type Config struct {
	URL    string
	CAPEM  []byte
	CASPKI string
	// ClientToken and ResumeToken are used when Dir holds none.
	ClientToken, ResumeToken string

	Machine   host.Machine
	Clock     link.Clock
	Console   *Console // nil: silent
	Logger    *slog.Logger
	Dir       string // state, 0700
	Build     string
	Transport http.RoundTripper // nil: the pinned one
	Commands  machine.Commands  // nil: the engine's own
	// Local is what the machine can do besides what Target can.
	Local machine.Capabilities
	Logs  LogPlaces
	// Facts gathers the fact sheet at the start of a run; nil: expressions that need Windows are false with a warning.
	Facts   func() *fact.Sheet
	Backoff link.Backoff // zero: one second to half a minute, for an hour
	Retry   client.Retry // of downloads; zero: DOP-19
	// DebugHold is how long the appliance may hold a request of a run that is paused in the debugger; zero: 20 seconds.
	DebugHold time.Duration
	Users     func() []string // who is signed in; nil: nobody
	// CacheLimit bounds the client cache, in bytes; zero: DefaultClientCache.
	CacheLimit int64
	// Ended, if not nil, is called after a run that a boot environment began, when nothing needs its marks on the disk any
	// more (MED-25).
	Ended func() error
}

// Agent is the agent of an installed system. RunOnce does one round of its work; nothing happens by itself, so a test can
// drive it by a virtual clock. It is safe for concurrent use; rounds do not overlap.
type Agent struct {
	config   Config
	kit      *kit
	verifier *link.Verifier
	session  *session

	cycle    sync.Mutex // one round at a time; guards together
	together []string   // packages that are to be in the client cache at the same time, of all deployments
	failures int        // rounds that failed in a row

	mu      sync.Mutex // guards what follows, for List and Install beside a round
	memory  memory
	zone    *time.Location
	policy  wire.Policy
	fresh   bool
	running string // name of the sequence that runs
	// busy is the deployment that something is done for now, and what: the state that its line shows meanwhile.
	busy, busyState string
	later           map[string]time.Time // deployments whose content is missing: when it is asked for again
	next            time.Time
}

// New takes up the state in c.Dir. Nothing is sent yet.
func New(c Config) (*Agent, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Backoff.First <= 0 {
		c.Backoff = link.Backoff{First: time.Second, Max: 30 * time.Second, For: appliancePatience}
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the agent's folder: %w", err)
	}
	if err := os.Chmod(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("protect the agent's folder: %w", err)
	}
	if c.CacheLimit <= 0 {
		c.CacheLimit = DefaultClientCache
	}
	verifier, line, transport, err := trustedLine(c.URL, c.CAPEM, c.CASPKI, c.Clock.Now, c.Transport)
	if err != nil {
		return nil, err
	}
	a := &Agent{config: c, verifier: verifier, zone: time.UTC, later: map[string]time.Time{}}
	if a.memory, err = readMemory(c.Dir); err != nil {
		return nil, err
	}
	a.session = &session{client: line, request: a.sessionRequest, opened: a.sessionOpened}
	a.kit = &kit{environment: wire.FullOS, line: a.session, client: line, http: &http.Client{Transport: transport}, machine: c.Machine,
		clock: c.Clock, console: c.Console, log: c.Logger, backoff: c.Backoff, dir: c.Dir, build: c.Build, commands: c.Commands, local: c.Local, facts: c.Facts, retry: c.Retry,
		debugHold: c.DebugHold, logs: c.Logs, cacheLimit: c.CacheLimit}
	return a, nil
}

// sessionRequest uses the client's token, else the one that the boot environment left.
func (a *Agent) sessionRequest(ctx context.Context) (wire.SessionRequest, error) {
	identity, err := a.config.Machine.Identity(ctx, "")
	if err != nil {
		return wire.SessionRequest{}, err
	}
	a.setZone(identity.Zone)
	r := wire.SessionRequest{Protocol: wire.Protocol, Build: a.config.Build, Environment: wire.FullOS, LaunchMode: wire.LaunchSMS, Identity: identity}
	resume := a.secret(filepath.Join(a.kit.runDir(), resumeTokenFile), a.config.ResumeToken)
	switch token := a.secret(filepath.Join(a.config.Dir, clientTokenFile), a.config.ClientToken); {
	case resume != "":
		// A machine that is deployed again has a new device's token; an old client token is not on a new disk.
		r.ResumeToken = resume
		// The hardware clock of a machine just deployed may be as wrong as in its boot environment.
		a.verifier.IgnoreTime(true)
	case token != "":
		r.ClientToken = token
		// A clock that lost its battery is as wrong at every start.
		a.verifier.IgnoreTime(!a.possibleTime(a.config.Clock.Now()))
	default:
		return r, errors.New("this agent has no token of its appliance: deploy the machine, or install the agent again")
	}
	return r, nil
}

func (a *Agent) secret(file, fallback string) string {
	data, err := readSmall(file)
	if err != nil {
		return fallback
	}
	return strings.TrimSpace(string(data))
}

func (a *Agent) sessionOpened(response wire.SessionResponse) error {
	a.verifier.IgnoreTime(false)
	if t, ok := a.kit.http.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	resume := filepath.Join(a.kit.runDir(), resumeTokenFile)
	if response.ClientToken != "" {
		if err := atomicfile.Write(filepath.Join(a.config.Dir, clientTokenFile), []byte(response.ClientToken), 0o600); err != nil {
			return fmt.Errorf("keep the agent's token: %w", err)
		}
		if err := os.Remove(resume); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("forget the resume token: %w", err)
		}
		a.config.ResumeToken = ""
	}
	// Time servers are for small corrections; a clock that is wrong by days makes every certificate invalid and every
	// schedule meaningless.
	if off := a.config.Clock.Now().Sub(response.Time); off < -24*time.Hour || off > 24*time.Hour {
		if err := a.config.Machine.SetClock(response.Time); err != nil {
			a.config.Logger.Warn("clock not set", "err", err)
		} else {
			a.config.Logger.Info("clock set to the appliance's", "off", off.Round(time.Second).String())
		}
	}
	a.kit.site, a.kit.device = response.SiteCode, response.DeviceID
	return atomicfile.Write(filepath.Join(a.config.Dir, lastTimeFile), []byte(response.Time.UTC().Format(time.RFC3339)), 0o600)
}

// lastTimeFile keeps the appliance's time of the last session.
const lastTimeFile = "last-time"

// longestOff is how long a machine may have been switched off before its clock is doubted.
const longestOff = 366 * 24 * time.Hour

// possibleTime says whether the clock may be right: not before the last time that the appliance told, nor years after. An
// agent that never had a session believes its clock.
func (a *Agent) possibleTime(now time.Time) bool {
	last, err := time.Parse(time.RFC3339, a.secret(filepath.Join(a.config.Dir, lastTimeFile), ""))
	return err != nil || !now.Before(last.Add(-24*time.Hour)) && now.Before(last.Add(longestOff))
}

func (a *Agent) setZone(name string) {
	zone := time.Local
	if name != "" {
		if z, err := time.LoadLocation(name); err == nil {
			zone = z
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.zone = zone
}

// Next is when RunOnce has something to do again: the next poll, or a time of the schedule before it.
func (a *Agent) Next() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next
}

// Item is a line of what a user can install (UX-1, UX-2).
type Item struct {
	Deployment string       `json:"deployment"`
	Name       string       `json:"name"`
	Purpose    wire.Purpose `json:"purpose"`
	State      string       `json:"state"`
	MayStart   bool         `json:"mayStart"`
	Due        time.Time    `json:"due,omitzero"` // next due time
	Reasons    []string     `json:"reasons,omitempty"`
}

// Status is what the agent does now.
type Status struct {
	Running  string `json:"running,omitempty"`
	Current  string `json:"current,omitempty"` // last line of progress
	LastName string `json:"lastName,omitempty"`
	LastText string `json:"lastText,omitempty"`
	// Hidden says why the list is empty although there are deployments (UX-5).
	Hidden string `json:"hidden,omitempty"`
}

// ErrNotOffered says that a user may not start a deployment.
var ErrNotOffered = errors.New("this task sequence cannot be started now")

// Install notes that a user wants a deployment; the next round starts it, windows or not (MWN-19).
func (a *Agent) Install(deployment string) error {
	items, _ := a.List()
	for _, item := range items {
		if item.Deployment != deployment {
			continue
		}
		if !item.MayStart {
			return fmt.Errorf("%w: %s (%s)", ErrNotOffered, item.State, strings.Join(item.Reasons, "; "))
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if !slices.Contains(a.memory.Asked, deployment) {
			a.memory.Asked = append(a.memory.Asked, deployment)
		}
		return a.saveMemory()
	}
	return fmt.Errorf("%w: %.20q is not in the list", ErrNotOffered, deployment)
}

// UsersChanged reports whether somebody signed in or out since the last round.
func (a *Agent) UsersChanged() bool {
	if a.config.Users == nil {
		return false
	}
	now := a.config.Users()
	a.mu.Lock()
	defer a.mu.Unlock()
	return !slices.Equal(now, a.memory.Users)
}

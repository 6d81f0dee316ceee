package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"golang.org/x/sys/unix"
)

// state is what a lab writes down before it makes something, so that any later
// process can remove exactly that.
type state struct {
	Name        string
	Created     time.Time
	Owner       process
	Persist     bool
	Subnet      netip.Prefix
	ServerAddr  netip.Addr
	MaxMachines int
	DataDir     string
	LogDir      string `json:",omitempty"`
	Namespaces  []namespaceState
	Hosts       []hostState
	Machines    map[string]*machineState
}

type namespaceState struct {
	Name string
	// Inode identifies the namespace; 0 while it is being made.
	Inode uint64
}

type hostState struct {
	Name      string
	Namespace string
	Port      string
	MAC       string
	Addr      netip.Prefix
}

type machineState struct {
	Spec    MachineSpec
	Process process
	// ConsoleOffset is where the console log of the current power-on begins.
	ConsoleOffset int64
	Started       time.Time
	Accel         string
}

// Status describes one lab for listings.
type Status struct {
	Name       string
	Created    time.Time
	Subnet     netip.Prefix
	ServerAddr netip.Addr
	Persist    bool
	// OwnerAlive says whether the process that made the lab still runs.
	OwnerAlive bool
	Hosts      []string
	Machines   []MachineStatus
}

// MachineStatus describes one machine for listings.
type MachineStatus struct {
	Name     string
	Firmware Firmware
	MAC      string
	UUID     string
	Running  bool
	PID      int       // 0 when not running
	Started  time.Time // last power-on, zero when never
	Console  string    // path of the console log
}

// List returns the labs recorded under stateDir (default DefaultStateDir),
// sorted by name.
func List(stateDir string) ([]Status, error) {
	if stateDir == "" {
		stateDir = DefaultStateDir
	}
	entries, err := os.ReadDir(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lab state folder: %w", err)
	}
	var labs []Status
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		st, err := readState(filepath.Join(stateDir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		labs = append(labs, st.status())
	}
	return labs, nil
}

// Status returns what the lab holds now.
func (l *Lab) Status() (Status, error) {
	st, err := readState(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{}, fmt.Errorf("%w: %q", ErrNotUp, l.cfg.Name)
	}
	if err != nil {
		return Status{}, err
	}
	return st.status(), nil
}

func (s *state) status() Status {
	out := Status{
		Name: s.Name, Created: s.Created, Subnet: s.Subnet, ServerAddr: s.ServerAddr,
		Persist: s.Persist, OwnerAlive: s.Owner.alive(),
	}
	for _, h := range s.Hosts {
		out.Hosts = append(out.Hosts, h.Name)
	}
	for _, name := range sortedKeys(s.Machines) {
		m := s.Machines[name]
		ms := MachineStatus{
			Name: name, Firmware: m.Spec.Firmware, MAC: m.Spec.MAC, UUID: m.Spec.UUID, Started: m.Started,
			Console: filepath.Join(s.logDir(), name, consoleFile),
		}
		if m.Process.alive() {
			ms.Running, ms.PID = true, m.Process.PID
		}
		out.Machines = append(out.Machines, ms)
	}
	return out
}

func (s *state) logDir() string {
	if s.LogDir != "" {
		return s.LogDir
	}
	return filepath.Join(s.DataDir, "logs")
}

// change applies fn to the state under the lab's lock and saves it. Several
// processes may hold one lab, so nothing is cached in memory.
func (l *Lab) change(fn func(*state) error) error {
	// The lock is held for one read and one write; a minute means a bug or a
	// stopped process, and waiting longer helps nobody.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	unlock, err := lockFile(ctx, filepath.Join(l.dir, "state.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	st, err := readState(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %q", ErrNotUp, l.cfg.Name)
	}
	if err != nil {
		return err
	}
	if err := fn(st); err != nil {
		return err
	}
	return writeState(l.dir, st)
}

// view applies fn to the current state without saving.
func (l *Lab) view(fn func(*state) error) error {
	st, err := readState(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %q", ErrNotUp, l.cfg.Name)
	}
	if err != nil {
		return err
	}
	return fn(st)
}

func readState(dir string) (*state, error) {
	path := filepath.Join(dir, "state.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var st state
	if err := json.Unmarshal(raw, &st); err != nil {
		return nil, fmt.Errorf("lab state %s: %w; take the namespaces down with `ip netns del` and remove the folder", path, err)
	}
	if st.Machines == nil {
		st.Machines = map[string]*machineState{}
	}
	return &st, nil
}

func writeState(dir string, st *state) error {
	raw, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("lab state: %w", err)
	}
	return atomicfile.Write(filepath.Join(dir, "state.json"), append(raw, '\n'), 0o600)
}

// lockFile takes an exclusive lock that the kernel drops when the holder dies.
// The file may be removed by whoever holds the lock. A folder that is not there
// means that the lab is not up.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", ErrNotUp, err)
		}
		if err != nil {
			return nil, fmt.Errorf("lab lock: %w", err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, path) {
			return func() { _ = f.Close() }, nil
		}
		_ = f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("wait for lock %s held by another process: %w", path, err)
		}
	}
}

// sameFile says whether path still is the open file: its last holder may have
// removed it while we waited.
func sameFile(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

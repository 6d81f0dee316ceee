package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"
)

// Defaults of Config.
const (
	DefaultName     = "lab"
	DefaultStateDir = "/run/bootyard-lab"
	DefaultDataDir  = "/var/tmp/bootyard-lab"
	DefaultSubnet   = "10.77.0.0/24"

	// ServerHost is the name of the host that every lab has.
	ServerHost = "server"

	switchRole = "switch"
	bridgeName = "br0"
)

var (
	// ErrInUse says that a lab of that name is up and its owner is alive, or
	// that it was made to persist.
	ErrInUse = errors.New("lab is already up")
	// ErrNotUp says that there is no lab of that name.
	ErrNotUp = errors.New("lab is not up")
	// ErrNotRoot says that the caller may not make network namespaces.
	ErrNotRoot = errors.New("the lab makes network namespaces and needs root; run it with sudo")
)

// validName bounds the names that become parts of paths and of namespace names.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$`)

// Config describes a lab. The zero value is a working one.
type Config struct {
	// Name tells labs apart: lower-case letters, digits, dashes, at most 30.
	Name string
	// StateDir is where labs write down what they made, one folder per lab.
	// A lab is found again only under the same StateDir.
	StateDir string
	// DataDir holds disks and variable stores. They may take gigabytes, which
	// is why they do not lie in StateDir on a memory file system.
	DataDir string
	// LogDir receives console and QEMU logs, one folder per machine, and is
	// kept by Down. Empty: they lie in DataDir and go with it.
	LogDir string
	// Subnet is the lab's only network. IPv4, at most /30.
	Subnet netip.Prefix
	// ServerAddr is the server's address; default is the first of Subnet.
	ServerAddr netip.Addr
	// MaxMachines is how many machines may run at once; default is the number
	// of cores, because firmware under emulation fails when starved.
	MaxMachines int
	// Persist lets machines and daemons outlive the process that started them
	// (KEEP=1, `bootyard lab up`). Only Down ends them.
	Persist bool
	// Logger receives what the lab does. Nil: nothing is logged.
	Logger *slog.Logger `json:"-"`
}

// Lab is an isolated network that is up. Its methods may be called from several
// goroutines; several processes may hold the same lab (Open).
type Lab struct {
	cfg     Config
	log     *slog.Logger
	dir     string // StateDir/Name
	data    string // DataDir/Name
	done    context.Context
	release context.CancelFunc
}

// Up makes a lab. The context bounds the making only: call Down when finished.
// What a killed predecessor of the same name left is removed first. Errors:
// ErrInUse, ErrNotRoot, or the tool that is missing.
func Up(ctx context.Context, cfg Config) (_ *Lab, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	l := newLab(cfg)
	if err := os.MkdirAll(cfg.StateDir, 0o755); err != nil {
		return nil, fmt.Errorf("lab state folder: %w", err)
	}
	unlock, err := lockFile(ctx, filepath.Join(cfg.StateDir, cfg.Name+".lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()

	if err := l.clearPredecessor(ctx); err != nil {
		return nil, err
	}
	if err := l.prepareFolders(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.dismantle(context.WithoutCancel(ctx)))
		}
	}()
	if err := l.makeNamespace(ctx, switchRole); err != nil {
		return nil, err
	}
	if err := l.makeBridge(ctx); err != nil {
		return nil, err
	}
	if _, err := l.addHost(ctx, ServerHost, netip.PrefixFrom(cfg.ServerAddr, cfg.Subnet.Bits())); err != nil {
		return nil, err
	}
	l.log.Info("lab is up", "lab", cfg.Name, "subnet", cfg.Subnet, "server", cfg.ServerAddr)
	return l, nil
}

// Open finds a lab that is up, made by this or another process. StateDir and
// Name of cfg are used, all else comes from the lab's state.
func Open(cfg Config) (*Lab, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	st, err := readState(filepath.Join(cfg.StateDir, cfg.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %q; start it with `bootyard lab up`", ErrNotUp, cfg.Name)
	}
	if err != nil {
		return nil, err
	}
	logger := cfg.Logger
	stateDir := cfg.StateDir
	cfg = Config{
		Name: st.Name, StateDir: stateDir, DataDir: filepath.Dir(st.DataDir), LogDir: st.LogDir,
		Subnet: st.Subnet, ServerAddr: st.ServerAddr, MaxMachines: st.MaxMachines,
		Persist: st.Persist, Logger: logger,
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return newLab(cfg), nil
}

// Down ends every process in the lab, removes its namespaces, disks and state.
// It is safe to call again, and for a lab that another process made or left.
func (l *Lab) Down(ctx context.Context) error {
	l.release()
	unlock, err := lockFile(ctx, filepath.Join(l.cfg.StateDir, l.cfg.Name+".lock"))
	if errors.Is(err, ErrNotUp) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.dismantle(ctx); err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(l.cfg.StateDir, l.cfg.Name+".lock"))
	l.log.Info("lab is down", "lab", l.cfg.Name)
	return nil
}

// Down removes the lab of that name whether or not its maker lives. A lab that
// does not exist is no error.
func Down(ctx context.Context, cfg Config) error {
	if err := cfg.complete(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	l, err := Open(cfg)
	if errors.Is(err, ErrNotUp) {
		return nil
	}
	if err != nil {
		return err
	}
	return l.Down(ctx)
}

// Sweep takes down every lab under stateDir whose owner died without doing so.
// Labs made to persist are left alone. It returns the names it removed.
func Sweep(ctx context.Context, stateDir string, logger *slog.Logger) ([]string, error) {
	labs, err := List(stateDir)
	if err != nil {
		return nil, err
	}
	var removed []string
	var errs []error
	for _, s := range labs {
		if s.OwnerAlive || s.Persist {
			continue
		}
		if err := Down(ctx, Config{Name: s.Name, StateDir: stateDir, Logger: logger}); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, s.Name)
	}
	return removed, errors.Join(errs...)
}

// Name returns the lab's name.
func (l *Lab) Name() string { return l.cfg.Name }

// Subnet returns the lab's network.
func (l *Lab) Subnet() netip.Prefix { return l.cfg.Subnet }

// LogDir returns the folder that holds one folder of logs per machine.
func (l *Lab) LogDir() string {
	if l.cfg.LogDir != "" {
		return l.cfg.LogDir
	}
	return filepath.Join(l.data, "logs")
}

func newLab(cfg Config) *Lab {
	done, release := context.WithCancel(context.Background())
	return &Lab{
		cfg: cfg, log: cfg.Logger,
		dir: filepath.Join(cfg.StateDir, cfg.Name), data: filepath.Join(cfg.DataDir, cfg.Name),
		done: done, release: release,
	}
}

func (c *Config) complete() error {
	if c.Name == "" {
		c.Name = DefaultName
	}
	if !validName.MatchString(c.Name) {
		return fmt.Errorf("lab name %q: use 1 to 30 lower-case letters, digits and dashes", c.Name)
	}
	if c.StateDir == "" {
		c.StateDir = DefaultStateDir
	}
	if c.DataDir == "" {
		c.DataDir = DefaultDataDir
	}
	for _, dir := range []*string{&c.StateDir, &c.DataDir, &c.LogDir} {
		if *dir == "" {
			continue
		}
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return fmt.Errorf("lab folder %q: %w", *dir, err)
		}
		*dir = abs
	}
	if !c.Subnet.IsValid() {
		c.Subnet = netip.MustParsePrefix(DefaultSubnet)
	}
	c.Subnet = c.Subnet.Masked()
	if !c.Subnet.Addr().Is4() || c.Subnet.Bits() > 30 {
		return fmt.Errorf("lab subnet %s: give an IPv4 prefix of /30 or wider", c.Subnet)
	}
	if !c.ServerAddr.IsValid() {
		c.ServerAddr = c.Subnet.Addr().Next()
	}
	if !c.Subnet.Contains(c.ServerAddr) {
		return fmt.Errorf("lab server address %s is not in %s", c.ServerAddr, c.Subnet)
	}
	if c.MaxMachines <= 0 {
		c.MaxMachines = runtime.NumCPU()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// clearPredecessor removes what a dead owner of the same name left.
func (l *Lab) clearPredecessor(ctx context.Context) error {
	st, err := readState(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Persist || st.Owner.alive() {
		return fmt.Errorf("%w: %q (owner pid %d); take it down with `bootyard lab down --name %s` or choose another name",
			ErrInUse, l.cfg.Name, st.Owner.PID, l.cfg.Name)
	}
	l.log.Warn("removing a lab whose owner died", "lab", l.cfg.Name, "pid", st.Owner.PID)
	return l.dismantle(ctx)
}

// prepareFolders makes the lab's folders and its first state file.
func (l *Lab) prepareFolders() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("lab state folder: %w", err)
	}
	if err := os.MkdirAll(l.cfg.DataDir, 0o755); err != nil {
		return fmt.Errorf("lab data folder: %w", err)
	}
	if err := os.Mkdir(l.data, 0o700); err != nil {
		_ = os.Remove(l.dir)
		return fmt.Errorf("lab data folder: %w; it is not recorded as a lab's: remove it or set another one", err)
	}
	return writeState(l.dir, &state{
		Name: l.cfg.Name, Created: time.Now().UTC(), Owner: self(), Persist: l.cfg.Persist,
		Subnet: l.cfg.Subnet, ServerAddr: l.cfg.ServerAddr, MaxMachines: l.cfg.MaxMachines,
		DataDir: l.data, LogDir: l.cfg.LogDir, Machines: map[string]*machineState{},
	})
}

// dismantle removes everything that the state file lists. The state file goes
// last, so that an interrupted dismantle can be repeated.
func (l *Lab) dismantle(ctx context.Context) error {
	st, err := readState(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range st.Machines {
		errs = append(errs, endProcess(ctx, m.Process))
	}
	for _, ns := range slices.Backward(st.Namespaces) {
		errs = append(errs, removeNamespace(ctx, ns))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("lab %q: %w; run `bootyard lab down` again", l.cfg.Name, err)
	}
	if err := os.RemoveAll(st.DataDir); err != nil {
		return fmt.Errorf("lab data folder: %w", err)
	}
	if err := os.RemoveAll(l.dir); err != nil {
		return fmt.Errorf("lab state folder: %w", err)
	}
	// The shared parents go too when this was the last lab in them.
	_ = os.Remove(filepath.Dir(st.DataDir))
	return nil
}

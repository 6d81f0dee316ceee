package pxe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bootyard/bootyard/pxe/lease"
	"github.com/bootyard/bootyard/pxe/tftpd"
)

// Mode is what a Server does about DHCP.
type Mode string

// Modes of DHCP (dhcp.mode).
const (
	ModeOff    Mode = "off"    // TFTP only
	ModeProxy  Mode = "proxy"  // boot files only, beside somebody's DHCP server
	ModeServer Mode = "server" // addresses and boot files
)

// Config of a Server. Policy, Loaders and Interfaces are required, Leases and Pools too in server mode.
type Config struct {
	Mode       Mode
	Interfaces []string // names; nothing is sent or received on any other
	HTTPPort   uint16   // where the boot handler is reachable on the interface's address; 0 means 80
	HTTPAddr   netip.Addr
	Pools      []Pool // server mode: one for each interface's subnet, and one for each subnet behind a relay
	Leases     *lease.Table
	Force      bool          // server mode: start although another DHCP server answers
	RouterAdv  bool          // server mode: answer router solicitations, which saves Debian's iPXE 13 s
	Delay      time.Duration // proxy mode: wait before answering, so that another PXE server wins (PXE-3)

	Policy  BootPolicy
	Gate    Gate    // nil: boot scripts are for everybody
	Journal Journal // nil: events are only logged
	Loaders Loaders
	Log     *slog.Logger
	Now     func() time.Time

	ProbeTime time.Duration // how long to look for other DHCP servers; 0 means 4 s, as one that pings takes 3
	Retry     time.Duration // pause before an interface that failed is tried again; 0 means 15 s
	TFTPMax   int           // transfers at once, 0 means 256
}

// Server answers firmware on its interfaces, and is the source of the boot handler (Handler).
type Server struct {
	cfg     Config
	log     *slog.Logger
	leases  *lease.Table
	recent  *recent
	metrics *metrics
	queue   chan inbound
	tftp    *tftpd.Server
	waiting atomic.Int64 // packets that wait for the response delay

	mu     sync.Mutex
	health map[string]error
}

const (
	// queueLen is how many packets may wait: a whole lab that is switched on at once, at two packets a machine.
	queueLen = 2048
	// workers answer packets. They wait for the disk (leases) and for ARP, not for the processor.
	workers = 64
)

// NewServer checks cfg and makes a Server. Nothing is opened before Run.
func NewServer(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.HTTPPort == 0 {
		cfg.HTTPPort = 80
	}
	if cfg.ProbeTime <= 0 {
		cfg.ProbeTime = 4 * time.Second
	}
	if cfg.Retry <= 0 {
		cfg.Retry = 15 * time.Second
	}
	if cfg.Policy == nil || cfg.Loaders == nil {
		return nil, errors.New("pxe: Policy and Loaders are required")
	}
	if cfg.Mode != ModeOff && cfg.Mode != ModeProxy && cfg.Mode != ModeServer {
		return nil, fmt.Errorf("dhcp.mode: %q is not off, proxy or server", cfg.Mode)
	}
	if len(cfg.Interfaces) == 0 {
		return nil, errors.New("dhcp.interfaces is empty: name the interfaces on which machines boot")
	}
	if cfg.Mode == ModeServer {
		if cfg.Leases == nil || len(cfg.Pools) == 0 {
			return nil, errors.New("dhcp.mode server needs dhcp.range")
		}
		for _, p := range cfg.Pools {
			if err := p.check(); err != nil {
				return nil, err
			}
		}
	}
	s := &Server{cfg: cfg, log: cfg.Log, leases: cfg.Leases, recent: newRecent(cfg.Now), metrics: newMetrics(),
		queue: make(chan inbound, queueLen), health: map[string]error{}}
	if s.leases == nil {
		s.leases = lease.NewTable(cfg.Now)
	}
	s.tftp = tftpd.New(tftpd.Config{Files: tftpFiles{cfg.Loaders}, Log: cfg.Log, Done: s.tftpDone, Max: cfg.TFTPMax})
	return s, nil
}

// ErrNoInterface is returned by Run when not one interface could be served.
var ErrNoInterface = errors.New("no interface can be served")

// Run serves all interfaces until ctx ends. It fails at once, with the cause and the remedy for each, when none of them
// can be served at the start; one that fails beside a good one, or later, is logged and tried again. Health tells.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error { s.work(ctx); return nil })
	}
	type result struct {
		name string
		err  error
	}
	first := make(chan result, len(s.cfg.Interfaces))
	for _, name := range slices.Compact(slices.Sorted(slices.Values(s.cfg.Interfaces))) {
		var once sync.Once
		g.Go(func() error {
			s.keep(ctx, name, func(err error) { once.Do(func() { first <- result{name, err} }) })
			once.Do(func() { first <- result{name, ctx.Err()} })
			return nil
		})
	}
	g.Go(func() error {
		var errs []error
		n := len(slices.Compact(slices.Sorted(slices.Values(s.cfg.Interfaces))))
		for range n {
			if r := <-first; r.err != nil {
				errs = append(errs, r.err)
			}
		}
		if len(errs) == n && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", ErrNoInterface, errors.Join(errs...))
		}
		return nil
	})
	return g.Wait()
}

// keep serves one interface and tries again when it fails, until ctx ends.
func (s *Server) keep(ctx context.Context, name string, started func(error)) {
	for {
		err := s.serve(ctx, name, func() {
			s.setHealth(name, nil)
			started(nil)
		})
		if ctx.Err() != nil {
			return
		}
		s.setHealth(name, err)
		s.log.Error("interface is not served", "iface", name, "mode", string(s.cfg.Mode), "retry", s.cfg.Retry, "err", err)
		started(err)
		t := time.NewTimer(s.cfg.Retry)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

func (s *Server) setHealth(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health[name] = err
}

// Health returns the state of each interface that was tried: nil for one that is served.
func (s *Server) Health() map[string]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]error, len(s.health))
	for k, v := range s.health {
		out[k] = v
	}
	return out
}

// MACFor tells which machine has an address: by lease in server mode, else by what it told us at the proxy's port.
func (s *Server) MACFor(a netip.Addr) (mac string, ok bool) {
	if hw, ok := s.leases.MACFor(a); ok {
		return hw.String(), true
	}
	hw, ok := s.recent.macAt(a.Unmap())
	return hw.String(), ok
}

// record logs an event, counts it and gives it to the journal.
func (s *Server) record(ctx context.Context, e Event) {
	if e.Protocol == "" {
		return
	}
	label := e.Message
	if !slices.Contains([]string{"discover", "request", "inform", "decline", "release", "read", "ipxe", "grub", "loader"}, label) {
		label = "other"
	}
	s.metrics.answers.WithLabelValues(e.Protocol, label, e.Answer).Inc()
	s.metrics.bytes.WithLabelValues(e.Protocol).Add(float64(e.Bytes))
	level, msg := slog.LevelInfo, "answered"
	if e.Answer == "" {
		msg = "not answered"
	}
	attrs := []slog.Attr{slog.String("protocol", e.Protocol), slog.String("message", e.Message),
		slog.String("mac", e.Machine.MAC.String()), slog.String("reason", e.Reason)}
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("answer", e.Answer)
	add("uuid", e.Machine.UUID)
	add("iface", e.Machine.Interface)
	add("loader", string(e.Machine.Loader))
	add("firmware", string(e.Machine.Firmware))
	add("action", string(e.Action))
	add("rule", e.Rule)
	add("file", e.File)
	if e.Offered.IsValid() {
		add("addr", e.Offered.String())
	} else if e.Machine.Address.IsValid() {
		add("addr", e.Machine.Address.String())
	}
	if e.Bytes > 0 {
		attrs = append(attrs, slog.Int64("bytes", e.Bytes), slog.Duration("took", e.Took))
	}
	s.log.LogAttrs(ctx, level, msg, attrs...)
	if s.cfg.Journal != nil {
		s.cfg.Journal.Record(ctx, e)
	}
}

// tftpFiles narrows Loaders to what tftpd asks for.
type tftpFiles struct{ l Loaders }

func (f tftpFiles) File(name string) ([]byte, bool) { return f.l.File(name) }

func (s *Server) tftpDone(t tftpd.Transfer) {
	a := t.Client.Addr()
	e := Event{Time: s.cfg.Now(), Protocol: "tftp", Message: "read", File: t.Name, Bytes: int64(t.Bytes), Took: t.Took,
		Reason: t.Reason}
	if hw, ok := s.leases.MACFor(a); ok {
		e.Machine.MAC = hw
	} else if hw, ok := s.recent.macAt(a); ok {
		e.Machine.MAC = hw
	}
	if m, ok := s.recent.machine(e.Machine.MAC); ok {
		e.Machine = m
	}
	e.Machine.Address, e.Machine.Stage = a, StageTFTP
	switch t.Outcome {
	case tftpd.Sent:
		e.Answer, e.Reason = "file", "loader sent"
	case tftpd.Aborted:
		s.log.Debug("tftp size asked", "client", t.Client, "file", t.Name)
		return
	case tftpd.Missing:
		e.Answer = "" // firmware and loaders probe for many names
	case tftpd.Refused:
		s.metrics.malformed.WithLabelValues("tftp").Inc()
	}
	s.record(context.Background(), e)
}

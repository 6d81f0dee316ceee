package pxe_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe"
	"github.com/bootyard/bootyard/pxe/lease"
	"github.com/bootyard/bootyard/pxe/loader"
)

// TestMain lets the test binary be the server as well: it is run again inside a network namespace.
func TestMain(m *testing.M) {
	if os.Getenv("BOOTYARD_PXE_HELPER") != "" {
		if err := runHelper(os.Getenv("BOOTYARD_PXE_HELPER")); err != nil {
			fmt.Println("HELPER", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// helperConfig is what the helper process serves.
type helperConfig struct {
	Mode        pxe.Mode
	Port        uint16
	Leases      string
	Cache       string
	Files       string // directory served below /files/
	Action      pxe.Action
	Force       bool
	RA          bool
	Args        string
	Menu        bool
	Extra       []string // further interfaces
	FailScripts int      // how many questions at the script stage fail
	FailFiles   int      // how many boot files are not found at first
	MenuTime    time.Duration
	Delay       time.Duration
	Relay       bool // a second subnet, 10.78.0.0/24, behind a relay
}

type fixedPolicy struct {
	cfg   helperConfig
	asked *atomic.Int64 // at the script stage
}

func (p fixedPolicy) Decide(_ context.Context, m pxe.Machine) (pxe.Decision, error) {
	if m.Stage == pxe.StageScript && p.asked.Add(1) <= int64(p.cfg.FailScripts) {
		return pxe.Decision{}, errors.New("no database")
	}
	d := pxe.Decision{BootID: "b1", Action: p.cfg.Action, Reason: "test says so", Rule: "PXE-20", Args: p.cfg.Args}
	if p.cfg.Menu && m.Choice == "" {
		d.Action, d.Entries, d.Timeout = pxe.Menu, []pxe.MenuEntry{{ID: "BYD20000", Title: "Install 'Debian' $HOME; echo"}}, p.cfg.MenuTime
	}
	base := "http://10.77.0.1"
	if p.cfg.Port != 80 {
		base += fmt.Sprintf(":%d", p.cfg.Port)
	}
	for _, n := range []string{"vmlinuz", "initrd.img", "site.img"} {
		d.Files = append(d.Files, pxe.BootFile{Name: n, URL: base + "/files/" + n + "?exp=99&sig=a-b_c%2F"})
	}
	return d, nil
}

type lineJournal struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (j *lineJournal) Record(_ context.Context, e pxe.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.out.Encode(e)
}

func runHelper(text string) error {
	var cfg helperConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	catalog, err := loader.Build(ctx, loader.Config{Cache: cfg.Cache})
	if err != nil {
		return err
	}
	c := pxe.Config{Mode: cfg.Mode, Interfaces: append([]string{"eth0"}, cfg.Extra...), Retry: time.Second, HTTPPort: cfg.Port, Force: cfg.Force, RouterAdv: cfg.RA, Delay: cfg.Delay,
		Policy: fixedPolicy{cfg, new(atomic.Int64)}, Journal: &lineJournal{out: json.NewEncoder(os.Stdout)}, Loaders: catalog,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if cfg.Mode == pxe.ModeServer {
		c.Pools = []pxe.Pool{{Prefix: netip.MustParsePrefix("10.77.0.0/24"),
			Range: lease.Range{First: netip.MustParseAddr("10.77.0.100"), Last: netip.MustParseAddr("10.77.0.199")}}}
		if cfg.Relay {
			c.Pools = append(c.Pools, pxe.Pool{Prefix: netip.MustParsePrefix("10.78.0.0/24"), Router: netip.MustParseAddr("10.78.0.1"),
				Range: lease.Range{First: netip.MustParseAddr("10.78.0.100"), Last: netip.MustParseAddr("10.78.0.199")}})
		}
		if c.Leases, err = lease.Open(cfg.Leases, nil); err != nil {
			return err
		}
		defer c.Leases.Close()
	}
	s, err := pxe.NewServer(c)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/boot/", s.Handler())
	var failed atomic.Int64
	files := http.StripPrefix("/files/", http.FileServer(http.Dir(cfg.Files)))
	mux.HandleFunc("/files/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("HELPER asked", r.RequestURI)
		if failed.Add(1) <= int64(cfg.FailFiles) {
			http.NotFound(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
	hs := &http.Server{Addr: fmt.Sprintf("10.77.0.1:%d", cfg.Port), Handler: pxe.CleanPath(mux), ReadHeaderTimeout: 10 * time.Second}
	go func() { <-ctx.Done(); _ = hs.Close() }()
	go func() {
		if err := hs.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			fmt.Println("HELPER", err)
		}
	}()
	go func() {
		// The server says nothing when it has begun to serve an interface: ask until ctx ends; who reads our lines has a deadline.
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		ready := false
		for {
			h := s.Health()
			if err, ok := h["eth0"]; ok && err == nil && len(h) == 1+len(cfg.Extra) && !ready {
				ready = true
				fmt.Println("HELPER ready")
			}
			if ready && !slices.ContainsFunc(slices.Collect(maps.Values(h)), func(err error) bool { return err != nil }) {
				fmt.Println("HELPER all served")
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return s.Run(ctx)
}

// segment is an isolated network: a switch, a server's namespace with eth0 10.77.0.1/24, and room for clients.
type segment struct {
	t    *testing.T
	name string
	n    int
}

func newSegment(t *testing.T) *segment {
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip (Debian package iproute2)")
	}
	s := &segment{t: t, name: fmt.Sprintf("bydpxe%d", os.Getpid())}
	for _, ns := range []string{s.sw(), s.srv()} {
		run(t, "ip", "netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		run(t, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	run(t, "ip", "-n", s.sw(), "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0")
	run(t, "ip", "-n", s.sw(), "link", "set", "br0", "up")
	s.port("srv", s.srv(), "eth0")
	run(t, "ip", "-n", s.srv(), "addr", "add", "10.77.0.1/24", "dev", "eth0")
	return s
}

func (s *segment) sw() string  { return s.name + "sw" }
func (s *segment) srv() string { return s.name + "srv" }

// port connects dev in namespace ns to the switch.
func (s *segment) port(name, ns, dev string) {
	run(s.t, "ip", "-n", s.sw(), "link", "add", "p"+name, "type", "veth", "peer", "name", dev, "netns", ns)
	run(s.t, "ip", "-n", s.sw(), "link", "set", "p"+name, "master", "br0", "up")
	run(s.t, "ip", "-n", ns, "link", "set", dev, "up")
}

// host adds a namespace with an eth0 on the switch.
func (s *segment) host() string {
	s.n++
	ns := fmt.Sprintf("%sh%d", s.name, s.n)
	run(s.t, "ip", "netns", "add", ns)
	s.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	s.port(fmt.Sprintf("h%d", s.n), ns, "eth0")
	return ns
}

func run(t *testing.T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	require.NoError(t, err, "%s: %s", strings.Join(argv, " "), out)
	return string(out)
}

// helper is the server in its namespace.
type helper struct {
	t      *testing.T
	cmd    *exec.Cmd
	mu     sync.Mutex
	events []pxe.Event
	lines  []string
	note   chan struct{}
	ended  chan struct{}
	log    string
}

func (s *segment) serve(cfg helperConfig) *helper {
	t := s.t
	if cfg.Port == 0 {
		cfg.Port = 80
	}
	dir := t.TempDir()
	if cfg.Leases == "" {
		cfg.Leases = filepath.Join(dir, "leases")
	}
	if cfg.Cache == "" {
		cfg.Cache = filepath.Join(dir, "cache")
	}
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	h := &helper{t: t, note: make(chan struct{}, 1), ended: make(chan struct{}), log: filepath.Join(dir, "server.log")}
	h.cmd = exec.Command("ip", "netns", "exec", s.srv(), os.Args[0])
	h.cmd.Env = append(os.Environ(), "BOOTYARD_PXE_HELPER="+string(text))
	logFile, err := os.Create(h.log)
	require.NoError(t, err)
	h.cmd.Stderr = logFile
	stdout, err := h.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, h.cmd.Start())
	go func() {
		defer close(h.ended)
		sc := bufio.NewScanner(stdout)
		for sc.Scan() {
			var e pxe.Event
			h.mu.Lock()
			if json.Unmarshal(sc.Bytes(), &e) == nil {
				h.events = append(h.events, e)
			} else {
				h.lines = append(h.lines, sc.Text())
			}
			h.mu.Unlock()
			select {
			case h.note <- struct{}{}:
			default:
			}
		}
		_ = h.cmd.Wait()
	}()
	t.Cleanup(func() {
		h.stop(syscall.SIGTERM)
		_ = logFile.Close()
		if t.Failed() {
			b, _ := os.ReadFile(h.log)
			t.Logf("server log:\n%s", b)
		}
	})
	return h
}

func (h *helper) stop(sig syscall.Signal) {
	_ = h.cmd.Process.Signal(sig)
	select {
	case <-h.ended:
	case <-time.After(15 * time.Second):
		_ = h.cmd.Process.Kill()
		h.t.Error("server did not end in time")
	}
}

// line waits until the helper printed a line with text.
func (h *helper) line(text string) string {
	var got string
	h.wait("line "+text, func() bool {
		for _, l := range h.lines {
			if strings.Contains(l, text) {
				got = l
				return true
			}
		}
		return false
	})
	return got
}

// event waits for an event that match accepts.
func (h *helper) event(what string, match func(pxe.Event) bool) pxe.Event {
	var got pxe.Event
	h.wait(what, func() bool {
		for _, e := range h.events {
			if match(e) {
				got = e
				return true
			}
		}
		return false
	})
	return got
}

func (h *helper) wait(what string, ok func() bool) {
	h.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		h.mu.Lock()
		done := ok()
		h.mu.Unlock()
		if done {
			return
		}
		select {
		case <-h.note:
		case <-h.ended:
			h.mu.Lock()
			defer h.mu.Unlock()
			if !ok() {
				h.t.Fatalf("server ended while waiting for %s: %q", what, h.lines)
			}
			return
		case <-limit:
			h.mu.Lock()
			defer h.mu.Unlock()
			h.t.Fatalf("no %s; lines %q, %d events", what, h.lines, len(h.events))
		}
	}
}

package console_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/console"
	"github.com/bootyard/bootyard/internal/wire"
)

const goodToken = "bya_read"

var now = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// fakeSite is a site that a test changes.
type fakeSite struct {
	mu       sync.Mutex
	machines []wire.MachineStatus
	err      error
	revoked  bool
	gate     chan struct{} // nil: open; else MayRead waits for it
	asked    int
	revision uint64
	changed  chan struct{}
}

func newSite(machines ...wire.MachineStatus) *fakeSite {
	return &fakeSite{machines: machines, revision: 1, changed: make(chan struct{})}
}

// change lets f change the site, and everybody who waits see it.
func (s *fakeSite) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.revision++
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fakeSite) Machines(_ context.Context, limit int) ([]wire.MachineStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return append([]wire.MachineStatus{}, s.machines[:min(limit, len(s.machines))]...), s.err
}

func (s *fakeSite) WaitChange(ctx context.Context, seen uint64) (uint64, error) {
	for {
		s.mu.Lock()
		revision, changed := s.revision, s.changed
		s.mu.Unlock()
		if revision != seen {
			return revision, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return revision, ctx.Err()
		}
	}
}

func (s *fakeSite) MayRead(_ context.Context, token string) bool {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return token == goodToken && !s.revoked
}

func (s *fakeSite) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func newConsole(t *testing.T, s *fakeSite, clock func() time.Time) *console.Console {
	t.Helper()
	c, err := console.New(s, slog.New(slog.DiscardHandler), clock)
	require.NoError(t, err)
	return c
}

// serve serves the page by HTTPS, as the appliance does.
func serve(t *testing.T, s *fakeSite) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(newConsole(t, s, func() time.Time { return now }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

func running() wire.MachineStatus {
	return wire.MachineStatus{
		Device: "d1", Name: "lab-01", MAC: "52:54:00:00:00:01", Firmware: wire.UEFI, LastSeen: now.Add(-5 * time.Second),
		ServedText: "Required deployment BYD20000 is handed out (PXE-16)",
		Run: &wire.RunInfo{
			ID: "r1", Deployment: "BYD20000", SequenceName: "Deploy Debian", State: wire.RunRunning, Started: now.Add(-90 * time.Second),
			Step: "Apply operating system image", Current: 4, Total: 8, Percent: 50, LastMessage: "120 MB of 240 MB written",
		},
	}
}

func failed() wire.MachineStatus {
	ended := now.Add(-time.Hour)
	return wire.MachineStatus{
		Device: "d2", Name: "lab-02", MAC: "52:54:00:00:00:02", Firmware: wire.BIOS, LastSeen: ended,
		ServedText: "Required deployment BYD20000 was handed out to this machine already (PXE-17)",
		Run: &wire.RunInfo{
			ID: "r2", Deployment: "BYD20000", SequenceName: "Deploy Debian", State: wire.RunFailed, Started: ended.Add(-time.Minute), Ended: &ended,
			FailedStep: "Partition disk (BIOS)", ExitCode: 0x80070490, Message: "two disks are there and the step names none",
			Remedy: "name the disk in the step, then run: bootyard retry lab-02", Current: 2, Total: 8,
		},
	}
}

func stranger() wire.MachineStatus {
	return wire.MachineStatus{
		Name: "unknown 52:54:00:00:00:99", MAC: "52:54:00:00:00:99", Firmware: wire.BIOS, LastSeen: now.Add(-3 * time.Minute),
		ServedText: "the machine is not known and support for unknown computers is off; import it with `bootyard device import` or switch unknown computers on (PXE-13)",
		Boot: &wire.Boot{ID: "b9", MAC: "52:54:00:00:00:99", Action: wire.ActionNothing, Started: now.Add(-3 * time.Minute), Last: now.Add(-3 * time.Minute),
			Answers: []wire.BootAnswer{{Stage: wire.StageDHCP, Protocol: "dhcp", Answer: "nothing"}}},
	}
}

package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// clock is a clock that jumps over waits.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// fakeMachine is a machine without hardware.
type fakeMachine struct {
	mu       sync.Mutex
	clock    *clock
	identity wire.Identity
	restarts int
	offs     int
	set      []time.Time
	network  error
	stuck    error // what Restart answers
}

func (m *fakeMachine) Identity(context.Context, string) (wire.Identity, error) {
	return m.identity, nil
}
func (m *fakeMachine) BootArgs() (map[string]string, error) { return nil, nil }
func (m *fakeMachine) ConnectNetwork(context.Context, string, func(string)) error {
	return m.network
}
func (m *fakeMachine) SetClock(now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set = append(m.set, now)
	m.clock.set(now)
	return nil
}
func (m *fakeMachine) Restart(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.restarts++
	return m.stuck
}
func (m *fakeMachine) PowerOff(context.Context) error { m.offs++; return nil }

// commands records command lines; "exit N" ends with code N.
type commands struct {
	mu    sync.Mutex
	lines []string
	on    func(ctx context.Context, c machine.Command)
}

func (c *commands) Run(ctx context.Context, command machine.Command) (machine.Exit, error) {
	c.mu.Lock()
	c.lines = append(c.lines, command.Line)
	c.mu.Unlock()
	if c.on != nil {
		c.on(ctx, command)
	}
	var code uint32
	_, _ = fmt.Sscanf(command.Line, "exit %d", &code)
	return machine.Exit{Code: code, Output: command.Line}, ctx.Err()
}

func (c *commands) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.lines...)
}

// screen keeps what a person would see.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

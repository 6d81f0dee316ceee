package agenttest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// Clock is a clock that jumps over waits. The zero value stands at the zero time.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes one that stands at a time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep returns at once; the time has passed.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// Set moves the clock.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Machine is a host.Machine that records what was asked of it. The fields may be changed while no agent runs.
type Machine struct {
	mu       sync.Mutex
	Self     wire.Identity
	Clock    *Clock // set by SetClock; nil keeps the times only
	Network  error  // what ConnectNetwork answers
	Stuck    error  // what Restart answers
	Restarts int
	Offs     int
	Clocks   []time.Time // to which the clock was set
}

// Identity implements host.Machine.
func (m *Machine) Identity(context.Context, string) (wire.Identity, error) { return m.Self, nil }

// BootArgs implements host.Machine.
func (m *Machine) BootArgs() (map[string]string, error) { return nil, nil }

// ConnectNetwork implements host.Machine.
func (m *Machine) ConnectNetwork(context.Context, string, func(string)) error { return m.Network }

// SetClock implements host.Machine.
func (m *Machine) SetClock(now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Clocks = append(m.Clocks, now)
	if m.Clock != nil {
		m.Clock.Set(now)
	}
	return nil
}

// Restart implements host.Machine.
func (m *Machine) Restart(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Restarts++
	return m.Stuck
}

// PowerOff implements host.Machine.
func (m *Machine) PowerOff(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Offs++
	return nil
}

// Commands is a machine.Commands that records command lines and runs none; "exit N" ends with code N.
type Commands struct {
	mu    sync.Mutex
	lines []string
	// On is called with each command, from the goroutine of the run. It may be changed while no command runs.
	On func(ctx context.Context, c machine.Command)
}

// Run implements machine.Commands.
func (c *Commands) Run(ctx context.Context, command machine.Command) (machine.Exit, error) {
	c.Note(command.Line)
	if c.On != nil {
		c.On(ctx, command)
	}
	var code uint32
	_, _ = fmt.Sscanf(command.Line, "exit %d", &code)
	return machine.Exit{Code: code, Output: command.Line}, ctx.Err()
}

// Detach implements machine.Detacher.
func (c *Commands) Detach(line string) error {
	c.Note("detached: " + line)
	return nil
}

// Note records a line.
func (c *Commands) Note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
}

// All are the lines so far.
func (c *Commands) All() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.lines...)
}

// Screen keeps what a person would see.
type Screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// String is all that was written.
func (s *Screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

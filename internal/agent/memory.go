package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	memoryFile = "memory.json"
	// maxUserEvents bounds the sign-ins that are remembered; only those after the last evaluation matter.
	maxUserEvents = 200
)

// memory is what an installed agent must know over restarts to obey schedules.
type memory struct {
	// Arrived is when a deployment was first seen (SCH-11), Handled up to when its due times were skipped (RRN-9).
	Arrived map[string]time.Time `json:"arrived,omitempty"`
	Handled map[string]time.Time `json:"handled,omitempty"`
	Events  []userEvent          `json:"events,omitempty"`
	Users   []string             `json:"users,omitempty"` // signed in when last looked
	// Asked are deployments that a user started and that have not begun yet.
	Asked []string  `json:"asked,omitempty"`
	Last  lastRun   `json:"last,omitzero"`
	Told  []string  `json:"told,omitempty"` // messages sent, so that each is sent once
	Next  time.Time `json:"next,omitzero"`  // poll for policy
}

type userEvent struct {
	Kind wire.AssignmentKind `json:"kind"`
	At   time.Time           `json:"at"`
}

// lastRun is what status shows when nothing runs.
type lastRun struct {
	Name       string    `json:"name,omitempty"`
	Deployment string    `json:"deployment,omitempty"`
	Ended      time.Time `json:"ended,omitzero"`
	Succeeded  bool      `json:"succeeded,omitempty"`
	Step       string    `json:"step,omitempty"`
	ExitCode   uint32    `json:"exitCode,omitempty"`
	Message    string    `json:"message,omitempty"`
}

// readMemory reads what saveMemory wrote. A damaged file is an empty memory: schedules then start from the policy again.
func readMemory(dir string) (memory, error) {
	m := memory{}
	data, err := os.ReadFile(filepath.Join(dir, memoryFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("read the agent's memory: %w", err)
	}
	if err == nil && json.Unmarshal(data, &m) != nil {
		m = memory{}
	}
	if m.Arrived == nil {
		m.Arrived = map[string]time.Time{}
	}
	if m.Handled == nil {
		m.Handled = map[string]time.Time{}
	}
	return m, nil
}

func (a *Agent) saveMemory() error {
	data, err := json.Marshal(a.memory)
	if err != nil {
		return fmt.Errorf("keep the agent's memory: %w", err)
	}
	return atomicfile.Write(filepath.Join(a.kit.dir, memoryFile), data, 0o600)
}

// arrived notes new deployments and forgets those that are gone.
func (m *memory) arrived(candidates []wire.Candidate, now time.Time) {
	known := map[string]bool{}
	for _, c := range candidates {
		known[c.Deployment] = true
		if m.Arrived[c.Deployment].IsZero() {
			m.Arrived[c.Deployment] = now
		}
	}
	for id := range m.Arrived {
		if !known[id] {
			delete(m.Arrived, id)
			delete(m.Handled, id)
		}
	}
	m.Asked = slices.DeleteFunc(m.Asked, func(id string) bool { return !known[id] })
}

// users turns who is signed in now into sign-in and sign-out events (SCH-12).
func (m *memory) users(now []string, at time.Time) {
	add := func(kind wire.AssignmentKind) { m.Events = append(m.Events, userEvent{Kind: kind, At: at}) }
	for _, user := range now {
		if !slices.Contains(m.Users, user) {
			add(wire.LogOn)
		}
	}
	for _, user := range m.Users {
		if !slices.Contains(now, user) {
			add(wire.LogOff)
		}
	}
	m.Users = slices.Clone(now)
	if extra := len(m.Events) - maxUserEvents; extra > 0 {
		m.Events = slices.Delete(m.Events, 0, extra)
	}
}

// again makes once say yes to a key again: what was not delivered has not been told.
func (m *memory) again(key string) {
	m.Told = slices.DeleteFunc(m.Told, func(k string) bool { return k == key })
}

// once reports whether a message has not been told yet, and notes it.
func (m *memory) once(key string) bool {
	if slices.Contains(m.Told, key) {
		return false
	}
	if m.Told = append(m.Told, key); len(m.Told) > maxUserEvents {
		m.Told = slices.Delete(m.Told, 0, 1)
	}
	return true
}

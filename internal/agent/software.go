package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/agent/outbox"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

const (
	programsFile = "programs.json"
	// maxPrograms bounds what is remembered; the oldest are forgotten.
	maxPrograms = 1000
)

// software is the engine's machine.Software: the appliance answers, and what ran is kept in the state folder.
type software struct {
	line  outbox.Line
	clock link.Clock
	wait  link.Backoff
	say   func(format string, args ...any)
	dir   string
	mu    sync.Mutex
}

// Program implements machine.Software.
func (s *software) Program(ctx context.Context, packageID, name string) (wire.Program, error) {
	a, err := s.ask(ctx, wire.SoftwareQuery{Package: packageID, Program: name})
	if err != nil {
		return wire.Program{}, err
	}
	if a.Program == nil {
		return wire.Program{}, errors.New("the appliance's answer holds no program")
	}
	return *a.Program, nil
}

// Application implements machine.Software.
func (s *software) Application(ctx context.Context, name string) (wire.Application, error) {
	a, err := s.ask(ctx, wire.SoftwareQuery{Application: name})
	if err != nil {
		return wire.Application{}, err
	}
	if a.Application == nil {
		return wire.Application{}, errors.New("the appliance's answer holds no application")
	}
	return *a.Application, nil
}

// ask waits for an appliance that is away.
func (s *software) ask(ctx context.Context, q wire.SoftwareQuery) (wire.SoftwareAnswer, error) {
	var a wire.SoftwareAnswer
	err := link.Retry(ctx, s.clock, s.wait, func(err error, wait time.Duration) {
		s.say("software: the appliance does not answer (%v), next try in %s", err, wait.Round(time.Second))
	}, func(ctx context.Context) error {
		return s.line.Do(ctx, http.MethodPost, wire.PathSoftware, q, &a)
	})
	if link.Status(err) == http.StatusNotFound {
		return a, fmt.Errorf("%w: %w", machine.ErrNoSoftware, err)
	}
	return a, err
}

// HasRun implements machine.Software.
func (s *software) HasRun(packageID, program string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.ran()
	return err == nil && slices.Contains(list, programKey(packageID, program))
}

// NoteRun implements machine.Software.
func (s *software) NoteRun(packageID, program string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.ran()
	key := programKey(packageID, program)
	if err != nil || slices.Contains(list, key) {
		return err
	}
	list = append(list, key)
	data, err := json.Marshal(list[max(0, len(list)-maxPrograms):])
	if err == nil {
		err = atomicfile.Write(filepath.Join(s.dir, programsFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("remember which program ran: %w", err)
	}
	return nil
}

func programKey(packageID, program string) string { return packageID + ":" + strings.ToLower(program) }

// ran reads the list; a damaged one is as if nothing had run.
func (s *software) ran() ([]string, error) {
	data, err := os.ReadFile(filepath.Join(s.dir, programsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read which programs ran: %w", err)
	}
	var list []string
	if err == nil && json.Unmarshal(data, &list) != nil {
		return nil, nil
	}
	return list, nil
}

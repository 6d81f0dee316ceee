//go:build !linux

package command

import (
	"os"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	nonblock      = 0
	settingsFile  = `C:\ProgramData\bootyard\agent.json`
	consoleDevice = "CONOUT$"
)

func stateDir() string   { return filepath.Join(os.Getenv("ProgramData"), "bootyard", "state") }
func socketFile() string { return filepath.Join(os.Getenv("ProgramData"), "bootyard", "agent.sock") }

func runEnded(time.Duration) error                { return nil }
func expireMarker(time.Duration, time.Time) error { return nil }
func signedIn() []string                          { return nil }

// newTarget is nil: steps that write disks exist on Linux only.
func newTarget(wire.Identity, map[string]string) func(agent.TargetRequest) agent.Target { return nil }

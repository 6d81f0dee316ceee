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

// dataDir is where the files of the boot environment's last step lie too, whose program cannot ask Windows.
func dataDir() string    { return filepath.Dir(settingsFile) }
func stateDir() string   { return filepath.Join(dataDir(), "state") }
func socketFile() string { return filepath.Join(dataDir(), "agent.sock") }

// runEnded takes away what marks the disk as holding a run (MED-25). The mark stays for a while where a medium may be first
// in the boot order.
func runEnded(markerStays time.Duration) error {
	if markerStays != 0 {
		return nil
	}
	return removeMarkers()
}

// expireMarker takes a mark away that has stayed long enough: when a round begins after that time.
func expireMarker(markerStays time.Duration, now time.Time) error {
	info, err := os.Stat(settingsFile)
	if markerStays == 0 || err != nil || now.Sub(info.ModTime()) < markerStays {
		return nil
	}
	return removeMarkers()
}

func signedIn() []string { return nil }

func logPlaces(environment wire.Environment) agent.LogPlaces {
	return agent.WindowsLogs(os.Getenv("SystemRoot"), environment)
}

// newTarget is nil: steps that write disks exist on Linux only.
func newTarget(wire.Identity, map[string]string) func(agent.TargetRequest) agent.Target { return nil }

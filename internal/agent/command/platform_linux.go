package command

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/target"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	nonblock      = syscall.O_NONBLOCK | syscall.O_NOCTTY
	settingsFile  = apply.AgentConfig
	consoleDevice = "/dev/console"
	sessionsDir   = "/run/systemd/sessions"
)

func stateDir() string   { return apply.StateDir }
func socketFile() string { return "/run/bootyard/agent.sock" }

// logPlaces is bootyard's own folder here.
func logPlaces(wire.Environment) agent.LogPlaces { return agent.LogPlaces{} }

// bootOrderVariable says what the firmware starts first in the long run: disk (default) or network.
const bootOrderVariable = "BootyardBootOrder"

func newTarget(identity wire.Identity, _ map[string]string) func(agent.TargetRequest) agent.Target {
	return func(r agent.TargetRequest) agent.Target {
		order := ""
		for name, value := range r.Run.Variables {
			if strings.EqualFold(name, bootOrderVariable) {
				order = strings.TrimSpace(value)
			}
		}
		return target.New(target.Options{Run: r.Run.ID, Firmware: identity.Firmware, Arch: identity.Arch,
			DiskFirst: !strings.EqualFold(order, "network"), Mounts: "/run/bootyard/volumes", Files: r.Files, Say: r.Say, Protected: []string{ramDir()}})
	}
}

// runEnded takes away what marks the disk as holding a run (MED-25), and the drop-in that shows the run on the console.
// The mark stays for a while where a medium may be first in the boot order.
func runEnded(markerStays time.Duration) error {
	var err error
	if markerStays == 0 {
		err = apply.RemoveMarker("/")
	}
	if e := os.Remove(apply.RunDropIn); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// expireMarker takes a mark away that has stayed long enough.
func expireMarker(markerStays time.Duration, now time.Time) error {
	if markerStays == 0 {
		return nil
	}
	return apply.ExpireMarker("/", markerStays, now)
}

// signedIn lists the users that systemd-logind has sessions of, each once.
func signedIn() []string {
	entries, err := os.ReadDir(sessionsDir)
	if err != nil {
		return nil
	}
	var users []string
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue // a fifo beside the session's file, reading which would wait
		}
		data, err := os.ReadFile(filepath.Join(sessionsDir, entry.Name()))
		if err != nil {
			continue // ended in between
		}
		if user := sessionUser(string(data)); user != "" && !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users
}

// sessionUser is the user of a session of class user (sd-login's files); greeters and services are nobody.
func sessionUser(text string) string {
	user, class := "", ""
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "USER":
			user = value
		case "CLASS":
			class = value
		}
	}
	if class != "user" {
		return ""
	}
	return user
}

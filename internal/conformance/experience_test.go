package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// experience is the page User Experience.
func experience() []row {
	return []row{{"S-70", progress}, {"S-71", installOutsideWindow}, {"S-72", restartOutsideWindow}}
}

func contains(text string, all ...string) bool {
	for _, part := range all {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func progress(t *testing.T) {
	for name, show := range map[string]bool{"DEP-17 on": true, "DEP-17 off": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c := b.client("pc-1", "UTC")
			b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("first step", "echo one"), command("second step", "echo two")).ID,
				Collection: b.collection("PCs", c.device).ID, Purpose: wire.Required, Assignments: asap, ShowProgress: &show})
			c.round()
			require.Equal(t, 2, c.ran())
			require.Equal(t, show, contains(c.screen.String(), "first step", "second step"), c.screen.String())
			require.Equal(t, show, strings.Contains(c.screen.String(), "step 1 of 2"))
		})
	}
}

// tomorrow is a window of four hours on the next day.
func tomorrow() []wire.Window {
	return []wire.Window{{Name: "night", Length: 240, AppliesTo: "all", Schedule: onceAt(start.Add(24 * time.Hour))[0]}}
}

func installOutsideWindow(t *testing.T) {
	for name, outside := range map[string]bool{"MWN-12 on": true, "MWN-12 off": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c := b.client("pc-1", "UTC")
			due := start.Add(time.Hour)
			b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.windowed("PCs", tomorrow(), c.device).ID,
				Purpose: wire.Required, Assignments: onceAt(due), InstallOutsideWindow: outside})
			c.at(due.Add(-time.Minute))
			require.Zero(t, c.ran(), "not before its time, with either")
			c.at(due)
			require.Equal(t, outside, c.ran() == 1)
			c.at(start.Add(24*time.Hour - time.Minute))
			require.Equal(t, outside, c.ran() == 1)
			c.at(start.Add(24 * time.Hour))
			require.Equal(t, 1, c.ran())
		})
	}
}

func restartOutsideWindow(t *testing.T) {
	for name, outside := range map[string]bool{"MWN-13 on": true, "MWN-13 off": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c := b.client("pc-1", "UTC")
			b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one"), restartStep, command("two", "echo two")).ID,
				Collection: b.windowed("PCs", tomorrow(), c.device).ID, Purpose: wire.Required, Assignments: asap,
				InstallOutsideWindow: true, RestartOutsideWindow: outside})
			err := c.RunOnce(b.Ctx)
			require.Error(t, err, "it restarts, or waits to")
			require.Equal(t, 1, c.ran())
			require.Equal(t, outside, c.machine.Restarts == 1, "%v", err)
			if !outside {
				b.at(start.Add(23 * time.Hour))
				require.ErrorContains(t, c.RunOnce(b.Ctx), "MWN-13")
				require.Zero(t, c.machine.Restarts)
				b.at(start.Add(24 * time.Hour))
				require.Error(t, c.RunOnce(b.Ctx))
				require.Equal(t, 1, c.machine.Restarts)
			}
			c.restart()
			c.round()
			require.Equal(t, []string{"echo one", "echo two"}, c.commands.All())
		})
	}
}

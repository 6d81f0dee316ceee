package agent_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// reset is a machine whose appliance went away after the first command, and which was reset during the third.
func reset(t *testing.T) (b *bench, volume string) {
	b = newBench(t)
	volume = t.TempDir()
	b.config.NewTarget = func(agent.TargetRequest) agent.Target { return &disk{data: volume} }
	b.run.SequenceXML = sequenceOf(partition(), command("first", "echo one"), command("second", "echo two"), command("third", "echo three"), command("fourth", "echo four"))
	ctx, kill := context.WithCancel(context.Background())
	b.fail = func(r *http.Request) int {
		if len(b.commands.All()) > 0 && strings.HasSuffix(r.URL.Path, "/checkpoint") {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	b.commands.On = func(_ context.Context, c machine.Command) {
		if c.Line == "echo three" {
			kill()
		}
	}
	require.Error(t, b.boot(ctx))
	b.commands.On, b.fail = nil, nil
	b.config.Dir, b.bootUsed = t.TempDir(), false // nothing in RAM survived, and the loader got a new token
	b.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionResume, ActiveRun: b.run.ID}
	}
	return b, volume
}

func TestNewerStateOnTheDiskCounts(t *testing.T) {
	b, volume := reset(t)
	var d *disk
	b.config.NewTarget = func(agent.TargetRequest) agent.Target {
		d = &disk{data: volume, found: []string{t.TempDir(), filepath.Join(volume, "State")}}
		return d
	}
	require.Error(t, b.boot(context.Background()))
	require.EqualValues(t, 0x800704D3, b.finish.ExitCode)
	require.Equal(t, "third", b.finish.Step, "TS-112a, TS-117a: the disk knows what was being done; the appliance only the first")
	require.Equal(t, []string{"echo one", "echo two", "echo three"}, b.commands.All(), "nothing twice")
	require.Contains(t, b.screen.String(), "on the disk: the appliance missed the last one")
}

func TestStateOfAnotherRunIsLeftAlone(t *testing.T) {
	b, volume := reset(t)
	require.NoError(t, os.WriteFile(filepath.Join(volume, "State", "id"), []byte("0192f000-0000-7000-8000-00000000ffff"), 0o600))
	b.config.NewTarget = func(agent.TargetRequest) agent.Target {
		return &disk{data: volume, found: []string{filepath.Join(volume, "State")}}
	}
	require.Error(t, b.boot(context.Background()))
	require.Equal(t, "first", b.finish.Step, "the appliance's state is what there is")
}

func TestOlderStateOnTheDiskIsLeftAlone(t *testing.T) {
	b, volume := reset(t)
	name := filepath.Join(volume, "State", "state.json")
	var state map[string]any
	require.NoError(t, json.Unmarshal([]byte(readFile(t, name)), &state))
	state["number"] = 1
	data, err := json.Marshal(state)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, data, 0o600))
	b.config.NewTarget = func(agent.TargetRequest) agent.Target {
		return &disk{data: volume, found: []string{filepath.Join(volume, "State")}}
	}
	require.Error(t, b.boot(context.Background()))
	require.Equal(t, "first", b.finish.Step)
}

func TestRunThatMovedToTheDiskIsNotRepeatedHere(t *testing.T) {
	b := newBench(t)
	b.addPackage("BYD00002", "image.tar", "image")
	b.run.SequenceXML = osSequence(command("in the new OS", "echo two"))
	state := t.TempDir()
	found := []string{}
	b.config.NewTarget = func(r agent.TargetRequest) agent.Target {
		return &disk{dir: state, files: r.Files, found: found}
	}
	away := false
	b.fail = func(r *http.Request) int {
		// The state with which the machine restarts does not get through.
		away = away || strings.HasSuffix(r.URL.Path, "/resume")
		if away && strings.HasSuffix(r.URL.Path, "/checkpoint") {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, wire.WinPE, b.run.Awaits)
	b.fail = nil
	b.config.Dir, b.bootUsed = t.TempDir(), false
	b.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionResume, ActiveRun: b.run.ID}
	}
	found = []string{filepath.Join(state, "run")}
	require.NoError(t, b.boot(context.Background()))
	require.Contains(t, b.screen.String(), "the run goes on in the installed system")
	require.Equal(t, wire.FullOS, b.run.Awaits, "now the appliance knows")
	require.Equal(t, 2, b.machine.Restarts)
	require.Nil(t, b.finish)
}

func TestTS154LogGoesOnOnTheVolume(t *testing.T) {
	b := newBench(t)
	volume := t.TempDir()
	var d *disk
	b.config.NewTarget = func(agent.TargetRequest) agent.Target {
		d = &disk{data: volume}
		return d
	}
	place := filepath.Join(volume, "Logs", "Smstslog", "smsts.log")
	there := ""
	b.run.SequenceXML = sequenceOf(command("before", "echo zero"), partition(), command("break it", "exit 5"))
	b.commands.On = func(_ context.Context, c machine.Command) {
		if c.Line == "exit 5" {
			there = readFile(t, place)
		} else {
			require.NoFileExists(t, place)
		}
	}
	require.Error(t, b.boot(context.Background()))
	require.Contains(t, there, "Instruction name: 'before'", "TS-154: what was written before went along")
	require.Contains(t, there, "Instruction name: 'break it'")
	require.Equal(t, 1, strings.Count(string(b.log), "Instruction name: 'before'"), "the upload goes on, once")
	require.Contains(t, string(b.log), "Failed to run the action: break it.")
	here := readFile(t, filepath.Join(b.config.Dir, "logs", "smsts.log"))
	require.Equal(t, string(b.log), here, "a person at the shell finds all of it where it began")

	b = newBench(t)
	b.config.NewTarget = func(agent.TargetRequest) agent.Target {
		d = &disk{data: volume}
		return d
	}
	b.run.SequenceXML = sequenceOf(partition(), command("first", "echo one"))
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, 1, d.clean, "TS-122")
}

package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// plans plays powercfg.exe, in German: only the GUID counts.
type plans struct {
	mu     sync.Mutex
	active string
	calls  []string
	code   uint32
}

func (*plans) Windows() bool         { return true }
func (*plans) Find(name string) bool { return name == "powercfg.exe" }

func (p *plans) Start(_ context.Context, program machine.Program) (machine.Exit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, strings.Join(program.Args, " "))
	if program.Args[0] == "/setactive" && p.code == 0 {
		p.active = program.Args[1]
	}
	return machine.Exit{Code: p.code, Output: "GUID des Energieschemas: " + p.active + "  (Ausbalanciert)\r\n"}, nil
}

const (
	saver   = "a1841308-3541-4fab-bc81-f71556f20b4a"
	high    = "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c"
	regular = "381b4222-f694-41f0-9685-ff5bb260df2e"
)

func TestTS19PowerPlan(t *testing.T) {
	run := func(t *testing.T, p *plans, mode wire.LaunchMode, rounds ...func(*installed)) *installed {
		i := newInstalled(t)
		i.run.LaunchMode = mode
		i.run.SequenceXML = sequenceOf(command("first", "exit 3010"), command("second", "exit 0"))
		i.config.Local.Programs = p
		i.open(t)
		offered := candidate()
		offered.Assignments = []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: start.Add(time.Hour), UTC: true}}}
		offered.Rerun = wire.RerunNever
		i.offer(offered)
		require.ErrorIs(t, i.at(t, start.Add(time.Hour)), agent.ErrRestarting)
		require.NoError(t, os.RemoveAll(filepath.Join(i.config.Dir, "run", "restart"))) // it went down and came back
		for _, r := range rounds {
			r(i)
		}
		i.open(t)
		_ = i.at(t, start.Add(time.Hour+time.Minute))
		require.Equal(t, []string{"exit 3010", "exit 0"}, i.commands.All())
		return i
	}
	t.Run("kept, again after a restart, and back", func(t *testing.T) {
		p := &plans{active: saver}
		run(t, p, wire.LaunchSMS, func(*installed) {
			require.Equal(t, high, p.active, "while it runs")
			p.active = regular // Windows after a restart
		})
		require.Equal(t, []string{"/getactivescheme", "/setactive " + high, "/setactive " + high, "/setactive " + saver}, p.calls)
	})
	t.Run("a new Windows ends balanced", func(t *testing.T) {
		p := &plans{active: high}
		run(t, p, wire.LaunchPXE)
		require.Equal(t, []string{"/setactive " + high, "/setactive " + high, "/setactive " + regular}, p.calls)
	})
	t.Run("a machine without plans is deployed", func(t *testing.T) {
		p := &plans{active: saver, code: 1}
		i := run(t, p, wire.LaunchSMS)
		require.Contains(t, i.screen.String(), "the power plan stays: powercfg /getactivescheme: exit code 1")
	})
}

func TestTS154Places(t *testing.T) {
	require.Equal(t, agent.LogPlaces{During: `X:\Windows\Temp\SMSTSLog`}, agent.WindowsLogs(`X:\Windows`, wire.WinPE))
	require.Equal(t, agent.LogPlaces{During: `C:\Windows\CCM\Logs\SMSTSLog`, End: `C:\Windows\CCM\Logs`}, agent.WindowsLogs(`C:\Windows`, wire.FullOS))

	i := newInstalled(t)
	root := t.TempDir()
	i.config.Logs = agent.LogPlaces{During: filepath.Join(root, "Logs", "SMSTSLog"), End: filepath.Join(root, "Logs")}
	i.open(t)
	i.run.SequenceXML = sequenceOf(command("first", "echo %_SMSTSLogPath%"))
	offered := candidate()
	offered.Assignments = []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: start.Add(time.Hour), UTC: true}}}
	i.offer(offered)
	require.NoError(t, i.at(t, start.Add(time.Hour)))
	require.Equal(t, []string{"echo " + i.config.Logs.During}, i.commands.All())
	require.Contains(t, readFile(t, filepath.Join(i.config.Logs.End, smstslog.Name)), "Successfully completed the task sequence")
	require.NoFileExists(t, filepath.Join(i.config.Logs.During, smstslog.Name))
}

package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/agenttest"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
)

// victimJob names the environment variable that makes this program the agent that is killed.
const victimJob = "BOOTYARD_TEST_VICTIM"

// patience is how long the last agent may take.
const patience = 30 * time.Second

// victim is what the killed agent is made of.
type victim struct {
	Environment      wire.Environment
	URL, CASPKI, Dir string
	CAPEM            []byte
}

func TestMain(m *testing.M) {
	if job := os.Getenv(victimJob); job != "" {
		if err := beVictim([]byte(job)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// beVictim runs a real agent with real commands until its run has ended.
func beVictim(job []byte) error {
	var v victim
	if err := json.Unmarshal(job, &v); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	system := host.System{}
	machine := &agenttest.Machine{Clock: &agenttest.Clock{}, Self: wire.Identity{MACs: []string{"52:54:00:00:00:01"}, Zone: "UTC"}}
	console := agent.NewConsole(os.Stderr, system.Now)
	backoff := link.Backoff{First: 10 * time.Millisecond, Max: 50 * time.Millisecond, For: 30 * time.Second}
	if v.Environment == wire.WinPE {
		a, err := agent.NewBootAgent(agent.BootConfig{Boot: agent.Boot{URL: v.URL, CASPKI: v.CASPKI, CAPEM: v.CAPEM, Token: bootToken},
			Machine: machine, Clock: system, Console: console, Dir: v.Dir, Backoff: backoff})
		if err != nil {
			return err
		}
		return a.Run(ctx)
	}
	a, err := agent.New(agent.Config{URL: v.URL, CASPKI: v.CASPKI, CAPEM: v.CAPEM, ClientToken: clientToken, Machine: machine, Clock: system,
		Console: console, Dir: v.Dir, Backoff: backoff})
	if err != nil {
		return err
	}
	return a.RunOnce(ctx)
}

// TestSIGKILLAtAnyTime: whenever the agent is killed, no step runs twice, and one whose end is not known is reported as
// interrupted (TS-112a).
func TestSIGKILLAtAnyTime(t *testing.T) {
	for _, environment := range []wire.Environment{wire.WinPE, wire.FullOS} {
		t.Run(string(environment), func(t *testing.T) {
			// 20 kills a run; make test-all makes it 200 in all.
			runs := 1
			if os.Getenv("BOOTYARD_VM") == "all" {
				runs = 5
			}
			for range runs {
				killed(t, environment)
			}
		})
	}
}

func killed(t *testing.T, environment wire.Environment) {
	const steps, kills = 120, 20 // enough steps that the last kill does not come after the end
	appliance := newAppliance(t, time.Now)
	dir := t.TempDir()
	lines, script := filepath.Join(dir, "lines"), filepath.Join(dir, "append.sh")
	require.NoError(t, os.WriteFile(script, []byte("echo $1 >> "+lines+"\nsleep 0.05\n"), 0o600))
	list := make([]string, steps)
	for i := range list {
		list[i] = strings.Replace(command(fmt.Sprintf("step %d", i+1), fmt.Sprintf("/bin/sh %s %d", script, i+1)),
			"<step ", `<step continueOnError="true" `, 1)
	}
	appliance.run.SequenceXML = sequenceOf(list...)
	if environment == wire.FullOS {
		appliance.run.LaunchMode = wire.LaunchSMS
	}
	appliance.policy = func(wire.PolicyRequest) wire.Policy {
		c := candidate()
		c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
		c.Created = time.Now().Add(-time.Hour)
		switch {
		case appliance.finish != nil && environment == wire.WinPE:
			return wire.Policy{Action: wire.ActionLocal}
		case appliance.finish != nil:
			return wire.Policy{Action: wire.ActionNothing}
		case len(appliance.claims) > 0:
			return wire.Policy{Action: wire.ActionResume, ActiveRun: appliance.run.ID}
		case environment == wire.FullOS:
			return wire.Policy{Action: wire.ActionNothing, Candidates: []wire.Candidate{c}}
		}
		return wire.Policy{Action: wire.ActionRun, Deployment: appliance.run.Deployment}
	}
	job, err := json.Marshal(victim{Environment: environment, URL: appliance.server.URL, CASPKI: appliance.ca.SPKI(), CAPEM: appliance.ca.PEM(), Dir: filepath.Join(dir, "state")})
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	died := 0
	for range kills {
		if victimDied(t, self, job, appliance, time.Duration(80+rand.IntN(200))*time.Millisecond) {
			died++
		}
	}
	require.False(t, victimDied(t, self, job, appliance, patience))
	require.Greater(t, died, kills/2, "the test must kill in the middle")
	require.Len(t, appliance.claims, 1)
	require.NotNil(t, appliance.finish)
	require.True(t, appliance.finish.Succeeded, appliance.finish.Message)

	count := map[string]int{}
	for _, line := range strings.Fields(readFile(t, lines)) {
		count[line]++
	}
	interrupted := map[string]bool{}
	for i, e := range appliance.events {
		require.EqualValues(t, i+1, e.Number)
		if e.Result == "failed" && e.ExitCode == 0x800704D3 {
			interrupted[e.Step] = true
		}
	}
	for i := 1; i <= steps; i++ {
		number, name := fmt.Sprint(i), fmt.Sprintf("step %d", i)
		require.LessOrEqual(t, count[number], 1, "%s ran twice", name)
		if count[number] == 0 {
			require.True(t, interrupted[name], "%s did not run and nobody was told", name)
		}
	}
	t.Logf("%d kills, %d steps interrupted", died, len(interrupted))
}

// victimDied starts the agent and kills it after some time; false means that it ended by itself before.
func victimDied(t *testing.T, self string, job []byte, appliance *appliance, after time.Duration) bool {
	appliance.mu.Lock()
	appliance.bootUsed = false // a machine that lost its session restarts, and the loader gets another token
	appliance.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	c := exec.CommandContext(ctx, self, "-test.run=^$") // SIGKILL when ctx ends
	c.Env = append(os.Environ(), victimJob+"="+string(job))
	var said strings.Builder
	c.Stderr = &said
	c.WaitDelay = 2 * time.Second // the killed agent's command holds its output
	err := c.Run()
	if ctx.Err() != nil {
		if after == patience {
			t.Log(said.String())
		}
		return true
	}
	var exit *exec.ExitError
	require.False(t, errors.As(err, &exit), said.String())
	return false
}

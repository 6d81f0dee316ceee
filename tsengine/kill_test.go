//go:build linux

package tsengine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
)

const killFolder = "BYD_TEST_KILL_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killFolder); dir != "" {
		if err := runToBeKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const killedLines = 40

// runToBeKilled is an agent: it takes up the checkpoint in dir and runs a sequence that writes a line per step.
func runToBeKilled(dir string) error {
	var body strings.Builder
	for i := range killedLines {
		body.WriteString(command(fmt.Sprintf("line-%d", i), fmt.Sprintf("sh -c 'echo line-%d >> %s/lines'", i, dir), `continueOnError="true"`))
	}
	s, err := parseText(body.String())
	if err != nil {
		return err
	}
	config := tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: fileStore{dir}, Reporter: tsengine.ReporterFunc(func(e tsengine.Event) {
		if e.Kind == tsengine.StepFailed {
			f, err := os.OpenFile(filepath.Join(dir, "interrupted"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err == nil {
				fmt.Fprintln(f, e.Name)
				f.Close()
			}
		}
	})}
	if b, err := os.ReadFile(filepath.Join(dir, "checkpoint.json")); err == nil {
		config.Checkpoint = &tsengine.Checkpoint{}
		if err := json.Unmarshal(b, config.Checkpoint); err != nil {
			return err
		}
	}
	e, err := tsengine.New(config)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	r, err := e.Run(context.Background())
	if err == nil && r.Outcome != tsengine.Succeeded {
		err = fmt.Errorf("%+v", r)
	}
	return err
}

// TS-112a with a real kernel: agents are killed by SIGKILL 200 times at random moments, in as many runs as that takes;
// every line is there once, or its step was reported as interrupted; never twice.
func TestTS112aAgentKilledAtRandom(t *testing.T) {
	const wanted = 200
	kills, interrupted, runs := 0, 0, 0
	for ; kills < wanted; runs++ {
		dir := t.TempDir()
		for ended := false; !ended; {
			wait := time.Minute
			if kills < wanted {
				wait = time.Duration(rand.Int64N(int64(40 * time.Millisecond)))
			}
			if ended = liveFor(t, dir, wait); !ended {
				kills++
			}
		}
		interrupted += checkLines(t, dir)
	}
	require.Equal(t, wanted, kills)
	t.Logf("%d kills, %d runs, %d of %d steps interrupted", kills, runs, interrupted, runs*killedLines)
}

// liveFor runs an agent and kills it some time after its engine began; it says whether the agent came to the end of its
// sequence before.
func liveFor(t *testing.T, dir string, wait time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killFolder+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	ready, out, err := os.Pipe()
	require.NoError(t, err)
	defer ready.Close()
	cmd.Stdout = out
	err = cmd.Start()
	out.Close()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	_, err = ready.Read(make([]byte, 1)) // the end of the file when it did not come so far
	require.NoError(t, err, "the engine did not begin")
	select {
	case err := <-ended:
		require.NoError(t, err, stderr.String())
		return true
	case <-time.After(wait):
		_ = cmd.Process.Kill()
		return <-ended == nil
	}
}

// checkLines counts what the steps wrote and what was reported as interrupted, and returns how many of those there are.
func checkLines(t *testing.T, dir string) int {
	t.Helper()
	count := map[string]int{}
	for _, name := range []string{"lines", "interrupted"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		for _, line := range strings.Fields(string(b)) {
			count[name+" "+line]++
		}
	}
	interrupted := 0
	for i := range killedLines {
		line := fmt.Sprintf("line-%d", i)
		require.LessOrEqual(t, count["lines "+line], 1, line)
		require.True(t, count["lines "+line] == 1 || count["interrupted "+line] > 0, "%s is missing", line)
		interrupted += min(1, count["interrupted "+line])
	}
	return interrupted
}

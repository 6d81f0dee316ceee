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
	r, err := e.Run(context.Background())
	if err == nil && r.Outcome != tsengine.Succeeded {
		err = fmt.Errorf("%+v", r)
	}
	return err
}

// TS-112a with a real kernel: the agent is killed by SIGKILL at random moments; every line is there once, or its step
// was reported as interrupted; never twice.
func TestAgentKilledAtRandom(t *testing.T) {
	dir := t.TempDir()
	kills := 0
	for attempt := 0; ; attempt++ {
		require.Less(t, attempt, 400)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killFolder+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		wait := time.Duration(rand.IntN(150)) * time.Millisecond
		if kills >= 60 {
			wait = time.Minute
		}
		var err error
		select {
		case err = <-ended:
		case <-time.After(wait):
			kills++
			_ = cmd.Process.Kill()
			err = <-ended
			if err != nil {
				continue
			}
		}
		require.NoError(t, err, stderr.String())
		break
	}
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
	t.Logf("%d kills, %d of %d steps interrupted", kills, interrupted, killedLines)
}

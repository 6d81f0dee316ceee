package lab_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// holderEnv makes the test program hold a lab instead of running tests.
const holderEnv = "BOOTYARD_LAB_HOLDER"

func TestMain(m *testing.M) {
	if raw := os.Getenv(holderEnv); raw != "" {
		holdLab(raw)
		return
	}
	os.Exit(m.Run())
}

// holdLab brings a lab up with a daemon, prints the daemon's pid, and waits to be
// killed.
func holdLab(raw string) {
	var cfg lab.Config
	if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
		panic(err)
	}
	ctx := context.Background()
	l, err := lab.Up(ctx, cfg)
	if err != nil {
		panic(err)
	}
	d, err := l.Server().Daemon(ctx, filepath.Join(cfg.LogDir, "sleep.log"), "sleep", "60")
	if err != nil {
		panic(err)
	}
	fmt.Println(d.PID())
	select {}
}

func hold(t *testing.T, cfg lab.Config) (holder *exec.Cmd, daemon int) {
	t.Helper()
	cfg.Logger = nil
	raw, err := json.Marshal(cfg)
	require.NoError(t, err)
	holder = exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holderEnv+"="+string(raw))
	holder.Stderr = os.Stderr
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	daemon, err = strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	return holder, daemon
}

// gone says whether a process has ended, though nobody may have collected it.
func gone(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(raw), ") Z ") || strings.Contains(string(raw), ") X ")
}

func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	needRoot(t)
	tests := []struct {
		name  string
		clean func(t *testing.T, cfg lab.Config)
	}{
		{"by Down", func(t *testing.T, cfg lab.Config) { require.NoError(t, lab.Down(t.Context(), cfg)) }},
		{"by Sweep", func(t *testing.T, cfg lab.Config) {
			names, err := lab.Sweep(t.Context(), cfg.StateDir, nil)
			require.NoError(t, err)
			assert.Equal(t, []string{cfg.Name}, names)
		}},
		{"by the next Up", func(t *testing.T, cfg lab.Config) {
			l, err := lab.Up(t.Context(), cfg)
			require.NoError(t, err)
			require.NoError(t, l.Down(t.Context()))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t)
			holder, daemon := hold(t, cfg)
			removed, err := lab.Sweep(t.Context(), cfg.StateDir, nil)
			require.NoError(t, err)
			assert.Empty(t, removed, "Sweep leaves a lab alone whose owner lives")
			assert.Len(t, namespaces(t, cfg.Name), 2)

			require.NoError(t, holder.Process.Kill())
			_ = holder.Wait()
			assert.Eventually(t, func() bool { return gone(daemon) }, 5*time.Second, 10*time.Millisecond,
				"the daemon dies with its holder")
			tt.clean(t, cfg)
			assert.Empty(t, namespaces(t, cfg.Name))
			assert.NoDirExists(t, filepath.Join(cfg.StateDir, cfg.Name))
			assert.NoDirExists(t, filepath.Join(cfg.DataDir, cfg.Name))
		})
	}
}

func TestPersistentLabOutlivesItsMaker(t *testing.T) {
	needRoot(t)
	cfg := config(t)
	cfg.Persist = true
	holder, daemon := hold(t, cfg)
	t.Cleanup(func() { assert.NoError(t, lab.Down(context.Background(), cfg)) })
	require.NoError(t, holder.Process.Kill())
	_ = holder.Wait()
	_, err := lab.Up(t.Context(), cfg)
	require.ErrorIs(t, err, lab.ErrInUse)
	assert.False(t, gone(daemon))
	require.NoError(t, lab.Down(t.Context(), cfg))
	assert.True(t, gone(daemon))
	assert.Empty(t, namespaces(t, cfg.Name))
}

func TestForeignNamespaceIsLeftAlone(t *testing.T) {
	needRoot(t)
	cfg := config(t)
	foreign := "bylab-" + cfg.Name + "-switch"
	require.NoError(t, exec.Command("ip", "netns", "add", foreign).Run())
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", foreign).Run() })
	_, err := lab.Up(t.Context(), cfg)
	require.ErrorContains(t, err, "ip netns del")
	assert.Len(t, namespaces(t, cfg.Name), 1, "not ours, not removed")
	assert.NoDirExists(t, filepath.Join(cfg.StateDir, cfg.Name))
}

package agent_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

func randomText(bytes int) string {
	data := make([]byte, bytes)
	_, _ = rand.NewChaCha8([32]byte{byte(bytes)}).Read(data)
	return string(data)
}

func (i *installed) blobs() (n int) {
	for _, r := range i.requests {
		if strings.Contains(r, "/blobs/") {
			n++
		}
	}
	return n
}

func cachedIDs(t *testing.T, dir string) (ids []string) {
	list, err := client.List(dir)
	require.NoError(t, err)
	for _, c := range list {
		ids = append(ids, c.PackageID)
	}
	return ids
}

// hourly makes the deployment of i run every hour.
func (i *installed) hourly() {
	c := candidate()
	c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	for n := 1; n < 6; n++ {
		c.Assignments = append(c.Assignments, wire.Assignment{Kind: wire.Once, Start: &wire.Moment{At: start.Add(time.Duration(n) * time.Hour), UTC: true}})
	}
	i.offer(c)
}

func TestTS136PreserveContent(t *testing.T) {
	i := newInstalled(t)
	i.addPackage("BYD00003", "run.sh", "echo hello")
	i.addPackage("BYD00004", "run.sh", "echo other")
	i.run.SequenceXML = sequenceOf(command("tell", "echo cache %_SMSTSClientCache%"), packageCommand("no", "BYD00004", "sh run.sh"),
		`<step type="SMS_TaskSequence_SetVariableAction" name="keep" successCodeList="0"><action/><defaultVarList><variable name="VariableName" hidden="true">SMSTSPreserveContent</variable><variable name="VariableValue" hidden="true">true</variable></defaultVarList></step>`,
		packageCommand("yes", "BYD00003", "sh run.sh"))
	i.hourly()
	cache := filepath.Join(i.config.Dir, "ClientCache")
	require.NoError(t, i.at(t, start))
	require.Equal(t, []string{"echo cache " + cache, "sh run.sh", "sh run.sh"}, i.commands.All())
	require.Equal(t, []string{"BYD00003"}, cachedIDs(t, cache), "what was needed while the variable said so")
	require.NoDirExists(t, filepath.Join(i.config.Dir, "Packages"), "the run's own content goes with it")
	require.Equal(t, 2, i.blobs())

	require.NoError(t, i.at(t, start.Add(time.Hour)))
	require.Len(t, i.commands.All(), 6)
	require.Equal(t, 3, i.blobs(), "a later run takes it from the cache first")

	// Rot that keeps size and time is found, because a run hashes what comes from the cache.
	list, err := client.List(cache)
	require.NoError(t, err)
	file := filepath.Join(cache, list[0].Name, "run.sh")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("echo evil!"), 0o600))
	require.NoError(t, os.Chtimes(file, info.ModTime(), info.ModTime()))
	i.commands.On = func(_ context.Context, c machine.Command) {
		if strings.HasPrefix(c.Dir, cache) {
			require.Equal(t, "echo hello", readFile(t, filepath.Join(c.Dir, "run.sh")))
		}
	}
	require.NoError(t, i.at(t, start.Add(2*time.Hour)))
	require.Len(t, i.commands.All(), 9)
	require.Equal(t, 5, i.blobs())
}

func TestTS136ClientCacheIsBounded(t *testing.T) {
	i := newInstalled(t)
	i.config.CacheLimit = 250
	i.open(t)
	for id, size := range map[string]int{"BYD00003": 100, "BYD00004": 101, "BYD00005": 102, "BYD00006": 300} {
		i.addPackage(id, "f", randomText(size))
	}
	i.run.Variables = map[string]string{"SMSTSPreserveContent": "true"}
	i.hourly()
	cache := filepath.Join(i.config.Dir, "ClientCache")
	for n, c := range []struct {
		id   string
		left []string
	}{
		{"BYD00003", []string{"BYD00003"}}, {"BYD00004", []string{"BYD00003", "BYD00004"}}, {"BYD00003", []string{"BYD00004", "BYD00003"}},
		{"BYD00005", []string{"BYD00003", "BYD00005"}}, {"BYD00006", []string{"BYD00003", "BYD00005"}},
	} {
		i.run.SequenceXML = sequenceOf(packageCommand("use it", c.id, "true"))
		require.NoError(t, i.at(t, start.Add(time.Duration(n)*time.Hour)))
		require.Len(t, i.commands.All(), n+1, "content that does not fit is used all the same")
		require.Equal(t, c.left, cachedIDs(t, cache), "the oldest goes out")
	}
	require.Contains(t, i.screen.String(), "BYD00006 is not preserved")
}

// DOP-12: what has to be there before the first step has no other place.
func TestDOP12CacheTooSmall(t *testing.T) {
	i := newInstalled(t)
	i.config.CacheLimit = 150
	i.open(t)
	i.addPackage("BYD00003", "f", randomText(100))
	i.addPackage("BYD00004", "f", randomText(101))
	i.run.SequenceXML = sequenceOf(command("first", "echo one"))
	c := candidate()
	c.Option, c.Packages = wire.AllBefore, []string{"BYD00003", "BYD00004"}
	c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	i.offer(c)
	require.NoError(t, i.at(t, start))
	require.NoError(t, i.at(t, start.Add(2*time.Hour)))
	require.Empty(t, i.commands.All())
	require.NotEmpty(t, i.messages)
	require.Contains(t, i.messages[0].Text, "client cache may hold")
	require.Equal(t, []string{"BYD00003"}, cachedIDs(t, filepath.Join(i.config.Dir, "ClientCache")))
}

// Two deployments whose content does not fit together: the first has it, and stays undisturbed round after round.
func TestDOP12TwoDoNotPushEachOtherOut(t *testing.T) {
	i := newInstalled(t)
	i.config.CacheLimit = 150
	i.open(t)
	i.addPackage("BYD00003", "f", randomText(100))
	i.addPackage("BYD00004", "f", randomText(101))
	first, second := candidate(), candidate()
	second.Deployment = "BYD20001"
	for n, c := range []*wire.Candidate{&first, &second} {
		c.Option, c.Packages = wire.AllBefore, []string{[]string{"BYD00003", "BYD00004"}[n]}
		c.Assignments = []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: start.Add(48 * time.Hour), UTC: true}}}
	}
	i.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionNothing, Candidates: []wire.Candidate{first, second}}
	}
	for n := range 4 {
		require.NoError(t, i.at(t, start.Add(time.Duration(n)*time.Hour)))
		require.Equal(t, []string{"BYD00003"}, cachedIDs(t, filepath.Join(i.config.Dir, "ClientCache")))
	}
	require.Equal(t, 1, i.blobs())
}

func TestTS136PreservedOverTheRestart(t *testing.T) {
	b := newBench(t)
	b.addPackage("BYD00002", "image.tar", "image")
	b.addPackage("BYD00003", "run.sh", "echo hello")
	b.run.Variables = map[string]string{"SMSTSPreserveContent": "true"}
	b.run.SequenceXML = osSequence(packageCommand("in the new OS", "BYD00003", "sh run.sh"), command("image", "echo %_SMSTSClientCache%"))
	state, data := t.TempDir(), t.TempDir()
	b.config.NewTarget = func(r agent.TargetRequest) agent.Target { return &disk{dir: state, files: r.Files, data: data} }
	require.NoError(t, b.boot(t.Context()))
	require.Equal(t, []string{"BYD00002"}, cachedIDs(t, filepath.Join(state, "ClientCache")))
	a, err := agent.New(agent.Config{URL: b.server.URL, CAPEM: b.ca.PEM(), CASPKI: b.ca.SPKI(), Machine: b.machine, Clock: b.clock,
		Console: agent.NewConsole(b.screen, b.clock.Now), Dir: state, Commands: b.commands})
	require.NoError(t, err)
	b.policy = func(wire.PolicyRequest) wire.Policy { return wire.Policy{} }
	require.NoError(t, a.RunOnce(t.Context()))
	require.Equal(t, []string{"sh run.sh", "echo " + filepath.Join(state, "ClientCache")}, b.commands.All())
	require.Equal(t, []string{"BYD00002", "BYD00003"}, cachedIDs(t, filepath.Join(state, "ClientCache")))
}

package bootimage_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/bootyard/bootyard/images/bootimage"
)

// emptyIndex makes apt see a machine on which apt-get update never ran.
func emptyIndex(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "lists/partial"), 0o755))
	conf := filepath.Join(dir, "apt.conf")
	require.NoError(t, os.WriteFile(conf, []byte(fmt.Sprintf("Dir::State::lists %q;\n", filepath.Join(dir, "lists"))), 0o600))
	t.Setenv("APT_CONFIG", conf)
}

func remains(t *testing.T, cache string) []string {
	t.Helper()
	var out []string
	for _, p := range []string{"build-*", ".*", "packages/download-*", "packages/.*"} {
		found, err := filepath.Glob(filepath.Join(cache, p))
		require.NoError(t, err)
		out = append(out, found...)
	}
	return out
}

// TestFreshMachine builds without a package index, twice at once in one cache.
func TestFreshMachine(t *testing.T) {
	ctx := needMirror(t)
	emptyIndex(t)
	cache, program := t.TempDir(), agent(t, helloAgent)
	var results [2]bootimage.Result
	var group errgroup.Group
	for i := range results {
		cfg := bootimage.Config{
			OutDir: t.TempDir(), CacheDir: cache, AllowRelock: true, AgentBinary: program,
			CompressionLevel: bootimage.QuickLevel, Logger: logger(t),
		}
		group.Go(func() (err error) {
			results[i], err = bootimage.Build(ctx, cfg)
			return err
		})
	}
	require.NoError(t, group.Wait())
	assert.Equal(t, results[0].InitramfsSHA256, results[1].InitramfsSHA256)
	assert.False(t, results[0].Relocked, "the shipped lock file still names what the mirror has")
	assert.Empty(t, remains(t, cache))
}

// TestKilledBuild kills builds without warning at several places. Nothing that
// they leave stops the next, which also clears it away.
func TestKilledBuild(t *testing.T) {
	if dir := os.Getenv("BOOTYARD_TEST_KILLED"); dir != "" {
		_, err := bootimage.Build(t.Context(), bootimage.Config{
			OutDir: filepath.Join(dir, "out"), CacheDir: filepath.Join(dir, "cache"), AllowRelock: true,
			AgentBinary: filepath.Join(dir, "agent"), CompressionLevel: bootimage.QuickLevel,
			Progress: func(step string, done, total int) { fmt.Printf("step %s %d/%d\n", step, done, total) },
		})
		require.NoError(t, err)
		return
	}
	ctx := needMirror(t)
	dir := t.TempDir()
	program, err := os.ReadFile(agent(t, helloAgent))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "agent"), program, 0o755))
	for _, at := range []string{"step download packages", "step unpack packages 20/", "step compress"} {
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKilledBuild$", "-test.v")
		cmd.Env = append(os.Environ(), "BOOTYARD_TEST_KILLED="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		seen := false
		for s := bufio.NewScanner(out); s.Scan(); {
			if seen = strings.HasPrefix(s.Text(), at); seen {
				require.NoError(t, cmd.Process.Kill())
				break
			}
		}
		require.Error(t, cmd.Wait())
		require.True(t, seen, at)
		assert.NotEmpty(t, remains(t, filepath.Join(dir, "cache")), "killed too late: %s", at)
	}
	r, err := bootimage.Build(ctx, bootimage.Config{
		OutDir: filepath.Join(dir, "out"), CacheDir: filepath.Join(dir, "cache"), AllowRelock: true,
		AgentBinary: filepath.Join(dir, "agent"), CompressionLevel: bootimage.QuickLevel, Logger: logger(t),
	})
	require.NoError(t, err)
	require.False(t, r.Cached)
	assert.Empty(t, remains(t, filepath.Join(dir, "cache")))
}

func TestMissingTool(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs go")
	}
	program := agent(t, helloAgent)
	t.Setenv("PATH", t.TempDir())
	_, err := bootimage.Build(t.Context(), bootimage.Config{OutDir: t.TempDir(), CacheDir: t.TempDir(), AgentBinary: program})
	require.ErrorIs(t, err, exec.ErrNotFound)
	assert.ErrorContains(t, err, "apt-get is not installed (package apt)")
}

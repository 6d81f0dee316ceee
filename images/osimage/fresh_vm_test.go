package osimage_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/osimage"
)

func needMirror(t *testing.T) context.Context {
	t.Helper()
	if os.Getenv("BOOTYARD_VM") != "1" {
		t.Skip("needs Debian's mirror and minutes: set BOOTYARD_VM=1")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// nothingLeft waits until no program and no mount has to do with dir any more.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		assert.NoError(c, err)
		assert.NotContains(c, string(mounts), dir)
		programs, err := filepath.Glob("/proc/[0-9]*/cmdline")
		assert.NoError(c, err)
		for _, p := range programs {
			line, err := os.ReadFile(p)
			if err == nil {
				assert.NotContains(c, string(line), dir)
			}
		}
	}, time.Minute, 100*time.Millisecond)
}

// TestInterruptedBuild stops builds in the middle, by their context and by a
// kill. Nothing stays mounted or running, and the next build works.
func TestInterruptedBuild(t *testing.T) {
	config := func(dir string, progress func(string)) osimage.Config {
		return osimage.Config{
			OutDir: filepath.Join(dir, "out"), CacheDir: filepath.Join(dir, "cache"), CompressionLevel: 1, Progress: progress,
		}
	}
	if dir := os.Getenv("BOOTYARD_TEST_KILLED"); dir != "" {
		_, err := osimage.BuildDebian(t.Context(), config(dir, func(line string) { fmt.Println("said", line) }))
		require.NoError(t, err)
		return
	}
	ctx := needMirror(t)
	dir := t.TempDir()

	for _, at := range []string{"extracting archives", "installing remaining packages"} {
		stopped, stop := context.WithCancelCause(ctx)
		enough := errors.New("interrupted by the test")
		_, err := osimage.BuildDebian(stopped, config(dir, func(line string) {
			if strings.Contains(line, at) {
				stop(enough)
			}
		}))
		require.ErrorIs(t, err, context.Canceled)
		nothingLeft(t, dir)
		found, err := filepath.Glob(filepath.Join(dir, "cache/build-*"))
		require.NoError(t, err)
		assert.Empty(t, found)

		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestInterruptedBuild$", "-test.v")
		cmd.Env = append(os.Environ(), "BOOTYARD_TEST_KILLED="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		seen := false
		for s := bufio.NewScanner(out); s.Scan(); {
			if seen = strings.HasPrefix(s.Text(), "said") && strings.Contains(s.Text(), at); seen {
				require.NoError(t, cmd.Process.Kill())
				break
			}
		}
		require.Error(t, cmd.Wait())
		require.True(t, seen, at)
	}
	c := config(dir, nil)
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	img, err := osimage.BuildDebian(ctx, c)
	require.NoError(t, err)
	assert.False(t, img.Cached)
	found, err := filepath.Glob(filepath.Join(dir, "cache/build-*"))
	require.NoError(t, err)
	assert.Empty(t, found)
}

// A disk that is full is said as that, before the work and in the middle of it,
// and what was begun does not stay there.
func TestBuildDiskFull(t *testing.T) {
	for name, size := range map[string]int{"before": 150, "in the middle": 1100} {
		t.Run(name, func(t *testing.T) {
			ctx := needMirror(t)
			dir := t.TempDir()
			out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", size), "tmpfs", dir).CombinedOutput()
			require.NoError(t, err, string(out))
			t.Cleanup(func() { assert.NoError(t, exec.Command("umount", dir).Run()) })
			filled := false
			_, err = osimage.BuildDebian(ctx, osimage.Config{
				OutDir: filepath.Join(dir, "out"), CacheDir: filepath.Join(dir, "cache"),
				Progress: func(line string) {
					if !filled && strings.Contains(line, "extracting archives") {
						filled = true // by somebody else, who leaves 20 MB
						assert.NoError(t, fill(dir, 20<<20))
					}
				},
			})
			require.ErrorContains(t, err, "make room")
			t.Log(err)
			assert.Equal(t, size > 1000, filled)
			left, err := filepath.Glob(filepath.Join(dir, "cache", "build-*"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

// fill takes the room of dir's disk but for some bytes.
func fill(dir string, but int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "somebody's"))
	if err != nil {
		return err
	}
	return errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, int64(st.Bavail)*st.Bsize-but), f.Close())
}

func TestMissingTool(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	t.Setenv("PATH", t.TempDir())
	_, err := osimage.BuildDebian(t.Context(), osimage.Config{OutDir: t.TempDir(), CacheDir: t.TempDir(), Mirror: "http://127.0.0.1:9/debian"})
	require.ErrorContains(t, err, "apt-get install mmdebstrap")
}

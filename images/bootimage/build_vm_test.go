package bootimage_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/bootimage"
)

var update = flag.Bool("update", false, "write lock.json anew from the apt sources")

// needMirror skips tests that download packages and take minutes.
func needMirror(t *testing.T) context.Context {
	t.Helper()
	if os.Getenv("BOOTYARD_VM") != "1" {
		t.Skip("needs Debian's mirror and minutes: set BOOTYARD_VM=1")
	}
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: run on Debian", tool)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// cacheDir is shared by test runs where BOOTYARD_CACHE names a folder.
func cacheDir(t *testing.T) string {
	if dir := os.Getenv("BOOTYARD_CACHE"); dir != "" {
		return filepath.Join(dir, "bootimage")
	}
	return t.TempDir()
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// agent builds a small static program that stands in for the agent.
func agent(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	src, out := filepath.Join(dir, "main.go"), filepath.Join(dir, "agent")
	require.NoError(t, os.WriteFile(src, []byte(source), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", out, src)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=-mod=mod")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	return out
}

func TestMakeLock(t *testing.T) {
	ctx := needMirror(t)
	l, err := bootimage.MakeLock(ctx, bootimage.Config{CacheDir: cacheDir(t), Logger: logger(t)})
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "lock.json")
	require.NoError(t, l.Write(name))
	again, err := bootimage.ReadLock(name)
	require.NoError(t, err)
	require.Equal(t, l, again)
	if *update {
		require.NoError(t, l.Write("lock.json"))
	}
}

const helloAgent = `package main

import ("fmt"; "os")

func main() { fmt.Println("agent started:", os.Args[1:], os.Getenv("BOOTYARD_CONSOLES")); os.Exit(3) }
`

// TestBuildTwice proves that the same lock file gives the same bytes, and that
// unchanged inputs are not built again.
func TestBuildTwice(t *testing.T) {
	ctx := needMirror(t)
	cfg := bootimage.Config{
		OutDir: filepath.Join(t.TempDir(), "a"), CacheDir: cacheDir(t), AllowRelock: true, AgentBinary: agent(t, helloAgent),
		CompressionLevel: bootimage.QuickLevel, Logger: logger(t),
	}
	first, err := bootimage.Build(ctx, cfg)
	require.NoError(t, err)
	require.False(t, first.Cached)
	require.Empty(t, first.Unmatched)
	again, err := bootimage.Build(ctx, cfg)
	require.NoError(t, err)
	require.True(t, again.Cached)
	require.Equal(t, first.InitramfsSHA256, again.InitramfsSHA256)

	cfg.CacheDir, cfg.OutDir = t.TempDir(), filepath.Join(t.TempDir(), "b")
	other, err := bootimage.Build(ctx, cfg)
	require.NoError(t, err)
	require.False(t, other.Cached)
	require.Equal(t, first.InitramfsSHA256, other.InitramfsSHA256)
	require.Equal(t, first.KernelSHA256, other.KernelSHA256)
	t.Logf("kernel %d, initramfs %d bytes, %d modules", first.KernelSize, first.InitramfsSize, first.Modules)
}

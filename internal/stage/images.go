package stage

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/bootyard/bootyard/images/bootimage"
	"github.com/bootyard/bootyard/images/osimage"
)

// Images are built ones, ready to be imported.
type Images struct {
	Boot  bootimage.Result
	OS    osimage.Image
	OSDir string // holds the OS image's files
}

// ImageConfig says what to build.
type ImageConfig struct {
	BuildDir string // cache of packages and images; kept by the hash of their inputs
	Agent    string // the agent's program
	Log      *slog.Logger
	Progress func(line string)
}

// emulated keeps kernels on busy emulated machines from giving up on the timer,
// whose interrupts come late there.
const emulated = "no_timer_check"

// quickLevel makes a boot image in seconds that is a few megabytes larger than
// a release's.
const quickLevel = 6

// BuildImages makes the boot image and the demo's Debian, or takes both from
// the cache.
func BuildImages(ctx context.Context, c ImageConfig) (Images, error) {
	var out Images
	dir, err := filepath.Abs(c.BuildDir)
	if err != nil {
		return out, fmt.Errorf("find %s: %w", c.BuildDir, err)
	}
	c.BuildDir = dir
	c.Progress("boot image: Debian's kernel, modules, tools and the agent")
	out.Boot, err = bootimage.Build(ctx, bootimage.Config{
		OutDir: filepath.Join(c.BuildDir, "boot"), CacheDir: filepath.Join(c.BuildDir, "cache"),
		AgentBinary: c.Agent, AllowRelock: true, CompressionLevel: quickLevel, Logger: c.Log,
		Progress: func(step string, done, total int) { c.Progress(fmt.Sprintf("  [%d/%d] %s", done, total, step)) },
	})
	if err != nil {
		return out, fmt.Errorf("build boot image: %w", err)
	}
	c.Progress("OS image: a real Debian")
	out.OSDir = filepath.Join(c.BuildDir, "os")
	out.OS, err = osimage.BuildDebian(ctx, osimage.Config{
		OutDir: out.OSDir, CacheDir: filepath.Join(c.BuildDir, "cache"), Autologin: true, KernelArgs: emulated, Logger: c.Log,
		Progress: func(line string) { c.Progress("  " + line) },
	})
	if err != nil {
		return out, fmt.Errorf("build OS image: %w", err)
	}
	return out, nil
}

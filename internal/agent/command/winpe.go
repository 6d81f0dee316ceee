package command

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/version"
	"github.com/bootyard/bootyard/internal/wire"
)

// restartPatience is how long a machine may take to go down before it is told again.
const restartPatience = 3 * time.Minute

// winpe is the boot environment's agent. Exit code 0 restarts the machine, any other keeps it with a shell
// (images/bootimage).
func winpe(ctx context.Context, s Streams, logger *slog.Logger) int {
	clock := host.System{}
	console := agent.NewConsole(s.Out, clock.Now)
	err := runWinPE(ctx, s, console, clock, logger)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil {
		console.Say("bootyard: stopped: %v", context.Cause(ctx))
		return exitFailed
	}
	agent.Explain(console, err)
	return exitFailed
}

func runWinPE(ctx context.Context, s Streams, console *agent.Console, clock host.System, logger *slog.Logger) error {
	machine := host.Local(wire.WinPE)
	args, err := machine.BootArgs()
	if err != nil {
		return err
	}
	boot, err := agent.ReadBoot(args, siteRoot())
	if err != nil {
		return err
	}
	identity, err := machine.Identity(ctx, boot.MAC)
	if err != nil {
		return err
	}
	console.Say("bootyard-agent %s: %s", version.String(), boot)
	keys := openKeys(ctx, s.In, os.Getenv("BOOTYARD_CONSOLES"))
	defer keys.Close()
	a, err := agent.NewBootAgent(agent.BootConfig{
		Boot: boot, Machine: machine, Clock: clock, Console: console, Keys: keys, Logger: logger, Dir: ramDir(), Build: version.String(), Local: host.Capabilities(wire.WinPE, version.String()), Facts: gather(wire.WinPE), Logs: logPlaces(wire.WinPE),
		NewTarget: newTarget(identity, args),
	})
	if err != nil {
		return err
	}
	if err := a.Run(ctx); err != nil {
		if err = a.Linger(ctx, err); err != nil {
			return err
		}
	}
	// The machine was told to go; whoever did that needs a moment, and a second restart would cut it short. When nothing
	// comes of it, exit code 0 restarts the machine.
	select {
	case <-ctx.Done():
	case <-time.After(restartPatience):
		console.Say("the machine did not restart within %s; again", restartPatience)
	}
	return nil
}

// siteRoot is where the site archive was unpacked.
func siteRoot() string {
	if runtime.GOOS == "windows" {
		return `X:\`
	}
	return "/"
}

// ramDir holds what must outlive this program but not the boot environment.
func ramDir() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.TempDir(), "bootyard")
	}
	return "/run/bootyard/agent"
}

// consoleNames are the devices of the consoles that the kernel names; tty0 is only for output, its keys come on tty1.
func consoleNames(list string) []string {
	var names []string
	for _, name := range strings.Fields(list) {
		if name == "tty0" {
			name = "tty1"
		}
		if name == filepath.Base(name) {
			names = append(names, fmt.Sprintf("/dev/%s", name))
		}
	}
	return names
}

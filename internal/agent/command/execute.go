package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/bootyard/bootyard/internal/version"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

const usage = `bootyard-agent runs task sequences on the machine that is being deployed.

  bootyard-agent winpe      in a boot environment: ask the appliance what to do, and do it
  bootyard-agent service    in an installed system: go on with the run, then obey policy
  bootyard-agent service install|remove|status   the service of Windows
  bootyard-agent list       what can be installed on this machine, and what runs
  bootyard-agent install DEPLOYMENT   start an offered task sequence
  bootyard-agent status     the run in progress, or the last one
  bootyard-agent facts      what this machine is, as bootyard sequence simulate reads it
  bootyard-agent run FILE --dir DIR [--set NAME=VALUE]... [--winpe]
                            run a task sequence from an XML file here, without an appliance, packages and disks;
                            again: go on where it was interrupted. Exit code 3: it wants a restart
  bootyard-agent version
`

// Execute runs one command and returns the exit code. It prints errors itself.
func Execute(ctx context.Context, args []string, s Streams) int {
	if len(args) == 0 {
		fmt.Fprint(s.Err, usage)
		return exitUsage
	}
	logger := slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: level(args[0])}))
	switch args[0] {
	case "winpe":
		return winpe(ctx, s, logger)
	case "service":
		if len(args) > 1 && args[1] != serviceManaged {
			return manage(s, args[1:])
		}
		return service(ctx, args[1:], s, logger)
	case "list", "status":
		return report(s, list(ctx, s, args[0] == "status"))
	case "facts":
		return report(s, printFacts(s))
	case "run":
		return runLocal(ctx, args[1:], s, logger)
	case "install":
		if len(args) != 2 {
			fmt.Fprintln(s.Err, "bootyard-agent: install needs one deployment; bootyard-agent list shows them")
			return exitUsage
		}
		return report(s, install(ctx, s, args[1]))
	case "version":
		fmt.Fprintln(s.Out, version.String())
		return exitOK
	case "help", "-h", "--help":
		fmt.Fprint(s.Out, usage)
		return exitOK
	}
	fmt.Fprintf(s.Err, "bootyard-agent: command %q is unknown\n\n%s", args[0], usage)
	return exitUsage
}

// manage is service with a verb.
func manage(s Streams, args []string) int {
	if len(args) != 1 || args[0] != "install" && args[0] != "remove" && args[0] != "status" {
		fmt.Fprintln(s.Err, "bootyard-agent: service takes install, remove or status, or nothing to be the service")
		return exitUsage
	}
	return report(s, manageService(s, args[0]))
}

func report(s Streams, err error) int {
	if err != nil {
		fmt.Fprintf(s.Err, "bootyard-agent: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// level keeps the consoles of a boot environment for people: only what is wrong is logged there.
func level(command string) slog.Level {
	if command == "winpe" || command == "run" {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

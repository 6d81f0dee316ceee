package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/version"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// exitRestart says that the sequence wants a restart and goes on when it is run again.
const exitRestart = 3

// runLocal runs a sequence from a file on this machine, without an appliance.
func runLocal(ctx context.Context, args []string, s Streams, logger *slog.Logger) int {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(s.Err)
	dir := flags.String("dir", "", "folder of the run's state and of smsts.log; a run that was interrupted goes on from there")
	inPE := flags.Bool("winpe", false, "this is a boot environment")
	var variables []variable.Assignment
	flags.Func("set", "NAME=VALUE of a task sequence variable, again for each", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("NAME=VALUE is expected")
		}
		variables = append(variables, variable.Assignment{Name: name, Value: value})
		return nil
	})
	// The file may stand before the flags, as people write it.
	var file string
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		file, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if file == "" && flags.NArg() == 1 {
		file = flags.Arg(0)
	} else if flags.NArg() > 0 {
		file = ""
	}
	if file == "" || *dir == "" {
		fmt.Fprintln(s.Err, "bootyard-agent: run needs the XML file of one task sequence and --dir")
		return exitUsage
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return report(s, fmt.Errorf("read the task sequence: %w", err))
	}
	environment := wire.FullOS
	if *inPE {
		environment = wire.WinPE
	}
	result, err := agent.LocalRun{XML: text, Dir: *dir, Environment: environment, Variables: variables, Machine: host.Local(environment),
		Local: host.Capabilities(environment, version.String()), Facts: gather(environment), Out: s.Out, Logger: logger}.Execute(ctx)
	switch {
	case err != nil:
		return report(s, err)
	case result.Outcome == tsengine.RestartRequested:
		fmt.Fprintln(s.Out, "the sequence wants a restart; run the same command again after it")
		return exitRestart
	case result.Outcome != tsengine.Succeeded:
		return report(s, fmt.Errorf("the sequence failed: %s", result.Error))
	}
	fmt.Fprintln(s.Out, "the sequence succeeded")
	return exitOK
}

package command

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/version"
	"github.com/bootyard/bootyard/internal/wire"
)

// watchEvery is how often the service looks at the clock, at who is signed in and at what users asked for.
const watchEvery = 5 * time.Second

// serviceManaged is what follows "service" when the service manager of Windows starts the agent.
const serviceManaged = "managed"

// awaitSetup waits until the setup of a system that was just applied has ended (TS-118). A person may be answering its
// questions, so only the end of ctx ends the wait.
func awaitSetup(ctx context.Context, goesOn func() bool, every time.Duration, logger *slog.Logger) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for said := false; goesOn(); said = true {
		if !said {
			logger.Info("waiting for the end of the system's setup")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func runService(ctx context.Context, s Streams, logger *slog.Logger) error {
	settings, ca, err := agent.ReadSettings(settingsFile)
	if err != nil {
		return err
	}
	clock, machine := host.System{}, host.Local(wire.FullOS)
	stays := time.Duration(settings.MarkerStays)
	if err := expireMarker(stays, time.Now()); err != nil {
		logger.Warn("the mark on the disk stays", "err", err)
	}
	a, err := agent.New(agent.Config{
		URL: settings.URL, CAPEM: ca, CASPKI: settings.CASPKI, Machine: machine, Clock: clock,
		Console: agent.NewConsole(systemConsole(s.Out), clock.Now), Logger: logger, Dir: stateDir(), Build: version.String(), Local: host.Capabilities(wire.FullOS, version.String()), Facts: gather(wire.FullOS), Logs: logPlaces(wire.FullOS),
		CacheLimit: settings.ClientCacheMB << 20,
		Users:      signedIn, Ended: func() error { return runEnded(stays) },
	})
	if err != nil {
		return err
	}
	asked := make(chan struct{}, 1)
	stop, err := serveUsers(ctx, a, asked, logger)
	if err != nil {
		logger.Warn("users cannot ask for anything", "err", err)
	} else {
		defer stop()
	}
	return loop(ctx, a, asked, machine.Restart, logger)
}

func loop(ctx context.Context, a *agent.Agent, asked <-chan struct{}, restart func(context.Context) error, logger *slog.Logger) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		switch err := a.RunOnce(ctx); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, agent.ErrRestarting):
			return restarting(ctx, restart, logger)
		case err != nil:
			logger.Warn("this round did not get far", "err", err, "next", a.Next())
		}
		for due := false; !due; {
			select {
			case <-ctx.Done():
				return nil
			case <-asked:
				due = true
			case <-tick.C:
				due = !time.Now().Before(a.Next()) || a.UsersChanged()
			}
		}
	}
}

// restarting waits until the system stops this service, and tells the machine again when something held it up. It must
// not do another round: that would take this system for the restarted one.
func restarting(ctx context.Context, restart func(context.Context) error, logger *slog.Logger) error {
	again := time.NewTicker(restartPatience)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			logger.Warn("the machine did not restart, it is told again", "err", restart(ctx))
		}
	}
}

// systemConsole is where a person in front of the machine looks; the journal gets the log by stderr.
func systemConsole(out io.Writer) io.Writer {
	f, err := os.OpenFile(consoleDevice, os.O_WRONLY|nonblock, 0)
	if err != nil {
		return out
	}
	return f // stays open as long as the service
}

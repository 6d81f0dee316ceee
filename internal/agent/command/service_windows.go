package command

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
)

const (
	serviceName = "bootyard-agent"
	// maxServiceLog is when the service's log begins anew, in bytes.
	maxServiceLog = 4 << 20
	// stopPatience is how long the end of a round is waited for when Windows stops the service.
	stopPatience = 20 * time.Second
)

// service is the installed system's agent. "service managed" is what the service manager of Windows starts
// (images/apply.WindowsService): it speaks with that and writes a log. Else it runs in the foreground until it is told to
// stop.
func service(ctx context.Context, args []string, s Streams, logger *slog.Logger) int {
	if len(args) != 1 || args[0] != serviceManaged {
		return report(s, runInstalled(ctx, s, logger))
	}
	log, err := openServiceLog()
	if err == nil {
		defer log.Close()
		s.Out, s.Err = log, log
		logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	return report(s, svc.Run(serviceName, &handler{ctx: ctx, streams: s, log: logger}))
}

// runInstalled waits for the end of Windows' own setup first: what a sequence does before it is lost or in its way.
func runInstalled(ctx context.Context, s Streams, logger *slog.Logger) error {
	if err := awaitSetup(ctx, setupGoesOn, watchEvery, logger); err != nil {
		return nil // told to stop
	}
	return runService(ctx, s, logger)
}

// setupGoesOn reads what Windows Setup says of itself.
func setupGoesOn() bool {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\Setup`, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	defer key.Close()
	for _, name := range []string{"SystemSetupInProgress", "OOBEInProgress"} {
		if n, _, err := key.GetIntegerValue(name); err == nil && n != 0 {
			return true
		}
	}
	return false
}

func openServiceLog() (*os.File, error) {
	name := filepath.Join(filepath.Dir(stateDir()), "agent.log")
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(name); err == nil && info.Size() > maxServiceLog {
		flags = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	return os.OpenFile(name, flags, 0o600)
}

// handler speaks with the service manager.
type handler struct {
	ctx     context.Context
	streams Streams
	log     *slog.Logger
}

// Execute implements svc.Handler.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	const accepts = svc.AcceptStop | svc.AcceptShutdown
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- runInstalled(ctx, h.streams, h.log) }() // ends with stop
	status <- svc.Status{State: svc.Running, Accepts: accepts}
	for {
		select {
		case err := <-ended:
			status <- svc.Status{State: svc.StopPending}
			if err != nil {
				h.log.Error("the service ends", "err", err)
				fmt.Fprintf(h.streams.Err, "bootyard-agent: %v\n", err)
				return true, exitFailed // Windows starts it again
			}
			return false, exitOK
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: uint32(stopPatience.Milliseconds())}
				stop()
				select {
				case <-ended:
				case <-time.After(stopPatience):
				}
				return false, exitOK
			}
		}
	}
}

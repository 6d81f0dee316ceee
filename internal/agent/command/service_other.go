//go:build !windows

package command

import (
	"context"
	"errors"
	"log/slog"
)

// service is the installed system's agent; it runs until it is told to stop.
func service(ctx context.Context, _ []string, s Streams, logger *slog.Logger) int {
	return report(s, runService(ctx, s, logger))
}

func manageService(Streams, string) error {
	return errors.New("this is for Windows; here the service is a unit of systemd: systemctl status bootyard-agent")
}

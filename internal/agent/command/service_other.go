//go:build !windows

package command

import (
	"context"
	"log/slog"
)

// service is the installed system's agent; it runs until it is told to stop.
func service(ctx context.Context, s Streams, logger *slog.Logger) int {
	return report(s, runService(ctx, s, logger))
}

package disk

import (
	"context"
	"time"

	"github.com/bootyard/bootyard/images/internal/command"
)

// run executes a tool of the boot environment. One that is missing is the usual
// fault of a boot image, so the error says where it belongs.
func run(ctx context.Context, limit time.Duration, stdin string, name string, args ...string) (string, error) {
	tool := command.Tool{
		Limit:   limit,
		Env:     []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"},
		Stdin:   stdin,
		Missing: "is not in this boot environment; build the boot image with it",
	}
	return tool.Run(ctx, name, args...)
}

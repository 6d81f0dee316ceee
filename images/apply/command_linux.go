package apply

import (
	"context"
	"syscall"
	"time"

	"github.com/bootyard/bootyard/images/internal/command"
)

const toolTimeout = 30 * time.Minute // unpacking, or a loader on a machine in software emulation

// run executes a tool of the boot environment, or, by way of attr, of the image.
func run(ctx context.Context, limit time.Duration, attr *syscall.SysProcAttr, name string, args ...string) (string, error) {
	tool := command.Tool{
		Limit:   limit,
		Env:     []string{"PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"},
		Dir:     "/",
		Attr:    attr,
		Missing: "is not there",
	}
	return tool.Run(ctx, name, args...)
}

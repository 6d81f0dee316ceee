package host

import (
	"context"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// Machine is what the agent needs of the computer. Implementations are safe for concurrent use.
type Machine interface {
	// Identity is what the machine tells of itself. bootMAC, if not empty, is named first.
	Identity(ctx context.Context, bootMAC string) (wire.Identity, error)
	// BootArgs are the arguments of the kernel command line by name; the last of a name counts.
	BootArgs() (map[string]string, error)
	// ConnectNetwork gets an address, over the card with the MAC prefer if it is there, else over any with a carrier. It
	// tries until it has one or ctx ends, and tells say what it does.
	ConnectNetwork(ctx context.Context, prefer string, say func(string)) error
	// SetClock sets the system clock and, as far as possible, the one that runs on battery.
	SetClock(now time.Time) error
	// Restart writes everything to disk and starts the machine anew. It returns only with an error.
	Restart(ctx context.Context) error
	// PowerOff writes everything to disk and switches the machine off. It returns only with an error.
	PowerOff(ctx context.Context) error
}

// System is the real clock.
type System struct{}

// Now is time.Now.
func (System) Now() time.Time { return time.Now() }

// Sleep waits for d or until ctx ends.
func (System) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// dotted is the beginning of a version that consists of numbers and dots: v1.2.3-rc1 is 1.2.3.
func dotted(version string) string {
	version = strings.TrimPrefix(version, "v")
	if i := strings.IndexFunc(version, func(c rune) bool { return c != '.' && (c < '0' || c > '9') }); i >= 0 {
		version = version[:i]
	}
	return version
}

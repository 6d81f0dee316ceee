package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// listen makes a unix socket and returns its descriptor, to be inherited.
func listen(path string) (*os.File, error) {
	const limit = 107 // sun_path without the closing zero
	if len(path) > limit {
		return nil, fmt.Errorf("socket path %s is longer than %d bytes; choose a shorter StateDir", path, limit)
	}
	_ = os.Remove(path)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	defer func() { _ = l.Close() }()
	return l.File()
}

// takeSlot waits until fewer than MaxMachines run. The slot is a file lock that
// QEMU inherits, so the kernel frees it whatever way QEMU ends.
func (l *Lab) takeSlot(ctx context.Context) (*os.File, error) {
	for waited := false; ; waited = true {
		for i := range l.cfg.MaxMachines {
			f, err := os.OpenFile(filepath.Join(l.dir, fmt.Sprintf("slot-%d", i)), os.O_CREATE|os.O_RDWR, 0o600)
			if err != nil {
				return nil, fmt.Errorf("machine slot: %w", err)
			}
			if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				return f, nil
			}
			_ = f.Close()
		}
		if !waited {
			l.log.Info("waiting until another machine is off", "lab", l.cfg.Name, "limit", l.cfg.MaxMachines)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return nil, fmt.Errorf("wait for one of %d machines to go off: %w", l.cfg.MaxMachines, err)
		}
	}
}

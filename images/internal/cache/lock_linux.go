package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lock makes the folder if it is missing, keeps all other builds out of it until
// the returned file is closed, and waits for one that is at work. The lock ends
// with the process, however that ends, and with programs that inherited the file.
func Lock(ctx context.Context, dir string) (held *os.File, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("lock the cache: %w", errors.Join(err, f.Close()))
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("another build uses %s: %w", dir, ctx.Err()), f.Close())
		case <-tick.C:
		}
	}
}

package appliance

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockFolder keeps a second appliance out of the same data_dir: it would write
// the lease file anew under the first one and clear its imports away. The lock
// ends with the process, however that ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data_dir cannot be written: %w; run as root, or set data_dir to a folder of this user", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another appliance uses data_dir %s: stop it first, or set data_dir in the configuration", dir)
	}
	return f, nil
}

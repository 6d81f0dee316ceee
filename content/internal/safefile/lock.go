package safefile

import (
	"fmt"
	"os"
)

// Lock is a held lock on a file; Close gives it back.
type Lock struct{ file *os.File }

// TryLock locks name, creating it if needed. It returns nil and no error when another process or another part of this one
// holds it. The file stays when the lock is given back: removing it would let two holders lock different files.
func TryLock(name string) (*Lock, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	ok, err := tryLock(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if !ok {
		f.Close()
		return nil, nil
	}
	return &Lock{file: f}, nil
}

// Close gives the lock back.
func (l *Lock) Close() error { return l.file.Close() }

package atomicfile

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Scanners for viruses open new files for a moment, and a file that somebody has open cannot be replaced.
const (
	replaceTries = 20
	replacePause = 50 * time.Millisecond
)

// replace renames in one step and returns when the disk has it. Folders cannot be synchronised on Windows.
func replace(from, to string) error {
	a, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	b, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err = windows.MoveFileEx(a, b, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
		if err == nil {
			return nil
		}
		busy := errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		if s, e := os.Stat(to); !busy || try == replaceTries || e == nil && s.IsDir() {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
		time.Sleep(replacePause)
	}
}

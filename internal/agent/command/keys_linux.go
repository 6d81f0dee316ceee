package command

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hideTyping has a console show nothing of what is typed, until shown is called.
func hideTyping(f *os.File) (shown func(), err error) {
	raw, err := f.SyscallConn() // f.Fd would make the file block
	if err != nil {
		return nil, fmt.Errorf("hide typing: %w", err)
	}
	var was *unix.Termios
	var failed error
	err = raw.Control(func(fd uintptr) {
		if was, failed = unix.IoctlGetTermios(int(fd), unix.TCGETS); failed != nil {
			return
		}
		hidden := *was
		hidden.Lflag &^= unix.ECHO
		hidden.Lflag |= unix.ICANON | unix.ECHONL
		failed = unix.IoctlSetTermios(int(fd), unix.TCSETS, &hidden)
	})
	if err != nil || failed != nil {
		return nil, fmt.Errorf("hide typing: %w", errors.Join(err, failed))
	}
	return func() {
		_ = raw.Control(func(fd uintptr) { _ = unix.IoctlSetTermios(int(fd), unix.TCSETS, was) })
	}, nil
}

package terminal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	systemShell = "/bin/sh"
	commandFlag = "-c"
)

// onTerminal starts the shell as the leader of a session with a pseudo-terminal of its own. Where there is none, such as
// in a chroot without /dev/pts, the error is errors.ErrUnsupported.
func (s *Session) onTerminal(o Options) error {
	main, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	var number int
	err = control(main, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		var err error
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	var side *os.File
	if err == nil {
		side, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		main.Close()
		return fmt.Errorf("%w: open a terminal: %w", errors.ErrUnsupported, err)
	}
	s.size = func(rows, columns int) error {
		return control(main, func(fd int) error {
			return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(min(rows, 1000)), Col: uint16(min(columns, 1000))})
		})
	}
	_ = s.size(cmp.Or(o.Rows, 24), cmp.Or(o.Columns, 80)) // a wrong size is no reason to have no shell
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = side, side, side
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = s.cmd.Start()
	side.Close()
	if err != nil {
		main.Close()
		return err
	}
	s.in, s.out = main, main
	return nil
}

// control uses a file's descriptor without making it blocking: a Close must end a Read.
func control(f *os.File, use func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = use(int(fd)) })
	return errors.Join(err, inner)
}

func separate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// killTree kills the process's group; what runs in the background of a terminal gets its hang-up.
func killTree(p *os.Process) error {
	if err := syscall.Kill(-p.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

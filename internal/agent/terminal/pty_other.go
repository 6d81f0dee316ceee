//go:build !linux

package terminal

import (
	"errors"
	"os"
	"os/exec"
)

const (
	systemShell = "cmd.exe"
	commandFlag = "/c"
)

// onTerminal is not there: the shell works line by line.
func (s *Session) onTerminal(Options) error { return errors.ErrUnsupported }

func separate(*exec.Cmd) {}

func killTree(p *os.Process) error { return p.Kill() }

//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// alone gives a program a process group of its own, so that all of it can be ended.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
}

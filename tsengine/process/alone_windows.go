package process

import (
	"os/exec"
	"syscall"
)

// alone starts a program without a window.
func alone(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true} }

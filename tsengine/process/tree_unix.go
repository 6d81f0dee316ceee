//go:build unix && !linux

package process

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}

func keepLiving(*syscall.SysProcAttr) {}

func killTree(root int, _ string) error { return syscall.Kill(-root, syscall.SIGKILL) }

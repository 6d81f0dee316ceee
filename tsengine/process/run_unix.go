//go:build unix

package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/bootyard/bootyard/tsengine/machine"
)

func build(ctx context.Context, c machine.Command) (*exec.Cmd, error) {
	args := []string{"/bin/sh", "-c", c.Line}
	if !shellLine(c.Line) {
		args = Split(c.Line)
		if len(args) == 0 || args[0] == "" {
			return nil, errors.New("the command line names no program")
		}
		program, err := find(args[0], c.Dir)
		if err != nil {
			return nil, err
		}
		args = append(program, args[1:]...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = c.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	if c.User != "" {
		u, err := asUser(cmd, c.User)
		if err != nil {
			return nil, err
		}
		for _, name := range c.Own {
			if err := os.Lchown(name, int(cmd.SysProcAttr.Credential.Uid), int(cmd.SysProcAttr.Credential.Gid)); err != nil {
				return nil, fmt.Errorf("run as another user: %w", err)
			}
		}
		// Later ones count: execute puts the agent's environment before.
		cmd.Env = []string{"HOME=" + u.HomeDir, "USER=" + u.Username, "LOGNAME=" + u.Username}
	}
	return cmd, nil
}

// detached gives the program a session of its own, which is not ended with the agent's.
func detached(a *syscall.SysProcAttr) {
	keepLiving(a)
	a.Setpgid, a.Setsid = false, true
}

// find looks for a program in the working folder first, as sequences expect (TS-101), then in PATH. A script of a
// package that lost its executable bit on the way is started by its interpreter.
func find(name, dir string) ([]string, error) {
	if filepath.IsAbs(name) {
		return interpreter(name)
	}
	if dir != "" {
		local := filepath.Join(dir, name)
		if s, err := os.Stat(local); err == nil && s.Mode().IsRegular() {
			return interpreter(local)
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("start the program: %w", startCause(err))
	}
	return []string{path}, nil
}

func interpreter(path string) ([]string, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("start the program: %w", startCause(err))
	}
	if s.Mode()&0o111 != 0 {
		return []string{path}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("start the program: %w", startCause(err))
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 256).ReadString('\n')
	if !strings.HasPrefix(line, "#!") {
		return nil, fmt.Errorf("start the program: %w: it is neither executable nor a script", os.ErrPermission)
	}
	by := strings.Fields(line[2:])
	if len(by) == 0 {
		return nil, fmt.Errorf("start the program: %w: its first line names no interpreter", os.ErrPermission)
	}
	return append(by, path), nil
}

// asUser makes the program run under another account (TS-104). The agent is root and needs no password for that.
// An account of this machine may be written with .\ or the machine's name before it.
func asUser(cmd *exec.Cmd, name string) (*user.User, error) {
	if host, local, ok := strings.Cut(name, `\`); ok {
		if own, err := os.Hostname(); host == "." || err == nil && strings.EqualFold(host, own) {
			name = local
		}
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("run as another user: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("run as another user: %w", err)
	}
	cred := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if ids, err := u.GroupIds(); err == nil {
		for _, id := range ids {
			if n, err := strconv.ParseUint(id, 10, 32); err == nil {
				cred.Groups = append(cred.Groups, uint32(n))
			}
		}
	}
	cmd.SysProcAttr.Credential = cred
	return u, nil
}

// wholeCode is the code that a program meant: Unix passes on the low eight bits only (TS-30).
func wholeCode(p *os.ProcessState, code uint32, known []uint32) uint32 {
	if !p.Exited() || code == 0 || slices.Contains(known, code) {
		return code
	}
	for _, k := range known {
		if k > 0xff && k&0xff == code {
			return k
		}
	}
	return code
}

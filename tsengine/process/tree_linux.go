package process

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }

func keepLiving(a *syscall.SysProcAttr) { a.Pdeathsig = 0 }

// killTree ends a program and everything it started (TS-28): its process group, all descendants, and whoever carries
// the mark in its environment, which finds daemons that left the group and lost their parent. It looks again until
// nobody is left, because processes may fork while they are being killed.
func killTree(root int, mark string) error {
	_ = syscall.Kill(-root, syscall.SIGKILL)
	for range 50 {
		pids := members(root, mark)
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(2 * time.Millisecond) // a killed process is listed until the kernel is done with it
	}
	return nil
}

type proc struct{ pid, parent, group int }

// members lists the living processes of the tree.
func members(root int, mark string) []int {
	names, err := procNames()
	if err != nil {
		return nil
	}
	var all []proc
	in := map[int]bool{root: true}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}
		p, alive := readStat(pid)
		if !alive {
			continue
		}
		all = append(all, p)
		if p.group == root || carries(pid, mark) {
			in[pid] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for _, p := range all {
			if !in[p.pid] && in[p.parent] {
				in[p.pid], changed = true, true
			}
		}
	}
	var out []int
	for _, p := range all {
		if in[p.pid] {
			out = append(out, p.pid)
		}
	}
	return out
}

func procNames() ([]string, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// readStat reads /proc/PID/stat; zombies count as dead. The name in brackets may hold anything.
func readStat(pid int) (proc, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return proc{}, false
	}
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return proc{}, false
	}
	f := strings.Fields(string(b[i+1:]))
	if len(f) < 3 || f[0] == "Z" || f[0] == "X" {
		return proc{}, false
	}
	parent, _ := strconv.Atoi(f[1])
	group, _ := strconv.Atoi(f[2])
	return proc{pid, parent, group}, true
}

func carries(pid int, mark string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && bytes.Contains(b, []byte(mark))
}

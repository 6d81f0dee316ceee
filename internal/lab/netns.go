package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// netnsDir is where iproute2 keeps names of network namespaces.
const netnsDir = "/run/netns"

// namespaceName returns the name of one of the lab's namespaces as `ip netns`
// shows it.
func (l *Lab) namespaceName(role string) string { return "bylab-" + l.cfg.Name + "-" + role }

// makeNamespace adds a namespace. Its name is recorded before it exists and its
// inode after, so that a kill in between leaves nothing unknown.
func (l *Lab) makeNamespace(ctx context.Context, role string) error {
	name := l.namespaceName(role)
	path := filepath.Join(netnsDir, name)
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("network namespace %s exists and is not recorded under %s: if nothing uses it, run `ip netns del %s`",
			name, l.cfg.StateDir, name)
	}
	err := l.change(func(st *state) error {
		st.Namespaces = append(st.Namespaces, namespaceState{Name: name})
		return nil
	})
	if err != nil {
		return err
	}
	if err := run(ctx, nil, "ip", "netns", "add", name); err != nil {
		return err
	}
	inode, err := inodeOf(path)
	if err != nil {
		return err
	}
	return l.change(func(st *state) error {
		for i := range st.Namespaces {
			if st.Namespaces[i].Name == name {
				st.Namespaces[i].Inode = inode
			}
		}
		return nil
	})
}

// removeNamespace ends every process in a namespace and deletes it. A namespace
// of that name with another inode belongs to somebody else and is left alone.
func removeNamespace(ctx context.Context, ns namespaceState) error {
	path := filepath.Join(netnsDir, ns.Name)
	inode, err := inodeOf(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if ns.Inode != 0 && inode != ns.Inode {
		return nil
	}
	// The open file keeps the inode from being given to a new namespace.
	hold, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = hold.Close() }()
	if err := endProcessesIn(ctx, inode); err != nil {
		return fmt.Errorf("network namespace %s: %w", ns.Name, err)
	}
	if err := run(context.WithoutCancel(ctx), nil, "ip", "netns", "del", ns.Name); err != nil {
		return err
	}
	// Once more: a command that was just being started may have entered after
	// the first look; with the name gone no other can.
	if err := endProcessesIn(ctx, inode); err != nil {
		return fmt.Errorf("network namespace %s: %w", ns.Name, err)
	}
	return nil
}

// endProcessesIn ends all processes whose network namespace has this inode. It
// looks again until it finds none, because a process may fork while being ended.
func endProcessesIn(ctx context.Context, inode uint64) error {
	const rounds = 10 // a fork bomb would need more, and then says so
	for range rounds {
		found, err := processesIn(inode)
		if err != nil || len(found) == 0 {
			return err
		}
		errs := make(chan error, len(found))
		for _, p := range found {
			go func() { errs <- endProcess(ctx, p) }()
		}
		var failed []error
		for range found {
			failed = append(failed, <-errs)
		}
		if err := errors.Join(failed...); err != nil {
			return err
		}
	}
	return errors.New("processes in it keep starting new ones; end them by hand")
}

func processesIn(inode uint64) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, err := identify(pid)
		if err != nil {
			continue // gone since
		}
		if ns, err := inodeOf("/proc/" + e.Name() + "/ns/net"); err == nil && ns == inode {
			found = append(found, p)
		}
	}
	return found, nil
}

func inodeOf(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Ino, nil
}

// makeBridge puts the switch into its namespace. It forwards at once (no
// spanning tree delay: firmware would time out), has no address, and sends
// nothing of its own, so that captures show the hosts and machines only.
func (l *Lab) makeBridge(ctx context.Context) error {
	return l.ip(ctx, switchRole,
		"link set lo up",
		"link add "+bridgeName+" type bridge forward_delay 0 stp_state 0 mcast_snooping 0",
		"link set "+bridgeName+" addrgenmode none",
		"link set "+bridgeName+" up",
	)
}

// ip runs `ip` commands in one of the lab's namespaces, all or an error.
func (l *Lab) ip(ctx context.Context, role string, commands ...string) error {
	script := strings.Join(commands, "\n") + "\n"
	return run(ctx, []byte(script), "ip", "-n", l.namespaceName(role), "-batch", "-")
}

// inNamespace runs fn on a thread that is in the namespace. Sockets that fn
// opens stay there. fn must not start processes.
func inNamespace(name string, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			runtime.LockOSThread()
			home, err := os.Open("/proc/thread-self/ns/net")
			if err != nil {
				runtime.UnlockOSThread()
				return err
			}
			defer func() { _ = home.Close() }()
			target, err := os.Open(filepath.Join(netnsDir, name))
			if err != nil {
				runtime.UnlockOSThread()
				return err
			}
			defer func() { _ = target.Close() }()
			if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
				runtime.UnlockOSThread()
				return fmt.Errorf("enter network namespace %s: %w", name, err)
			}
			defer func() {
				// A thread that cannot go home is never used again: it stays
				// locked and ends with this goroutine.
				if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
					runtime.UnlockOSThread()
				}
			}()
			return fn()
		}()
	}()
	return <-done
}

// run executes a tool and turns its output into the error when it fails.
func run(ctx context.Context, stdin []byte, argv ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out boundedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed; install the Debian package %s", argv[0], packageOf(argv[0]))
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}

func packageOf(tool string) string {
	switch tool {
	case "ip":
		return "iproute2"
	case "nft":
		return "nftables"
	case "qemu-img":
		return "qemu-utils"
	case qemuBinary:
		return "qemu-system-x86"
	}
	return tool
}

// boundedBuffer keeps the first 16 KiB of a tool's output: enough for any error.
type boundedBuffer struct{ bytes.Buffer }

func (b *boundedBuffer) Write(p []byte) (int, error) {
	const limit = 16 << 10
	if room := limit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// portName shortens a name to what the kernel takes for an interface (15 bytes)
// and keeps it unique.
func portName(prefix, name string) string {
	const room = 13
	if len(name) <= room {
		return prefix + name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("%s%s%06x", prefix, name[:room-6], h.Sum32()&0xffffff)
}

// stableMAC derives a MAC from names, so that the same lab has the same
// addresses each time. kind keeps hosts and machines apart.
func stableMAC(kind byte, names ...string) net.HardwareAddr {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.Join(names, "/")))
	sum := h.Sum32()
	return net.HardwareAddr{0x52, 0x54, kind, byte(sum >> 16), byte(sum >> 8), byte(sum)}
}

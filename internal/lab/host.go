package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HostInterface is the name of the only network interface of every host.
const HostInterface = "eth0"

// Host is a computer in the lab that is only a namespace: programs of this
// computer run in it and see one network card, eth0.
type Host struct {
	lab *Lab
	st  hostState
}

// Server returns the host that every lab has, at the lab's server address.
func (l *Lab) Server() *Host {
	h, err := l.Host(ServerHost)
	if err != nil {
		// The lab went down meanwhile; commands in it will say so.
		return &Host{lab: l, st: hostState{Name: ServerHost, Namespace: l.namespaceName(ServerHost)}}
	}
	return h
}

// Host finds a host by name.
func (l *Lab) Host(name string) (*Host, error) {
	var found *Host
	err := l.view(func(st *state) error {
		i := slices.IndexFunc(st.Hosts, func(h hostState) bool { return h.Name == name })
		if i < 0 {
			return fmt.Errorf("lab %q has no host %q", l.cfg.Name, name)
		}
		found = &Host{lab: l, st: st.Hosts[i]}
		return nil
	})
	return found, err
}

// AddHost plugs another host into the switch. The zero addr leaves eth0 up
// without an address, as a DHCP client needs it.
func (l *Lab) AddHost(ctx context.Context, name string, addr netip.Addr) (*Host, error) {
	var prefix netip.Prefix
	if addr.IsValid() {
		if !l.cfg.Subnet.Contains(addr) {
			return nil, fmt.Errorf("host address %s is not in the lab's %s", addr, l.cfg.Subnet)
		}
		prefix = netip.PrefixFrom(addr, l.cfg.Subnet.Bits())
	}
	return l.addHost(ctx, name, prefix)
}

func (l *Lab) addHost(ctx context.Context, name string, addr netip.Prefix) (*Host, error) {
	if !validName.MatchString(name) || name == switchRole {
		return nil, fmt.Errorf("host name %q: use 1 to 30 lower-case letters, digits and dashes, and not %q", name, switchRole)
	}
	if _, err := l.Host(name); err == nil {
		return nil, fmt.Errorf("lab %q already has a host %q", l.cfg.Name, name)
	}
	if err := l.makeNamespace(ctx, name); err != nil {
		return nil, err
	}
	h := hostState{
		Name: name, Namespace: l.namespaceName(name), Port: portName("p-", name),
		MAC: stableMAC(0x01, l.cfg.Name, name).String(), Addr: addr,
	}
	err := l.ip(ctx, switchRole,
		fmt.Sprintf("link add %s type veth peer name %s address %s netns %s", h.Port, HostInterface, h.MAC, h.Namespace),
		fmt.Sprintf("link set %s addrgenmode none", h.Port),
		fmt.Sprintf("link set %s master %s up", h.Port, bridgeName),
	)
	if err != nil {
		return nil, err
	}
	commands := []string{"link set lo up", "link set " + HostInterface + " up"}
	if addr.IsValid() {
		commands = append(commands, fmt.Sprintf("addr add %s broadcast + dev %s", addr, HostInterface))
	}
	if err := l.ip(ctx, name, commands...); err != nil {
		return nil, err
	}
	if err := inNamespace(h.Namespace, func() error { return disableChecksumOffload(HostInterface) }); err != nil {
		return nil, err
	}
	if err := l.change(func(st *state) error { st.Hosts = append(st.Hosts, h); return nil }); err != nil {
		return nil, err
	}
	return &Host{lab: l, st: h}, nil
}

// disableChecksumOffload makes a veth put finished frames on the wire. With the
// default, UDP checksums are left to hardware that is not there: DHCP clients on
// raw sockets drop such replies, and captures show wrong sums.
func disableChecksumOffload(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	value := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_STXCSUM}
	ifr := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the kernel copies a whole struct ifreq
	}{data: unsafe.Pointer(&value)}
	copy(ifr.name[:unix.IFNAMSIZ-1], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); errno != 0 {
		return fmt.Errorf("switch off checksum offload of %s: %w", name, errno)
	}
	return nil
}

// Name returns the host's name in the lab.
func (h *Host) Name() string { return h.st.Name }

// Namespace returns the name that `ip netns exec` takes.
func (h *Host) Namespace() string { return h.st.Namespace }

// Addr returns the address given to eth0, zero if none was.
func (h *Host) Addr() netip.Addr { return h.st.Addr.Addr() }

// MAC returns the address of eth0 in the usual notation.
func (h *Host) MAC() string { return h.st.MAC }

// Command prepares a command that runs in the host's namespace; start it like
// any other. When ctx ends it gets SIGTERM and 5 s later SIGKILL. It dies with
// this process, whatever way that ends; only the children it made itself may
// live until the lab's Down. Start it from a goroutine that is not locked to a
// thread, because the kernel ties its life to the starting thread.
func (h *Host) Command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.st.Namespace}, argv...)...)
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Daemon starts a command in the host that runs until Stop or the lab's Down,
// with its output appended to a file. It has a session of its own, so Ctrl-C on
// the terminal does not reach it. In a lab that persists it outlives this
// process, otherwise it dies with it.
func (h *Host) Daemon(ctx context.Context, logFile string, argv ...string) (*Daemon, error) {
	if len(argv) == 0 {
		return nil, errors.New("daemon without a command")
	}
	if err := os.MkdirAll(filepath.Dir(logFile), 0o755); err != nil {
		return nil, fmt.Errorf("daemon log: %w", err)
	}
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("daemon log: %w", err)
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command("ip", append([]string{"netns", "exec", h.st.Namespace}, argv...)...)
	cmd.Stdout, cmd.Stderr = out, out
	d := &Daemon{Log: logFile}
	d.started, err = h.lab.start(ctx, cmd)
	if err != nil {
		return nil, fmt.Errorf("%s in host %s: %w", argv[0], h.st.Name, err)
	}
	return d, nil
}

// Daemon is a running program in a host.
type Daemon struct {
	*started
	// Log is the file that has its output.
	Log string
}

// PID returns the process id.
func (d *Daemon) PID() int { return d.process.PID }

// Done is closed when the program has ended.
func (d *Daemon) Done() <-chan struct{} { return d.done }

// Err returns how the program ended, nil while it runs or when it exited 0.
func (d *Daemon) Err() error {
	select {
	case <-d.done:
		return d.err
	default:
		return nil
	}
}

// Kill ends the program as a crash would: SIGKILL, at once.
func (d *Daemon) Kill() error {
	f, err := d.process.handle()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return signalPidfd(f, unix.SIGKILL)
}

// Stop asks the program to end and forces it after 5 s.
func (d *Daemon) Stop(ctx context.Context) error { return endProcess(ctx, d.process) }

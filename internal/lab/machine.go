package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	consoleFile = "console.log"
	qemuLogFile = "qemu.log"
)

var (
	// ErrRunning says that a machine of that name is running already.
	ErrRunning = errors.New("machine is running")
	// ErrExited says that the machine's QEMU has ended.
	ErrExited = errors.New("machine is off")
)

// Machine is a QEMU machine that was started. Its methods may be called from
// several goroutines.
type Machine struct {
	lab     *Lab
	spec    MachineSpec
	files   machineFiles
	process process
	accel   string
	offset  int64
	done    chan struct{}
	err     error // set before done is closed
}

type machineFiles struct {
	dir     string // disks and variable store
	console string
	qemuLog string
	qmp     string // sockets
	serial  string
}

func (l *Lab) machineFiles(name string) machineFiles {
	logs := filepath.Join(l.LogDir(), name)
	return machineFiles{
		dir:     filepath.Join(l.data, "machines", name),
		console: filepath.Join(logs, consoleFile),
		qemuLog: filepath.Join(logs, qemuLogFile),
		qmp:     filepath.Join(l.dir, name+".qmp"),
		serial:  filepath.Join(l.dir, name+".tty"),
	}
}

// Boot powers a machine on. A machine of that name that ran before keeps its
// disks and its UEFI variables. Boot waits while MaxMachines others run, and
// returns when QEMU has started; ctx bounds this and not the machine's life.
// The machine ends by Stop, by its guest, by Down, or with this process unless
// the lab persists. Errors: ErrRunning, or QEMU's own message.
func (l *Lab) Boot(ctx context.Context, spec MachineSpec) (*Machine, error) {
	spec, err := spec.complete(l.cfg.Name)
	if err != nil {
		return nil, err
	}
	unlock, err := lockFile(ctx, filepath.Join(l.dir, spec.Name+".boot.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	m := &Machine{lab: l, spec: spec, files: l.machineFiles(spec.Name), done: make(chan struct{})}
	if err := m.prepare(ctx); err != nil {
		return nil, fmt.Errorf("machine %q: %w", spec.Name, err)
	}
	if err := m.launch(ctx); err != nil {
		return nil, fmt.Errorf("machine %q: %w", spec.Name, err)
	}
	l.log.Info("machine is on", "lab", l.cfg.Name, "machine", spec.Name, "firmware", spec.Firmware,
		"mac", spec.MAC, "uuid", spec.UUID, "accel", m.accel, "pid", m.process.PID, "console", m.files.console)
	return m, nil
}

// prepare makes everything but the process.
func (m *Machine) prepare(ctx context.Context) error {
	if _, err := findQEMU(); err != nil {
		return err
	}
	for _, dir := range []string{m.files.dir, filepath.Dir(m.files.console)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	m.accel = m.spec.Accel
	if m.accel == "" {
		accel, why, err := ProbeAccel(ctx, m.lab.cfg.StateDir)
		if err != nil {
			return err
		}
		m.accel = accel
		m.lab.log.Debug("acceleration", "machine", m.spec.Name, "accel", accel, "why", why)
	}
	err := m.lab.view(func(st *state) error {
		old := st.Machines[m.spec.Name]
		if old != nil && old.Process.alive() {
			return fmt.Errorf("%w (pid %d); stop it first", ErrRunning, old.Process.PID)
		}
		for name, other := range st.Machines {
			if name != m.spec.Name && other.Process.alive() && (other.Spec.MAC == m.spec.MAC || other.Spec.UUID == m.spec.UUID) {
				m.lab.log.Warn("two running machines share a MAC or UUID", "machine", m.spec.Name, "other", name)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.lab.ensurePort(ctx, m.spec.Name)
}

// ensurePort makes the machine's tap on the switch; it stays until Down, so a
// sleeping or restarting machine keeps its port.
func (l *Lab) ensurePort(ctx context.Context, name string) error {
	tap := portName("t-", name)
	err := inNamespace(l.namespaceName(switchRole), func() error {
		_, err := net.InterfaceByName(tap)
		return err
	})
	if err == nil {
		return nil
	}
	return l.ip(ctx, switchRole,
		"tuntap add "+tap+" mode tap",
		"link set "+tap+" addrgenmode none",
		"link set "+tap+" master "+bridgeName+" up",
	)
}

func (m *Machine) launch(ctx context.Context) error {
	code, vars, err := firmwareFiles(m.spec.Firmware)
	if err != nil {
		return err
	}
	in := launch{
		lab: m.lab.cfg.Name, tap: portName("t-", m.spec.Name), accel: m.accel,
		code: code, vars: filepath.Join(m.files.dir, "vars.fd"), serialLog: m.files.console,
		// Descriptors 0 to 2 are the usual ones, then ExtraFiles in order.
		qmpFD: 3, serialFD: 4,
	}
	if err := prepareVars(vars, in.vars); err != nil {
		return err
	}
	if in.disks, err = prepareDisks(ctx, m.files.dir, m.spec.Disks); err != nil {
		return err
	}
	slot, err := m.lab.takeSlot(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = slot.Close() }()
	// QEMU inherits listening sockets: commands can then be sent at once and
	// wait in the queue until it is ready, with no polling for a path.
	qmpSocket, err := listen(m.files.qmp)
	if err != nil {
		return err
	}
	defer func() { _ = qmpSocket.Close() }()
	serialSocket, err := listen(m.files.serial)
	if err != nil {
		return err
	}
	defer func() { _ = serialSocket.Close() }()
	qemuLog, err := os.OpenFile(m.files.qemuLog, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = qemuLog.Close() }()
	if m.offset, err = consoleSize(m.files.console); err != nil {
		return err
	}

	argv := append([]string{"netns", "exec", m.lab.namespaceName(switchRole), qemuBinary}, m.spec.arguments(in)...)
	cmd := exec.Command("ip", argv...)
	cmd.Stdout, cmd.Stderr = qemuLog, qemuLog
	cmd.ExtraFiles = []*os.File{qmpSocket, serialSocket, slot}
	child, err := m.lab.start(ctx, cmd)
	if err != nil {
		return err
	}
	m.process = child.process
	err = m.lab.change(func(st *state) error {
		st.Machines[m.spec.Name] = &machineState{
			Spec: m.spec, Process: m.process, ConsoleOffset: m.offset, Started: time.Now().UTC(), Accel: m.accel,
		}
		return nil
	})
	if err == nil {
		_, err = qmp(ctx, m.files.qmp, "query-status", nil)
	}
	if err != nil {
		_ = endProcess(context.WithoutCancel(ctx), m.process)
		<-child.done
		if text, readErr := os.ReadFile(m.files.qemuLog); readErr == nil && len(text) > 0 {
			return fmt.Errorf("QEMU: %s", lastLines(string(text), 5))
		}
		return err
	}
	go func() {
		<-child.done
		m.err = child.err
		close(m.done)
	}()
	return nil
}

// Machine finds a machine that was booted before, by this or another process.
// It may be off: then Wait returns at once and Boot with its Spec starts it.
func (l *Lab) Machine(name string) (*Machine, error) {
	var ms *machineState
	err := l.view(func(st *state) error {
		if ms = st.Machines[name]; ms == nil {
			return fmt.Errorf("lab %q has no machine %q; it has %v", l.cfg.Name, name, sortedKeys(st.Machines))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m := &Machine{
		lab: l, spec: ms.Spec, files: l.machineFiles(name), process: ms.Process,
		accel: ms.Accel, offset: ms.ConsoleOffset, done: make(chan struct{}),
	}
	go func() {
		defer close(m.done)
		m.err = m.process.awaitExit(l.done)
	}()
	return m, nil
}

// RemoveMachine stops a machine and removes its disks and variables; its logs
// stay until Down.
func (l *Lab) RemoveMachine(ctx context.Context, name string) error {
	m, err := l.Machine(name)
	if err != nil {
		return err
	}
	if err := m.Stop(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(m.files.dir); err != nil {
		return err
	}
	return l.change(func(st *state) error { delete(st.Machines, name); return nil })
}

// Name returns the machine's name.
func (m *Machine) Name() string { return m.spec.Name }

// Spec returns the spec with all defaults filled in; Boot takes it again.
func (m *Machine) Spec() MachineSpec { return m.spec }

// MAC returns the address of the network card.
func (m *Machine) MAC() string { return m.spec.MAC }

// UUID returns the SMBIOS UUID in RFC 9562 notation.
func (m *Machine) UUID() string { return m.spec.UUID }

// PID returns QEMU's process id.
func (m *Machine) PID() int { return m.process.PID }

// Accel returns how the processor is run: kvm or tcg.
func (m *Machine) Accel() string { return m.accel }

// ConsoleLog returns the file that has all serial output of all power-ons.
func (m *Machine) ConsoleLog() string { return m.files.console }

// SerialSocket returns the unix socket of the serial console; what is written
// to it is typed, and one client at a time sees the output as well.
func (m *Machine) SerialSocket() string { return m.files.serial }

// DiskFile returns the file of disk i of the spec. Read it only when the machine
// is off.
func (m *Machine) DiskFile(i int) string {
	d := m.spec.Disks[i]
	if d.File != "" {
		return d.File
	}
	return filepath.Join(m.files.dir, fmt.Sprintf("disk%d.%s", i, d.Format))
}

// Done is closed when the machine is off.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Wait returns nil when the machine is off, or when ctx has ended its error.
func (m *Machine) Wait(ctx context.Context) error {
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("machine %q is still on: %w", m.spec.Name, context.Cause(ctx))
	}
}

// Stop pulls the power plug: the guest notices nothing, disks keep what was
// written. A machine that is off is no error.
func (m *Machine) Stop(ctx context.Context) error {
	if err := endProcess(ctx, m.process); err != nil {
		return fmt.Errorf("machine %q: %w", m.spec.Name, err)
	}
	return m.Wait(ctx)
}

// PowerDown presses the power button once. The guest may take its time or
// ignore it: Wait, then Stop.
func (m *Machine) PowerDown(ctx context.Context) error {
	return m.command(ctx, "system_powerdown", nil)
}

// Reset presses the reset button. The console goes on in the same log; take
// ConsoleSize before to tell the next boot's lines from this one's.
func (m *Machine) Reset(ctx context.Context) error { return m.command(ctx, "system_reset", nil) }

// Pause stops the processors, Resume continues them.
func (m *Machine) Pause(ctx context.Context) error { return m.command(ctx, "stop", nil) }

// Resume continues after Pause.
func (m *Machine) Resume(ctx context.Context) error { return m.command(ctx, "cont", nil) }

// RunState returns QEMU's run state: running, paused, shutdown, internal-error...
func (m *Machine) RunState(ctx context.Context) (string, error) {
	raw, err := m.query(ctx, "query-status", nil)
	if err != nil {
		return "", err
	}
	var status struct{ Status string }
	if err := json.Unmarshal(raw, &status); err != nil {
		return "", fmt.Errorf("machine %q: %w", m.spec.Name, err)
	}
	return status.Status, nil
}

func (m *Machine) command(ctx context.Context, name string, args map[string]any) error {
	_, err := m.query(ctx, name, args)
	return err
}

func (m *Machine) query(ctx context.Context, name string, args map[string]any) (json.RawMessage, error) {
	select {
	case <-m.done:
		return nil, fmt.Errorf("%w: %q", ErrExited, m.spec.Name)
	default:
	}
	raw, err := qmp(ctx, m.files.qmp, name, args)
	if err != nil {
		return nil, fmt.Errorf("machine %q: %w", m.spec.Name, err)
	}
	return raw, nil
}

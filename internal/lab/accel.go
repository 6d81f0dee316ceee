package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"golang.org/x/sys/unix"
)

// Ways to run a machine's processor.
const (
	accelKVM = "kvm"
	accelTCG = "tcg"
)

const (
	kvmDevice = "/dev/kvm"
	// firmwareMark is what OVMF prints when it begins to look for something to
	// boot: by then it has run for real.
	firmwareMark = "BdsDxe"
	// probeTime is ample: working KVM needs 2 to 4 s.
	probeTime = 15 * time.Second
)

// probeAnswer is remembered until the computer or its kernel changes.
type probeAnswer struct {
	Boot, Kernel, QEMU string // what it was true for
	Accel, Why         string
}

// ProbeAccel says how machines run here: "kvm", or "tcg" (software emulation)
// with the reason why not kvm. A /dev/kvm that opens is no proof, because some
// nested ones cannot run firmware; so the first call boots OVMF in it for at
// most 15 s, and the answer is kept in stateDir (default DefaultStateDir) for
// this boot, kernel and QEMU. The error is only that of ctx or of stateDir.
func ProbeAccel(ctx context.Context, stateDir string) (accel, why string, err error) {
	if stateDir == "" {
		stateDir = DefaultStateDir
	}
	if _, err := os.Stat(kvmDevice); err != nil {
		return accelTCG, "no " + kvmDevice, nil
	}
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return "", "", fmt.Errorf("lab state folder: %w", err)
	}
	// One probe at a time; the others wait for its answer.
	unlock, err := lockFile(ctx, filepath.Join(stateDir, "accel.lock"))
	if err != nil {
		return "", "", err
	}
	defer unlock()
	now, err := probeConditions()
	if err != nil {
		return "", "", err
	}
	file := filepath.Join(stateDir, "accel.json")
	var known probeAnswer
	if raw, err := os.ReadFile(file); err == nil && json.Unmarshal(raw, &known) == nil &&
		known.Boot == now.Boot && known.Kernel == now.Kernel && known.QEMU == now.QEMU && known.Accel != "" {
		return known.Accel, known.Why, nil
	}
	now.Accel, now.Why = probeKVM(ctx)
	if err := ctx.Err(); err != nil {
		return "", "", err // cut short: not an answer to remember
	}
	raw, err := json.Marshal(now)
	if err != nil {
		return "", "", err
	}
	if err := atomicfile.Write(file, raw, 0o644); err != nil {
		return "", "", fmt.Errorf("remember acceleration: %w", err)
	}
	return now.Accel, now.Why, nil
}

func probeConditions() (probeAnswer, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return probeAnswer{}, err
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return probeAnswer{}, err
	}
	qemu, err := findQEMU()
	if err != nil {
		return probeAnswer{}, err
	}
	info, err := os.Stat(qemu)
	if err != nil {
		return probeAnswer{}, err
	}
	return probeAnswer{
		Boot:   strings.TrimSpace(string(boot)),
		Kernel: unix.ByteSliceToString(uts.Release[:]) + " " + unix.ByteSliceToString(uts.Version[:]),
		QEMU:   fmt.Sprintf("%s %d", qemu, info.ModTime().Unix()),
	}, nil
}

func probeKVM(ctx context.Context) (accel, why string) {
	code, _, err := firmwareFiles(UEFI)
	if err != nil {
		return accelTCG, "KVM was not tried: " + err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, qemuBinary, "-nodefaults", "-no-user-config", "-display", "none",
		"-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "256", "-net", "none", "-no-reboot",
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+comma(code), "-serial", "stdio")
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	cmd.WaitDelay = time.Second
	var complaint boundedBuffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return accelTCG, "KVM was not tried: " + err.Error()
	}
	if err := cmd.Start(); err != nil {
		return accelTCG, "KVM was not tried: " + err.Error()
	}
	seen := sawMark(bufio.NewReader(out))
	late := ctx.Err() != nil
	cancel()
	err = cmd.Wait()
	switch {
	case seen:
		return accelKVM, "firmware runs in KVM"
	case complaint.Len() > 0:
		line, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return accelTCG, "firmware does not run in KVM: " + line
	case late:
		return accelTCG, fmt.Sprintf("firmware does not run in KVM: silent for %s", probeTime)
	default:
		return accelTCG, fmt.Sprintf("firmware does not run in KVM: %v", errors.Join(err, errors.New("it ended early")))
	}
}

// sawMark reads until the firmware's mark or the end of the output.
func sawMark(in *bufio.Reader) bool {
	matched := 0
	for {
		b, err := in.ReadByte()
		if err != nil {
			return false
		}
		switch {
		case b == firmwareMark[matched]:
			matched++
		case b == firmwareMark[0]:
			matched = 1
		default:
			matched = 0
		}
		if matched == len(firmwareMark) {
			return true
		}
	}
}

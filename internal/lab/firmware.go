package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// firmwareFiles returns OVMF's code and the template of its variable store.
// Newer packages have only the 4 MB build, older ones only the 2 MB build.
func firmwareFiles(f Firmware) (code, vars string, err error) {
	if f == BIOS {
		return "", "", nil
	}
	type pair struct{ code, vars string }
	pairs := []pair{
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
	}
	if f == UEFISecureBoot {
		pairs = []pair{
			{"/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"},
			{"/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"},
		}
	}
	for _, p := range pairs {
		if isFile(p.code) && isFile(p.vars) {
			return p.code, p.vars, nil
		}
	}
	return "", "", fmt.Errorf("%s firmware: %s is not there; install the Debian package ovmf", f, pairs[0].code)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// prepareVars gives the machine its own copy of the variable store, once: boot
// entries and keys then survive a restart and are not shared.
func prepareVars(template, own string) error {
	if template == "" || isFile(own) {
		return nil
	}
	in, err := os.Open(template)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.CreateTemp(filepath.Dir(own), ".vars-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }()
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("variable store: %w", err)
	}
	return os.Rename(out.Name(), own)
}

// prepareDisks makes the disks that do not exist yet and returns their files.
func prepareDisks(ctx context.Context, dir string, disks []Disk) ([]string, error) {
	files := make([]string, len(disks))
	for i, d := range disks {
		if d.File != "" {
			files[i] = d.File
			continue
		}
		files[i] = filepath.Join(dir, fmt.Sprintf("disk%d.%s", i, d.Format))
		if _, err := os.Stat(files[i]); !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return nil, err
			}
			continue
		}
		if err := makeDisk(ctx, files[i], d); err != nil {
			return nil, fmt.Errorf("disk %d: %w", i, err)
		}
	}
	return files, nil
}

func makeDisk(ctx context.Context, file string, d Disk) error {
	part := file + ".part"
	defer func() { _ = os.Remove(part) }()
	if d.Format == "qcow2" {
		if err := run(ctx, nil, "qemu-img", "create", "-q", "-f", "qcow2", part, strconv.FormatInt(d.Size, 10)); err != nil {
			return err
		}
		return os.Rename(part, file)
	}
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(d.Size), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, file)
}

// findQEMU says early and clearly when QEMU is missing; behind `ip netns exec`
// it would be an exit code.
func findQEMU() (string, error) {
	path, err := exec.LookPath(qemuBinary)
	if err != nil {
		return "", fmt.Errorf("%s is not installed; install the Debian package %s", qemuBinary, packageOf(qemuBinary))
	}
	return path, nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/disk"
)

const (
	efiDir          = "/sys/firmware/efi"
	efivarsDir      = efiDir + "/efivars"
	firmwareTimeout = time.Minute
)

// FirmwareOrder says what SetFirmwareBoot does beside making the entry.
type FirmwareOrder struct {
	Next  bool // start the entry once, at the next restart
	First bool // put it first in the lasting order; else it goes to the end
	// Loader is the program that the entry starts, by its path on the ESP with backslashes; empty is the fallback path.
	Loader string
}

// SetFirmwareBoot makes a firmware entry that starts a loader on the ESP, in
// place of older entries with the same label. It runs in the
// boot environment and only on a machine that started by UEFI. Firmware that
// keeps no variables, or refuses to, gives a warning and no error: the disk
// still starts by its fallback path when firmware gets to it.
func SetFirmwareBoot(ctx context.Context, esp disk.Volume, label string, order FirmwareOrder) (warning string, err error) {
	if label == "" || len(label) > 64 || strings.ContainsFunc(label, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", fmt.Errorf("set firmware boot entry: label %.80q must be 1 to 64 printable ASCII characters", label)
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("set firmware boot entry: %w", err)
	}
	if warning := openVariables(); warning != "" {
		return warning, nil
	}
	if err := setEntry(ctx, esp, label, order); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("set firmware boot entry: %w", err)
		}
		return fmt.Sprintf("the firmware did not take a boot entry; the machine starts from the disk only if its boot order leads there: %v", err), nil
	}
	return "", nil
}

// openVariables makes the firmware's variables writable, or says why not.
func openVariables() string {
	const effect = "no boot entry was written; the machine starts from the disk only if its boot order leads there"
	if _, err := os.Stat(efiDir); err != nil {
		return "this machine was not started by UEFI: " + effect
	}
	names, err := os.ReadDir(efivarsDir)
	if err == nil && len(names) == 0 {
		if err := unix.Mount("efivarfs", efivarsDir, "efivarfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return fmt.Sprintf("firmware variables cannot be reached (%v): %s", err, effect)
		}
	}
	if err := unix.Access(efivarsDir, unix.W_OK); err != nil {
		return fmt.Sprintf("firmware variables are read-only (%v): %s", err, effect)
	}
	return ""
}

func setEntry(ctx context.Context, esp disk.Volume, label string, order FirmwareOrder) error {
	out, err := efibootmgr(ctx)
	if err != nil {
		return err
	}
	for _, number := range parseEntries(out).labelled(label) {
		if _, err := efibootmgr(ctx, "--bootnum", number, "--delete-bootnum"); err != nil {
			return err
		}
	}
	loader := cmp.Or(order.Loader, `\EFI\BOOT\`+efiFor(runtime.GOARCH).fallback)
	out, err = efibootmgr(ctx, "--create-only", "--disk", esp.DiskPath, "--part", fmt.Sprint(esp.Number), "--label", label, "--loader", loader)
	if err != nil {
		return err
	}
	now := parseEntries(out)
	made := now.labelled(label)
	if len(made) != 1 {
		return errors.New("the new entry is not in the firmware's list")
	}
	if _, err := efibootmgr(ctx, "--bootorder", strings.Join(now.withEntry(made[0], order.First), ",")); err != nil {
		return err
	}
	if order.Next {
		if _, err := efibootmgr(ctx, "--bootnext", made[0]); err != nil {
			return err
		}
	}
	return nil
}

func efibootmgr(ctx context.Context, args ...string) (string, error) {
	return run(ctx, firmwareTimeout, nil, "efibootmgr", args...)
}

// bootEntries is what efibootmgr prints.
type bootEntries struct {
	order  []string
	labels map[string]string // by number
}

// entryLine is "Boot0003* label", then a tab and a device path in version 18 and
// later, or nothing.
var entryLine = regexp.MustCompile(`^Boot([0-9A-F]{4})[* ] ([^\t]*)`)

func parseEntries(out string) bootEntries {
	e := bootEntries{labels: map[string]string{}}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if list, ok := strings.CutPrefix(line, "BootOrder: "); ok {
			for n := range strings.SplitSeq(list, ",") {
				if n = strings.TrimSpace(n); n != "" {
					e.order = append(e.order, n)
				}
			}
		} else if m := entryLine.FindStringSubmatch(line); m != nil {
			e.labels[m[1]] = strings.TrimSpace(m[2])
		}
	}
	return e
}

func (e bootEntries) labelled(label string) []string {
	var out []string
	for n, l := range e.labels {
		if l == label {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// withEntry is the order with the entry first or last. Numbers in the order that
// have no entry any more are left out.
func (e bootEntries) withEntry(number string, first bool) []string {
	var rest []string
	for _, n := range e.order {
		if _, ok := e.labels[n]; ok && n != number {
			rest = append(rest, n)
		}
	}
	if first {
		return append([]string{number}, rest...)
	}
	return append(rest, number)
}

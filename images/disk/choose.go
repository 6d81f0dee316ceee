package disk

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoTarget says that the machine has no disk that may be written.
var ErrNoTarget = errors.New("no disk to deploy to")

// ErrAmbiguous says that several disks could be meant and nobody said which.
var ErrAmbiguous = errors.New("several disks could be meant")

// ErrNoSuchDisk says that the given disk number does not exist.
var ErrNoSuchDisk = errors.New("no disk with this number")

// Choose returns the disk that a sequence means: the one with the given number,
// or the only one when index is nil. An ambiguous choice is an error here,
// before anything is written (task-sequence.md, Format and Partition Disk). The
// message lists the disks and names the variable to set.
func Choose(targets []Disk, index *int) (Disk, error) {
	switch {
	case len(targets) == 0:
		return Disk{}, fmt.Errorf("%w: the machine shows no writable, built-in disk; check that its controller's driver is in the boot image and that the disk is switched on in the firmware", ErrNoTarget)
	case index == nil && len(targets) == 1:
		return targets[0], nil
	case index == nil:
		return Disk{}, fmt.Errorf("%w; nothing was written; set OSDDiskIndex to the number of one of them:\n%s", ErrAmbiguous, describe(targets))
	case *index < 0 || *index >= len(targets):
		return Disk{}, fmt.Errorf("%w: OSDDiskIndex is %d; nothing was written; set it to the number of one of these:\n%s", ErrNoSuchDisk, *index, describe(targets))
	}
	return targets[*index], nil
}

func describe(targets []Disk) string {
	lines := make([]string, len(targets))
	for i, d := range targets {
		lines[i] = fmt.Sprintf("  %d: %s", i, d)
	}
	return strings.Join(lines, "\n")
}

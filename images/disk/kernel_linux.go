package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// partitionNode follows the kernel's naming: a p between name and number when
// the name ends in a digit.
func partitionNode(disk string, number int) string {
	if n := len(disk); n > 0 && disk[n-1] >= '0' && disk[n-1] <= '9' {
		return disk + "p" + strconv.Itoa(number)
	}
	return disk + strconv.Itoa(number)
}

// tellKernel replaces the kernel's idea of the partitions by the plan.
func tellKernel(sys System, d Disk, p Plan) error {
	parts := make([]tablePart, 0, len(p.Extents))
	for _, e := range p.Extents {
		part := tablePart{number: e.Number, start: int64(e.Start) * int64(p.SectorSize), size: p.Bytes(e)}
		if e.Type == Extended {
			part.size = 1024 // as the kernel itself shows it: nobody writes into the container
		}
		parts = append(parts, part)
	}
	return tellParts(sys, d, parts)
}

// tellParts replaces the kernel's idea of the partitions. BLKPG works on every
// kernel, also on one that has no parser for the table and on loop devices
// without partition scanning; rereading the table does not.
func tellParts(sys System, d Disk, parts []tablePart) (err error) {
	f, err := os.OpenFile(d.Path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	now, err := Lookup(sys, d.Path)
	if err != nil {
		return err
	}
	for _, name := range now.Partitions {
		number, err := strconv.Atoi(readAttr(sys.path("sys/block", d.Name), name+"/partition"))
		if err != nil {
			continue
		}
		if err := blkpg(f, unix.BLKPG_DEL_PARTITION, number, 0, 0); err != nil && !errors.Is(err, unix.ENXIO) {
			return fmt.Errorf("remove old partition %s: %w", name, err)
		}
	}
	for _, p := range parts {
		if err := blkpg(f, unix.BLKPG_ADD_PARTITION, p.number, p.start, p.size); err != nil {
			return fmt.Errorf("add partition %d: %w", p.number, err)
		}
	}
	return nil
}

func blkpg(f *os.File, op int32, number int, start, length int64) error {
	part := unix.BlkpgPartition{Start: start, Length: length, Pno: int32(number)}
	arg := unix.BlkpgIoctlArg{Op: op, Datalen: int32(unsafe.Sizeof(part)), Data: (*byte)(unsafe.Pointer(&part))}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return errno
	}
	return nil
}

// waitNode waits until the device node can be opened. devtmpfs makes it at
// once; with udev or mdev it may take a moment.
func waitNode(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, nodeTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := os.OpenFile(node, os.O_RDWR, 0)
		if err == nil {
			return f.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("device node %s did not appear: %w (%v)", node, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// blockName is the kernel name behind a device node.
func blockName(node string) string {
	return strings.ReplaceAll(strings.TrimPrefix(node, "/dev/"), "/", "!")
}

func addPartition(disk string, p tablePart) (err error) {
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := blkpg(f, unix.BLKPG_ADD_PARTITION, p.number, p.start, p.size); err != nil {
		return fmt.Errorf("add partition %d: %w", p.number, err)
	}
	return nil
}

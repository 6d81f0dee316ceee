package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"
)

// Place is where a volume lies on its disk, by what Windows' boot configuration names it with.
type Place struct {
	Style  Style
	Start  int64    // of the partition, bytes from the beginning of the disk
	Disk   [16]byte // GUID of a GPT disk as its header holds it; the signature of an MBR disk in the first four bytes
	ID     [16]byte // GUID of a GPT partition as its table holds it
	Active bool     // MBR: what BIOS starts from
}

// Locate reads the partition table of a volume's disk.
func Locate(ctx context.Context, v Volume) (Place, error) {
	fail := func(err error) (Place, error) {
		return Place{}, fmt.Errorf("locate %s on %s: %w", v.Device, v.DiskPath, err)
	}
	out, err := run(ctx, tableTimeout, "", "sfdisk", "--json", v.DiskPath)
	if err != nil {
		return fail(err)
	}
	table, err := parseDump(out)
	if err != nil {
		return fail(err)
	}
	for _, p := range table.Partitions {
		if p.Node != partitionNode(v.DiskPath, v.Number) {
			continue
		}
		place := Place{Style: GPT, Start: p.Start * max(table.SectorSize, 512), Active: p.Bootable}
		if table.Label != "gpt" {
			place.Style = MBR
			var signature uint32
			if _, err := fmt.Sscanf(strings.ToLower(table.ID), "0x%x", &signature); err != nil {
				return fail(fmt.Errorf("the disk's signature is %.40q", table.ID))
			}
			binary.LittleEndian.PutUint32(place.Disk[:], signature)
			return place, nil
		}
		if place.Disk, err = mixedEndian(table.ID); err == nil {
			place.ID, err = mixedEndian(p.UUID)
		}
		if err != nil {
			return fail(err)
		}
		return place, nil
	}
	return fail(errors.New("its table has no such partition"))
}

// FirstPartition is where the first partition of a disk begins, in bytes.
func FirstPartition(ctx context.Context, path string) (int64, error) {
	out, err := run(ctx, tableTimeout, "", "sfdisk", "--json", path)
	var table dump
	if err == nil {
		table, err = parseDump(out)
	}
	first := int64(0)
	for _, p := range table.Partitions {
		if at := p.Start * max(table.SectorSize, 512); first == 0 || at < first {
			first = at
		}
	}
	if err == nil && first == 0 {
		err = errors.New("it has no partition")
	}
	if err != nil {
		return 0, fmt.Errorf("find the first partition of %s: %w", path, err)
	}
	return first, nil
}

// mixedEndian is a GUID as UEFI stores it: the first three groups with the low byte first (UEFI 2.10, appendix A).
func mixedEndian(text string) (b [16]byte, err error) {
	u, err := uuid.Parse(text)
	if err != nil {
		return b, fmt.Errorf("identifier %.60q: %w", text, err)
	}
	b = u
	b[0], b[1], b[2], b[3] = b[3], b[2], b[1], b[0]
	b[4], b[5], b[6], b[7] = b[5], b[4], b[7], b[6]
	return b, nil
}

// Activate makes a volume the one that BIOS starts from: the active partition of an MBR disk. No other is then.
func Activate(ctx context.Context, v Volume) error {
	if _, err := run(ctx, tableTimeout, "", "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--activate", v.DiskPath, fmt.Sprint(v.Number)); err != nil {
		return fmt.Errorf("make %s the active partition: %w", v.Device, err)
	}
	return nil
}

// WriteMBRLoader puts boot code into the first sector of an MBR disk and its continuation into the sectors behind it,
// which must be free: the table and the disk's signature stay.
func WriteMBRLoader(path string, boot, rest []byte, firstPartition int64) (err error) {
	const code = 440 // what of the first sector is code
	if len(boot) < code || int64(512+len(rest)) > firstPartition {
		return fmt.Errorf("write the loader of %s: it has %d bytes and the first partition begins at %d", path, 512+len(rest), firstPartition)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("write the loader of %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err = f.WriteAt(rest, 512); err == nil {
		if err = f.Sync(); err == nil { // the first sector leads to what is there already
			if _, err = f.WriteAt(boot[:code], 0); err == nil {
				err = f.Sync()
			}
		}
	}
	if err != nil {
		return fmt.Errorf("write the loader of %s: %w", path, err)
	}
	return nil
}

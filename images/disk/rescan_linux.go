package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Rescan finds the devices of a table again after a restart, when kernel names
// may have changed, by PARTUUID. Mount points are forgotten. A volume that is on
// none of the disks is an error that says which, and the table stays as it was.
func (t *VolumeTable) Rescan(ctx context.Context, sys System, disks []Disk) error {
	type place struct {
		disk Disk
		part tablePart
	}
	found := map[string]place{}
	for _, d := range disks {
		parts, err := readTable(ctx, d)
		if err != nil {
			return fmt.Errorf("rescan %s: %w", d, err)
		}
		for _, p := range parts {
			found[strings.ToLower(p.partUUID)] = place{d, p}
		}
	}
	next := t.Volumes()
	for i, v := range next {
		p, ok := found[strings.ToLower(v.PARTUUID)]
		if !ok {
			return fmt.Errorf("%w: partition %d of disk %d (partition identifier %s, %s) is on none of the disks; was the disk %s %s removed?",
				ErrNoVolume, v.Partition, v.Disk, v.PARTUUID, FormatSize(v.Size), v.DiskModel, v.DiskSerial)
		}
		next[i].DiskPath, next[i].Device, next[i].MountPoint = p.disk.Path, partitionNode(p.disk.Path, p.part.number), ""
		if err := ensureNode(ctx, p.disk, p.part); err != nil {
			return fmt.Errorf("rescan %s: %w", p.disk, err)
		}
	}
	t.volumes = next
	return nil
}

type tablePart struct {
	partUUID    string
	kind        string // GUID, or the MBR's type in hexadecimal
	name        string // GPT only
	number      int
	start, size int64 // bytes
}

// readTable reads the partition table with sfdisk. A disk without one has no
// partitions.
func readTable(ctx context.Context, d Disk) ([]tablePart, error) {
	out, err := run(ctx, tableTimeout, "", "sfdisk", "--json", d.Path)
	if err != nil {
		if strings.Contains(err.Error(), "does not contain a recognized partition table") {
			return nil, nil
		}
		return nil, err
	}
	return parseTable(out, d)
}

// dump is what sfdisk prints of a table.
type dump struct {
	Label      string `json:"label"`
	ID         string `json:"id"`
	SectorSize int64  `json:"sectorsize"`
	Partitions []struct {
		Node     string `json:"node"`
		Start    int64  `json:"start"`
		Size     int64  `json:"size"`
		UUID     string `json:"uuid"`
		Type     string `json:"type"`
		Name     string `json:"name"`
		Bootable bool   `json:"bootable"`
	} `json:"partitions"`
}

func parseDump(out string) (dump, error) {
	var doc struct {
		Table dump `json:"partitiontable"`
	}
	if i := strings.IndexByte(out, '{'); i > 0 {
		out = out[i:] // warnings come first
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		return doc.Table, fmt.Errorf("read partition table: %w", err)
	}
	return doc.Table, nil
}

func parseTable(out string, d Disk) ([]tablePart, error) {
	table, err := parseDump(out)
	if err != nil {
		return nil, err
	}
	var parts []tablePart
	for _, p := range table.Partitions {
		var number int
		rest := strings.TrimPrefix(p.Node, d.Path)
		if _, err := fmt.Sscanf(strings.TrimPrefix(rest, "p"), "%d", &number); err != nil || number < 1 || number > 128 {
			return nil, fmt.Errorf("read partition table: unexpected partition name %q", p.Node)
		}
		part := tablePart{partUUID: p.UUID, kind: p.Type, name: p.Name, number: number, start: p.Start * int64(d.SectorSize), size: p.Size * int64(d.SectorSize)}
		if table.Label == "dos" {
			part.partUUID = fmt.Sprintf("%s-%02x", strings.TrimPrefix(table.ID, "0x"), number)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// ensureNode adds the partition when the kernel did not read the table itself.
func ensureNode(ctx context.Context, d Disk, p tablePart) error {
	node := partitionNode(d.Path, p.number)
	if _, err := os.Stat("/sys/class/block/" + blockName(node)); errors.Is(err, os.ErrNotExist) {
		if err := addPartition(d.Path, p); err != nil {
			return err
		}
	}
	return waitNode(ctx, node)
}

package disk

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// GPT type identifiers (UEFI 2.10, 5.3.3; the discoverable partitions
// specification for the Linux ones).
const (
	guidBasicData  = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
	guidEFI        = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	guidMSR        = "E3C9E316-0B5C-4DB8-817D-F92DF00215AE"
	guidRecovery   = "DE94BBA4-06D1-4D4A-A16A-BFD50179D6AC"
	guidBIOSBoot   = "21686148-6449-6E6F-744E-656564454649"
	guidLinuxData  = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	guidLinuxSwap  = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
	guidRootAMD64  = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
	guidRootARM64  = "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"
	attrHidden     = "GUID:62,63" // hidden, and no drive letter
	attrRecovery   = "RequiredPartition GUID:63"
	attrLegacyBoot = "LegacyBIOSBootable"
)

func gptType(e Extent, arch string) (guid, attrs string) {
	switch e.Type {
	case EFI:
		return guidEFI, ""
	case MSR:
		return guidMSR, ""
	case BIOSBoot:
		return guidBIOSBoot, ""
	case Recovery:
		return guidRecovery, attrRecovery
	case LinuxRoot:
		if arch == "arm64" {
			return guidRootARM64, ""
		}
		return guidRootAMD64, ""
	}
	if e.Type == Hidden {
		attrs = attrHidden
	} else if e.Bootable {
		attrs = attrLegacyBoot
	}
	switch e.FileSystem {
	case EXT4, XFS, BTRFS:
		return guidLinuxData, attrs
	case Swap:
		return guidLinuxSwap, attrs
	}
	return guidBasicData, attrs
}

func mbrType(e Extent) string {
	switch {
	case e.Type == Extended:
		return "f"
	case e.Type == EFI:
		return "ef"
	case e.Type == Recovery:
		return "27"
	case e.Type == LinuxRoot:
		return "83"
	case e.Type == Hidden && e.FileSystem == FAT32:
		return "1c"
	case e.Type == Hidden && e.FileSystem == NTFS:
		return "17"
	}
	switch e.FileSystem {
	case FAT32:
		return "c"
	case EXT4, XFS, BTRFS:
		return "83"
	case Swap:
		return "82"
	}
	return "7"
}

// identity is what a table is written with. bootyard chooses the identifiers
// itself, so a volume is known by PARTUUID without reading the disk back.
type identity struct {
	label    string   // GUID of the GPT, or the MBR's 32 bits as 0x...
	partUUID []string // by position in Plan.Extents, as Linux writes PARTUUID
}

func newIdentity(p Plan) (identity, error) {
	if p.Style == MBR {
		var b [4]byte
		if _, err := rand.Read(b[:]); err != nil {
			return identity{}, fmt.Errorf("choose disk identifier: %w", err)
		}
		n := binary.BigEndian.Uint32(b[:]) | 1 // zero means: no identifier
		id := identity{label: fmt.Sprintf("0x%08x", n)}
		for _, e := range p.Extents {
			id.partUUID = append(id.partUUID, fmt.Sprintf("%08x-%02x", n, e.Number))
		}
		return id, nil
	}
	var id identity
	for range len(p.Extents) + 1 {
		u, err := uuid.NewRandom()
		if err != nil {
			return identity{}, fmt.Errorf("choose partition identifier: %w", err)
		}
		id.partUUID = append(id.partUUID, u.String())
	}
	id.label, id.partUUID = id.partUUID[0], id.partUUID[1:]
	return id, nil
}

// script writes the plan in sfdisk's language (sfdisk(8), "Header lines").
func script(p Plan, id identity) string {
	var b strings.Builder
	if p.Style == GPT {
		fmt.Fprintf(&b, "label: gpt\nlabel-id: %s\nunit: sectors\n", id.label)
	} else {
		fmt.Fprintf(&b, "label: dos\nlabel-id: %s\nunit: sectors\n", id.label)
	}
	for i, e := range p.Extents {
		fmt.Fprintf(&b, "%d : start=%d, size=%d", e.Number, e.Start, e.Size)
		if p.Style == MBR {
			fmt.Fprintf(&b, ", type=%s", mbrType(e))
			if e.Bootable && e.Type != Extended && e.Type != Logical {
				b.WriteString(", bootable")
			}
			b.WriteByte('\n')
			continue
		}
		guid, attrs := gptType(e, p.Arch)
		fmt.Fprintf(&b, ", type=%s, uuid=%s", guid, id.partUUID[i])
		if attrs != "" {
			fmt.Fprintf(&b, ", attrs=\"%s\"", attrs)
		}
		if name := gptName(e); name != "" {
			fmt.Fprintf(&b, ", name=\"%s\"", name)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// gptName is the partition's name in the table: 36 UTF-16 units at most.
func gptName(e Extent) string {
	name := e.Name
	if name == "" {
		name = string(e.Type)
	}
	var b strings.Builder
	for _, r := range name {
		if r < ' ' || r == '"' || r == '\\' || r > 0xffff || b.Len() >= 36 {
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

package disk

import (
	"fmt"
	"strings"
)

// Style is the kind of partition table.
type Style string

// The two kinds of partition table (OSDPartitionStyle).
const (
	GPT Style = "GPT"
	MBR Style = "MBR"
)

// Type is what a partition is for (OSDPartitions<i>Type).
type Type string

// The partition types of Configuration Manager, and bootyard's BIOSBoot (where
// GRUB keeps its core image on a GPT disk that BIOS boots) and LinuxRoot.
const (
	Primary   Type = "Primary"
	Extended  Type = "Extended"
	Logical   Type = "Logical"
	Hidden    Type = "Hidden"
	EFI       Type = "EFI"
	MSR       Type = "MSR"
	Recovery  Type = "Recovery"
	BIOSBoot  Type = "BIOSBoot"
	LinuxRoot Type = "LinuxRoot"
)

// FileSystem is what a partition is formatted with (OSDPartitions<i>FileSystem).
type FileSystem string

// The file systems; NoFileSystem leaves the partition unformatted.
const (
	NoFileSystem FileSystem = ""
	NTFS         FileSystem = "NTFS"
	FAT32        FileSystem = "FAT32"
	EXT4         FileSystem = "EXT4"
	XFS          FileSystem = "XFS"
	BTRFS        FileSystem = "BTRFS"
	Swap         FileSystem = "SWAP"
)

// Unit says how Size.Value is meant.
type Unit string

// The units of OSDPartitions<i>SizeUnits. MB and GB are 2^20 and 2^30 bytes, as
// disk tools of the model count; Percent is of the space still free.
const (
	MB      Unit = "MB"
	GB      Unit = "GB"
	Percent Unit = "Percent"
)

// Size is the wanted size of a partition. The zero value means: all that is left.
type Size struct {
	Value uint64
	Unit  Unit // empty means MB
}

// Partition is one wanted partition.
type Partition struct {
	Type           Type
	FileSystem     FileSystem
	Bootable       bool // MBR: active
	QuickFormat    bool // kept for the sequence; Linux file systems know only the quick one
	Name           string
	Size           Size
	NoLetter       bool   // AssignVolumeLetter is false
	LetterVariable string // receives the letter
}

// Layout is the wanted content of one disk. The whole disk is wiped for it.
type Layout struct {
	Style       Style
	GPTBootDisk bool   // add an EFI partition in front when the list has none
	Arch        string // GOARCH of the OS, for the type of LinuxRoot; empty means amd64
	Partitions  []Partition
}

// ParseStyle reads OSDPartitionStyle, any case.
func ParseStyle(s string) (Style, error) {
	return parse("partition style", s, GPT, MBR)
}

// ParseType reads OSDPartitions<i>Type, any case.
func ParseType(s string) (Type, error) {
	return parse("partition type", s, Primary, Extended, Logical, Hidden, EFI, MSR, Recovery, BIOSBoot, LinuxRoot)
}

// ParseFileSystem reads OSDPartitions<i>FileSystem, any case; absent means not
// formatted.
func ParseFileSystem(s string) (FileSystem, error) {
	if s == "" {
		return NoFileSystem, nil
	}
	return parse("file system", s, NTFS, FAT32, EXT4, XFS, BTRFS, Swap)
}

// ParseUnit reads OSDPartitions<i>SizeUnits, any case; exports also say "%".
// Absent means MB.
func ParseUnit(s string) (Unit, error) {
	switch s {
	case "":
		return MB, nil
	case "%":
		return Percent, nil
	}
	return parse("size unit", s, MB, GB, Percent)
}

func parse[T ~string](what, s string, known ...T) (T, error) {
	names := make([]string, len(known))
	for i, k := range known {
		if strings.EqualFold(strings.TrimSpace(s), string(k)) {
			return k, nil
		}
		names[i] = string(k)
	}
	return "", fmt.Errorf("unknown %s %q; use one of %s", what, s, strings.Join(names, ", "))
}

// check finds contradictions that no disk size could cure.
func (l Layout) check() error {
	if l.Style != GPT && l.Style != MBR {
		return fmt.Errorf("layout has no partition style; use GPT or MBR")
	}
	if len(l.Partitions) == 0 {
		return fmt.Errorf("layout has no partitions")
	}
	slots, extended := 0, false
	for i, p := range l.Partitions {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("partition %d (%s): %s", i+1, p.label(), fmt.Sprintf(format, args...))
		}
		if _, err := ParseType(string(p.Type)); err != nil {
			return fail("%v", err)
		}
		if _, err := ParseFileSystem(string(p.FileSystem)); err != nil {
			return fail("%v", err)
		}
		if _, err := ParseUnit(string(p.Size.Unit)); err != nil {
			return fail("%v", err)
		}
		if p.Size.Unit == Percent && p.Size.Value > 100 {
			return fail("size is %d percent of what is free; use 1 to 100", p.Size.Value)
		}
		if strings.ContainsAny(p.Name, "\"\\\n\r\x00") || len(p.Name) > 255 {
			return fail("volume name holds characters that a label cannot have, or is longer than 255")
		}
		raw := p.Type == Extended || p.Type == MSR || p.Type == BIOSBoot
		if raw && p.FileSystem != NoFileSystem {
			return fail("a partition of this type is not formatted; remove the file system")
		}
		if p.Type == EFI && p.FileSystem != FAT32 && p.FileSystem != NoFileSystem {
			return fail("firmware reads FAT32 only; use FAT32")
		}
		if l.Style == GPT {
			if p.Type == Extended || p.Type == Logical {
				return fail("GPT has no extended or logical partitions; use Primary, or MBR style")
			}
			continue
		}
		switch p.Type {
		case MSR, BIOSBoot:
			return fail("this type exists with GPT only; remove it or use GPT style")
		case Logical:
			if !extended {
				return fail("a logical partition needs an extended one before it")
			}
			continue
		case Extended:
			if extended {
				return fail("there can be one extended partition only")
			}
			extended = true
		}
		if slots++; slots > 4 {
			return fail("MBR has room for four partitions; use an extended one with logical ones in it, or GPT style")
		}
	}
	if l.Style == GPT && len(l.Partitions) > 127 {
		return fmt.Errorf("layout has %d partitions; GPT has room for 128 with the EFI partition", len(l.Partitions))
	}
	return nil
}

func (p Partition) label() string {
	if p.Name != "" {
		return string(p.Type) + " " + p.Name
	}
	return string(p.Type)
}

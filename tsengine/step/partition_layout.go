package step

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
)

const maxPartitions = 128 // entries of a GPT

type layout struct {
	request   machine.DiskRequest
	letters   []bool   // AssignVolumeLetter of each partition
	variables []string // VolumeLetterVariable of each partition
}

// readLayout turns the variables of the step into a request. OSDPartitions set as a global variable replaces the whole
// layout: then only globals count.
func readLayout(c *Context) (*layout, error) {
	value := c.Input
	count := c.Argument("OSDPartitions")
	if text, ok := c.Variables.LookupGlobal("OSDPartitions"); ok {
		count = text
		value = func(name string) string {
			v, _ := c.Variables.LookupGlobal(name)
			return c.Variables.Expand(v)
		}
	}
	l := &layout{}
	if err := l.readDisk(c); err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if strings.TrimSpace(count) == "" {
		n, err = 0, nil
		for value(fmt.Sprintf("OSDPartitions%dType", n)) != "" && n < maxPartitions { // older exports do not count
			n++
		}
	}
	if err != nil || n < 1 || n > maxPartitions {
		return nil, fmt.Errorf("OSDPartitions is %q; the number of partitions, 1 to %d, is expected", count, maxPartitions)
	}
	for i := range n {
		input := func(property string) string {
			return strings.TrimSpace(value(fmt.Sprintf("OSDPartitions%d%s", i, property)))
		}
		p, err := readPartition(input, l.request.Style)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", i+1, err)
		}
		if p.Rest && i < n-1 && p.Type != machine.Extended {
			return nil, fmt.Errorf("partition %d has no size and takes all that is left, but partition %d follows; give it a size", i+1, i+2)
		}
		assign, err := truth(input("AssignVolumeLetter"), true)
		if err != nil {
			return nil, fmt.Errorf("partition %d: AssignVolumeLetter: %w", i+1, err)
		}
		l.request.Partitions = append(l.request.Partitions, p)
		l.letters = append(l.letters, assign)
		l.variables = append(l.variables, input("VolumeLetterVariable"))
	}
	return l, l.check(c)
}

func (l *layout) readDisk(c *Context) error {
	text := strings.TrimSpace(c.Input("OSDDiskIndex"))
	if name := strings.TrimSpace(c.Argument("DiskIndexVariable")); name != "" {
		if text = strings.TrimSpace(c.Input(name)); text == "" {
			return fmt.Errorf("the disk number is to come from variable %s, which is not set", name)
		}
	}
	if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 10000 {
			return fmt.Errorf("OSDDiskIndex is %q; a disk number from 0 to 10000 is expected", text)
		}
		l.request.Disk = &n
	}
	switch style := strings.ToUpper(strings.TrimSpace(c.Input("OSDPartitionStyle"))); style {
	case "GPT", "MBR":
		l.request.Style = machine.Style(style)
	case "":
		// The style that the machine can start from.
		l.request.Style = machine.MBR
		if c.UEFI {
			l.request.Style = machine.GPT
		}
	default:
		return fmt.Errorf("OSDPartitionStyle is %q; MBR or GPT is expected", style)
	}
	return nil
}

// check looks at the layout as a whole, and adds the EFI partition that OSDGPTBootDisk asks for.
func (l *layout) check(c *Context) error {
	boot, err := truth(strings.TrimSpace(c.Input("OSDGPTBootDisk")), false)
	if err != nil {
		return fmt.Errorf("OSDGPTBootDisk: %w", err)
	}
	efi, percent := false, 0
	for _, p := range l.request.Partitions {
		efi = efi || p.Type == machine.EFI
		percent = max(percent, p.Percent)
	}
	if boot && l.request.Style == machine.GPT && !efi {
		l.request.Partitions = append([]machine.Partition{{Type: machine.EFI, FileSystem: "FAT32", Name: "EFI", Bytes: 512 << 20}}, l.request.Partitions...)
		l.letters = append([]bool{false}, l.letters...)
		l.variables = append([]string{""}, l.variables...)
	}
	if l.request.Style == machine.MBR && len(l.request.Partitions) > 4 {
		for _, p := range l.request.Partitions {
			if p.Type == machine.Extended {
				return nil
			}
		}
		return errors.New("an MBR disk holds four primary partitions; use an extended one or GPT")
	}
	return nil
}

func readPartition(input func(string) string, style machine.Style) (machine.Partition, error) {
	p := machine.Partition{Name: input("VolumeName")}
	var err error
	if p.Type, err = readType(input("Type"), style); err != nil {
		return p, err
	}
	switch fs := strings.ToUpper(input("FileSystem")); fs {
	case "", "NTFS", "FAT32", "EXT4", "XFS", "BTRFS", "SWAP":
		p.FileSystem = fs
	case "NONE", "RAW":
	default:
		return p, fmt.Errorf("file system %q is unknown; NTFS, FAT32, EXT4, XFS, BTRFS and SWAP exist", fs)
	}
	switch p.Type {
	case machine.EFI:
		if p.FileSystem == "" {
			p.FileSystem = "FAT32" // firmware reads nothing else
		}
	case machine.MSR, machine.BIOSBoot, machine.Extended:
		p.FileSystem = ""
	}
	if p.Bootable, err = truth(input("Bootable"), false); err != nil {
		return p, fmt.Errorf("Bootable: %w", err)
	}
	if p.QuickFormat, err = truth(input("QuickFormat"), true); err != nil {
		return p, fmt.Errorf("QuickFormat: %w", err)
	}
	return p, readSize(&p, input("Size"), input("SizeUnits"))
}

func readType(text string, style machine.Style) (machine.PartitionType, error) {
	if text == "" {
		return machine.Primary, nil
	}
	for _, t := range []machine.PartitionType{machine.Primary, machine.Extended, machine.Logical, machine.Hidden,
		machine.EFI, machine.MSR, machine.Recovery, machine.BIOSBoot, machine.LinuxRoot} {
		if !strings.EqualFold(text, string(t)) {
			continue
		}
		switch t {
		case machine.EFI, machine.MSR, machine.BIOSBoot, machine.LinuxRoot:
			if style != machine.GPT {
				return "", fmt.Errorf("type %s exists on GPT disks only", t)
			}
		case machine.Extended, machine.Logical:
			if style != machine.MBR {
				return "", fmt.Errorf("type %s exists on MBR disks only", t)
			}
		}
		return t, nil
	}
	return "", fmt.Errorf("type %q is unknown; Primary, Extended, Logical, Hidden, EFI, MSR, Recovery, BIOSBoot and LinuxRoot exist", text)
}

// readSize reads size and unit: megabytes unless said otherwise, a percentage of what is still free, or no size for all
// that is left.
func readSize(p *machine.Partition, size, unit string) error {
	if size == "" {
		p.Rest = true
		return nil
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 1 || n > 1<<30 {
		return fmt.Errorf("size %q is not a positive number", size)
	}
	switch strings.ToUpper(unit) {
	case "", "MB":
		p.Bytes = n << 20
	case "GB":
		p.Bytes = n << 30
	case "PERCENT", "%":
		if n > 100 {
			return fmt.Errorf("size of %d percent is more than there is", n)
		}
		p.Percent = int(n)
	default:
		return fmt.Errorf("size unit %q is unknown; MB, GB and Percent exist", unit)
	}
	return nil
}

func truth(text string, other bool) (bool, error) {
	switch strings.ToLower(text) {
	case "":
		return other, nil
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

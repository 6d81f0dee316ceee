package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// PartitionDisk is Format and Partition Disk: it wipes one disk and lays it out anew. After an interruption it may run
// again, because until it has finished nothing else can be on the disk.
type PartitionDisk struct{}

// Contract implements Step.
func (PartitionDisk) Contract() Contract {
	return Contract{Type: "PartitionDiskAction", RunIn: sequence.WinPE, Effect: true, Repeatable: true, Component: smstslog.OSDDisk}
}

// Run implements Step.
func (PartitionDisk) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Disks == nil {
		return Failure(CodeEnvironment, errors.New("disks can be partitioned only in the boot environment (TS-21)"))
	}
	layout, err := readLayout(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	c.Log(smstslog.Info, fmt.Sprintf("Partitioning %s as %s with %d partitions", diskName(layout.request.Disk), layout.request.Style, len(layout.request.Partitions)))
	// From the first byte written there is no installed agent to restart into.
	*c.AgentOnDisk = false
	volumes, err := c.Machine.Disks.Partition(ctx, layout.request, c.Progress)
	if err != nil {
		return Failure(CodeFailed, err)
	}
	if len(volumes) != len(layout.request.Partitions) {
		return Failure(CodeFailed, fmt.Errorf("the disk came back with %d partitions instead of %d", len(volumes), len(layout.request.Partitions)))
	}
	return layout.assign(c, volumes)
}

func diskName(index *int) string {
	if index == nil {
		return "the only disk"
	}
	return fmt.Sprintf("disk %d", *index)
}

// assign gives letters in index order, the next free ones, and tells them to the variables that ask for them.
func (l *layout) assign(c *Context, volumes []machine.Volume) Outcome {
	if len(volumes) > 0 {
		c.Volumes.Replace(volumes[0].Disk, nil) // letters of the old layout are free again
	}
	for i, v := range volumes {
		p := l.request.Partitions[i]
		v.Letter = ""
		v.Type, v.FileSystem, v.Name = p.Type, p.FileSystem, p.Name
		if l.letters[i] && p.FileSystem != "" && p.FileSystem != "SWAP" {
			if v.Letter = c.Volumes.FreeLetter(); v.Letter == "" {
				return Failure(CodeFailed, errors.New("no drive letter is free for the partition; set AssignVolumeLetter to false where none is needed"))
			}
		}
		c.Volumes.Volumes = append(c.Volumes.Volumes, v)
		c.Log(smstslog.Info, fmt.Sprintf("Partition %d: %s %s '%s' %s %s", v.Partition, v.Type, v.FileSystem, v.Name, v.Letter, v.Device))
		name := l.variables[i]
		if name == "" {
			continue
		}
		value := v.Letter
		if value == "" {
			value = fmt.Sprintf("%d,%d", v.Disk, v.Partition) // a partition without letter is still a destination
		}
		if err := c.Variables.Assign(variable.Assignment{Name: name, Value: value}); err != nil {
			return Failure(CodeInvalid, fmt.Errorf("letter variable of partition %d: %w", i+1, err))
		}
	}
	return Outcome{}
}

package agent

import (
	"context"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// workplace hears of what capabilities do to the machine's disks.
type workplace struct {
	begin func() // writing to a disk begins
	// unmounts and mounted are called around what takes all volumes away for a while.
	unmounts, mounted func()
}

// working has p told of the work of c.
func working(c machine.Capabilities, p workplace) machine.Capabilities {
	if c.Disks != nil {
		disks := workingDisks{c.Disks, p}
		if s, ok := c.Disks.(machine.Stateful); ok {
			c.Disks = struct {
				workingDisks
				machine.Stateful
			}{disks, s}
		} else {
			c.Disks = disks
		}
	}
	if c.Images != nil {
		images := workingImages{c.Images, p}
		if s, ok := c.Images.(machine.Stateful); ok {
			c.Images = struct {
				workingImages
				machine.Stateful
			}{images, s}
		} else {
			c.Images = images
		}
	}
	return c
}

type workingDisks struct {
	machine.Disks
	workplace
}

func (d workingDisks) Partition(ctx context.Context, request machine.DiskRequest, progress machine.Progress) ([]machine.Volume, error) {
	d.begin()
	d.unmounts()
	defer d.mounted()
	return d.Disks.Partition(ctx, request, progress)
}

type workingImages struct {
	machine.Images
	workplace
}

func (i workingImages) Apply(ctx context.Context, request machine.ApplyRequest, progress machine.Progress) (machine.Applied, error) {
	i.begin()
	i.unmounts() // an image of a whole disk, or of a file system, takes the volume with the log away
	defer i.mounted()
	return i.Images.Apply(ctx, request, progress)
}

package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// ApplyData is Apply Data Image: files only, nothing is made bootable. It may run again after an interruption, for it
// writes the same files.
type ApplyData struct{}

// Contract implements Step.
func (ApplyData) Contract() Contract {
	return Contract{Type: "ApplyDataImageAction", RunIn: sequence.WinPE, Effect: true, Repeatable: true, Component: smstslog.ApplyOS}
}

// Run implements Step.
func (ApplyData) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Images == nil {
		return Failure(CodeEnvironment, errors.New("an image can be applied only in the boot environment (TS-21)"))
	}
	r := machine.ApplyRequest{PackageID: strings.TrimSpace(c.Argument("ImagePackageID")), Data: true}
	if r.PackageID == "" {
		// Older exports have the id only in the action: /data:<pkg>,%OSDDataImageIndex%.
		_, rest, _ := strings.Cut(c.Node.Action, "/data:")
		if r.PackageID, _, _ = strings.Cut(rest, ","); r.PackageID == "" {
			return Failure(CodeInvalid, fmt.Errorf("step %q names no image package; choose one", c.Node.Name))
		}
	}
	wipe, err := c.InputBool("OSDWipeDestinationPartition", true)
	if err == nil {
		r.Keep = !wipe
		r.Index, err = c.InputInt("OSDDataImageIndex", 1, 1<<31-1, 1)
	}
	if err == nil {
		r.Target, err = destination(c)
	}
	if err == nil && r.Target.Partition == 0 {
		err = errors.New("there is no formatted partition for the data; put a Format and Partition Disk step before this one or name the destination")
	}
	if err == nil && r.Target.Volume != nil && r.Target.Volume.HasOS && wipe {
		err = fmt.Errorf("disk %d, partition %d holds the operating system that this sequence applied, and the step would delete it; name another destination or switch OSDWipeDestinationPartition off", r.Target.Disk, r.Target.Partition)
	}
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	return applyImage(ctx, c, r)
}

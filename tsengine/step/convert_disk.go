package step

import (
	"context"
	"fmt"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// ConvertDisk is Convert Disk to Dynamic, which only Windows knows.
type ConvertDisk struct{}

// Contract implements Step.
func (ConvertDisk) Contract() Contract {
	return Contract{Type: "ConvertDiskAction", Effect: true, Component: "OSDDiskPart"}
}

// Run implements Step.
func (ConvertDisk) Run(ctx context.Context, c *Context) Outcome {
	if out := windowsOnly(c, "converting a disk to a dynamic one"); out != nil {
		return *out
	}
	disk, err := c.InputInt("OSDConvertDiskIndex", 0, 10000, 0)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	p := machine.Program{Name: "diskpart.exe", Input: fmt.Sprintf("select disk %d\nconvert dynamic\nexit\n", disk)}
	return startProgram(ctx, c, p, codes{0x80070057: "diskpart did not take a command", 0x8007048F: "there is no such disk"}, fmt.Sprintf("diskpart.exe: select disk %d, convert dynamic", disk))
}

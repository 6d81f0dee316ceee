package step

import (
	"context"
	"errors"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// SetupOS is Setup Windows and ConfigMgr in its Linux meaning, "Set up OS and agent" (TS-118a): it puts the agent into
// the applied operating system and asks for the restart into it. An error is always fatal (TS-46). Putting the same
// files there twice does no harm, so it may be repeated; and when power failed between its end and its record, the agent
// that runs from the disk is the proof that it had ended.
type SetupOS struct{}

// Contract implements Step.
func (SetupOS) Contract() Contract {
	return Contract{Type: "SetupWindowsAndSMSAction", RunIn: sequence.WinPE, Effect: true, Repeatable: true, Fatal: true, EntersOS: true, Component: smstslog.SetupOS}
}

// Run implements Step.
func (SetupOS) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.OSSetup == nil {
		return Failure(CodeEnvironment, errors.New("an operating system can be set up only in the boot environment (TS-21)"))
	}
	system := c.Volumes.System()
	if system == nil {
		return Failure(CodeInvalid, errors.New("no operating system was applied by this sequence; put an Apply Operating System Image step before this one"))
	}
	request := machine.SetupRequest{
		Target:       *system,
		Volumes:      append([]machine.Volume(nil), c.Volumes.Volumes...),
		ComputerName: c.ComputerName(),
	}
	// A client package is that of another product unless the appliance can deliver it; only then it is used.
	if id := strings.TrimSpace(c.Input("_SMSClientPackageID")); id != "" {
		request.ClientPackageID = id
	}
	if c.Machine.Settings != nil {
		if err := c.Machine.Settings.ExpandAnswers(ctx, *system, c.Variables.Expand); err != nil {
			return Failure(CodeFailed, err)
		}
	}
	c.Log(smstslog.Info, "Installing the agent into the operating system on "+system.Letter)
	if err := c.Machine.OSSetup.Setup(ctx, request, c.Progress); err != nil {
		return Failure(CodeFailed, err)
	}
	*c.AgentOnDisk = true
	return Outcome{Restart: &Restart{Target: HD}}
}

package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// PrepareOS is Prepare Windows for Capture, and the same for Linux: it takes away what no two machines may share (on
// Windows by Sysprep), then restarts to the boot image, where the capture is done, or shuts down.
type PrepareOS struct{}

// Contract implements Step. Sysprep must not run twice in a row; on Linux it may, but the step does not know before.
func (PrepareOS) Contract() Contract {
	return Contract{Type: "PrepareOSAction", RunIn: sequence.FullOS, Effect: true, Component: "OSDPrepareOS"}
}

// Run implements Step.
func (PrepareOS) Run(ctx context.Context, c *Context) Outcome {
	activation, err1 := c.InputBool("OSDKeepActivation", false)
	shutdown, err2 := c.InputBool("OSDShutdownPreparedOs", false)
	_, err3 := c.InputBool("OSDBuildStorageDriverList", false) // for Windows XP; read so that a wrong value is found
	if err := errors.Join(err1, err2, err3); err != nil {
		return Failure(CodeInvalid, err)
	}
	root := "/"
	switch {
	case c.Machine.Programs != nil && c.Machine.Programs.Windows():
		if out := sysprep(ctx, c, activation); out.Err != nil {
			return out
		}
		root = `C:\Windows`
	case c.Machine.Preparation != nil:
		notes, err := c.Machine.Preparation.PrepareOS(ctx)
		for _, note := range notes {
			c.Log(smstslog.Info, note)
		}
		if err != nil {
			return Failure(CodeFailed, fmt.Errorf("prepare the system for capture: %w", err))
		}
	default:
		return Failure(CodeEnvironment, errors.New("there is no installed system here that could be prepared for capture (TS-21)"))
	}
	if err := c.Variables.Set("OSDTargetSystemRoot", root); err != nil {
		return Failure(CodeFailed, err)
	}
	// What is prepared must not start again before it is captured: only the boot environment may come next.
	*c.AgentOnDisk = false
	return Outcome{Restart: &Restart{Target: BootImage, PowerOff: shutdown}}
}

var sysprepCodes = codes{
	1:          "Sysprep refused; see %WINDIR%\\System32\\Sysprep\\Panther\\setuperr.log (often an app that was installed for one user only)",
	0x80073CF2: "an app was installed for one user only; remove it or provision it for all",
}

func sysprep(ctx context.Context, c *Context, keepActivation bool) Outcome {
	if c.Machine.Capture != nil {
		n, err := c.Machine.Capture.CaptureNetwork(ctx)
		if err != nil {
			return Failure(CodeFailed, err)
		}
		if n.Join == machine.JoinDomain {
			return Failure(CodeInvalid, fmt.Errorf("this computer is a member of the domain %s; Sysprep needs a member of a workgroup", n.Domain))
		}
	}
	if keepActivation {
		p := machine.Program{Name: "reg.exe", Args: []string{"add", `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform`, "/v", "SkipRearm", "/t", "REG_DWORD", "/d", "1", "/f"}}
		if out := startProgram(ctx, c, p, nil, ""); out.Err != nil {
			return out
		}
	}
	p := machine.Program{Name: `C:\Windows\System32\Sysprep\sysprep.exe`, Args: []string{"/quiet", "/generalize", "/oobe", "/quit"}, Timeout: day}
	return startProgram(ctx, c, p, sysprepCodes, "")
}

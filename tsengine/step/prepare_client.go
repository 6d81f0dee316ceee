package step

import (
	"context"
	"errors"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// PrepareClient is Prepare ConfigMgr Client for Capture. On Windows it takes the identity of a Configuration Manager
// client away, or uninstalls it. On Linux there is no such client: bootyard's agent is left out of images by Prepare
// Windows for Capture, and the step says so.
type PrepareClient struct{}

// Contract implements Step.
func (PrepareClient) Contract() Contract {
	return Contract{Type: "PrepareSMSClientAction", RunIn: sequence.FullOS, Effect: true, Repeatable: true, Component: "OSDPrepareSMSClient"}
}

// Run implements Step.
func (PrepareClient) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Programs == nil || !c.Machine.Programs.Windows() {
		if c.Machine.Preparation == nil {
			return Failure(CodeEnvironment, errors.New("there is no installed system here that could be prepared for capture (TS-21)"))
		}
		c.Log(smstslog.Info, "Linux has no ConfigMgr client; the agent's own identity is taken away by Prepare Windows for Capture")
		return Outcome{}
	}
	if c.Variables.True("SMSTSUninstallCCMClient") {
		p := machine.Program{Name: `C:\Windows\ccmsetup\ccmsetup.exe`, Args: []string{"/uninstall"}}
		return startProgram(ctx, c, p, codes{7: "a restart is needed first"}, "")
	}
	return startProgram(ctx, c, powerShell("if (Get-Service CcmExec -ErrorAction SilentlyContinue) { Stop-Service CcmExec -Force }; "+
		"Remove-Item \"$env:windir\\SMSCFG.ini\" -Force -ErrorAction SilentlyContinue; "+
		"if (Test-Path Cert:\\LocalMachine\\SMS) { Get-ChildItem Cert:\\LocalMachine\\SMS | Remove-Item -Force }"), nil, "taking the identity of the ConfigMgr client away")
}

// InstallDeployTools is Install Deployment Tools, which brought Sysprep to Windows XP. Newer systems have what they need,
// and the step makes sure of that.
type InstallDeployTools struct{}

// Contract implements Step.
func (InstallDeployTools) Contract() Contract {
	return Contract{Type: "InstallDeployToolsAction", RunIn: sequence.FullOS, Component: "OSDPrepareOS"}
}

// Run implements Step.
func (InstallDeployTools) Run(_ context.Context, c *Context) Outcome {
	switch {
	case c.Machine.Programs != nil && c.Machine.Programs.Windows():
		const tool = `C:\Windows\System32\Sysprep\sysprep.exe`
		if !c.Machine.Programs.Find(tool) {
			return Failure(CodeNotFound, errors.New(tool+" is not there; this step is for Windows Vista or later, which brings it along"))
		}
		c.Log(smstslog.Info, tool+" is part of this Windows: nothing is installed")
	case c.Machine.Preparation != nil:
		c.Log(smstslog.Info, "Linux needs no deployment tools: nothing is installed")
	default:
		return Failure(CodeEnvironment, errors.New("there is no installed system here that could be prepared for capture (TS-21)"))
	}
	return Outcome{}
}

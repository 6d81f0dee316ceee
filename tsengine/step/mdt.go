package step

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// toolkitScript finds the script of MDT or PSD in an action or a script name.
var toolkitScript = regexp.MustCompile(`(?i)\b((?:ZTI|LTI|PSD)[a-z0-9_]+)\.(?:wsf|ps1)\b`)

// mdtStep returns the steps of MDT and PSD: by type, else by script name (section 14). Those that have a type of
// Configuration Manager were found by that before. Nil for any other step.
func mdtStep(n *sequence.Node) Step {
	script := scriptOf(n)
	kind := strings.ToLower(n.ShortType())
	switch {
	case kind == "bdd_gather" || script == "ztigather" || script == "psdgather":
		return Gather{}
	case kind == "bdd_validate" || script == "ztivalidate":
		return Validate{}
	case script == "ztinextphase" || script == "psdnextphase":
		return NextPhase{}
	case strings.HasPrefix(kind, "bdd_"), script != "" && (kind == "" || kind == "runcommandlineaction"):
		return ToolkitScript{}
	}
	return nil
}

// scriptOf is the script's name in lower case, without its ending; empty when there is none.
func scriptOf(n *sequence.Node) string {
	name, _ := n.Input("ScriptName")
	for _, text := range []string{name, n.Action} {
		if m := toolkitScript.FindStringSubmatch(text); m != nil {
			return strings.ToLower(m[1])
		}
	}
	return ""
}

// ToolkitScript is a step whose work only MDT's or PSD's own script can do. On Windows it runs as written when
// %SCRIPTROOT% is defined; anywhere else it fails, so that no deployment looks complete that is not.
type ToolkitScript struct{}

// Contract implements Step.
func (ToolkitScript) Contract() Contract {
	return Contract{Effect: true, Component: smstslog.CommandRun}
}

// Run implements Step.
func (ToolkitScript) Run(ctx context.Context, c *Context) Outcome {
	what := "step type " + c.Node.ShortType()
	if script := scriptOf(c.Node); script != "" {
		what = "script " + script
	}
	if out := windowsOnly(c, what+" of the deployment toolkit (MDT or PSD)"); out != nil {
		if replacement := replacements[scriptOf(c.Node)]; replacement != "" {
			out.Err = fmt.Errorf("%w; here %s does the same", out.Err, replacement)
		}
		return *out
	}
	if strings.Contains(strings.ToUpper(c.Node.Action), "%SCRIPTROOT%") && c.Variables.Value("SCRIPTROOT") == "" {
		return Failure(CodeNotFound, fmt.Errorf("%s needs the toolkit's scripts and SCRIPTROOT is not set; set it to their folder", what))
	}
	return RunCommandLine{}.Run(ctx, c)
}

// replacements are the steps of ours that do what a script does.
var replacements = map[string]string{
	"ltiapply": "Apply Operating System Image", "ztidiskpart": "Format and Partition Disk", "psdapplications": "Install Application",
	"ztiapplications": "Install Application", "ztiwindowsupdate": "Install Software Updates", "psdwindowsupdate": "Install Software Updates",
	"ztidrivers": "Apply Driver Package", "psddrivers": "Apply Driver Package", "zticonfigure": "Apply Windows Settings and Apply Network Settings",
	"psdconfigure": "Apply Windows Settings and Apply Network Settings", "ztidomainjoin": "Join Domain or Workgroup",
	"ztiuserstate": "Capture User State or Restore User State", "psduserstate": "Capture User State or Restore User State",
	"ltisysprep": "Prepare Windows for Capture", "ztibackup": "Capture Operating System Image", "ztipowershell": "Run PowerShell Script",
}

// phases are the values of PHASE in their order (TS-180).
var phases = [...]string{"INITIALIZATION", "VALIDATION", "STATECAPTURE", "PREINSTALL", "INSTALL", "POSTINSTALL", "STATERESTORE"}

// NextPhase moves PHASE on (TS-181). In the last phase it stays.
type NextPhase struct{}

// Contract implements Step.
func (NextPhase) Contract() Contract { return Contract{Component: "ZTINextPhase"} }

// Run implements Step.
func (NextPhase) Run(_ context.Context, c *Context) Outcome {
	now := strings.TrimSpace(c.Variables.Value("PHASE"))
	for i, phase := range phases {
		if !strings.EqualFold(phase, now) {
			continue
		}
		next := phases[min(i+1, len(phases)-1)]
		c.Log(smstslog.Info, fmt.Sprintf("PHASE moves from %s to %s", phase, next))
		if err := c.Variables.Set("PHASE", next); err != nil {
			return Failure(CodeFailed, err)
		}
		return Outcome{}
	}
	return Failure(CodeInvalid, fmt.Errorf("PHASE is %q, which no phase follows; put a Gather step before this one or set PHASE (TS-180)", now))
}

// Validate is MDT's Validate: memory, processor speed and kind of system are enough for the image.
type Validate struct{}

// Contract implements Step.
func (Validate) Contract() Contract { return Contract{Type: "BDD_Validate", Component: "ZTIValidate"} }

// Run implements Step. All checks are made and logged; a fact that is unknown does not pass.
func (Validate) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Readiness == nil {
		return Failure(CodeEnvironment, errors.New("this environment cannot find out what the machine has"))
	}
	facts, err := c.Machine.Readiness.Readiness(ctx)
	if err != nil {
		return Failure(CodeFailed, err)
	}
	var bad []string
	for _, check := range []struct {
		input, what string
		have        *int64
	}{
		{"ImageMemory", "memory in MB", facts.MemoryMB}, {"ImageProcessorSpeed", "processor speed in MHz", facts.ProcessorMHz}, {"ImageSize", "free disk space in MB", facts.FreeDiskMB},
	} {
		want, err := c.InputInt(check.input, 0, 1<<30, 0)
		if err != nil {
			return Failure(CodeInvalid, err)
		}
		switch {
		case want == 0:
		case check.have == nil:
			bad = append(bad, check.what+" is unknown")
		case *check.have < int64(want):
			bad = append(bad, fmt.Sprintf("%s is %d and %d is needed", check.what, *check.have, want))
		default:
			c.Log(smstslog.Info, fmt.Sprintf("%s is %d, at least %d is needed: passed", check.what, *check.have, want))
		}
	}
	if want := strings.TrimSpace(c.Input("VerifyOS")); want != "" && !strings.EqualFold(want, facts.OSType) {
		bad = append(bad, fmt.Sprintf("the system is a %s and a %s is needed", facts.OSType, want))
	}
	for _, text := range bad {
		c.Log(smstslog.Error, "Validate: "+text)
	}
	if len(bad) > 0 {
		return Failure(CodeNotReady, fmt.Errorf("the machine does not fit: %s", strings.Join(bad, "; ")))
	}
	return Outcome{}
}

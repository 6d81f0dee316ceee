package step

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
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
	}
	if kind == "" || kind == "runcommandlineaction" || strings.HasPrefix(kind, "bdd_") {
		if s, ok := toolkitStep(n, kind, script); ok {
			return s
		}
	}
	switch {
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

// Script is the name of the toolkit's script that a step calls, in lower case and without its ending; empty for others.
func Script(n *sequence.Node) string { return scriptOf(n) }

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
			out.Err = fmt.Errorf("%w; %s", out.Err, replacement)
		}
		return *out
	}
	if strings.Contains(strings.ToUpper(c.Node.Action), "%SCRIPTROOT%") && c.Variables.Value("SCRIPTROOT") == "" {
		return Failure(CodeNotFound, fmt.Errorf("%s needs the toolkit's scripts and SCRIPTROOT is not set; set it to their folder", what))
	}
	return RunCommandLine{}.Run(ctx, c)
}

// replacements are what does the work of a script that only the toolkit can run.
var replacements = map[string]string{
	"ztipatches":         "updates belong into the image, or an Install Software Updates step in the installed system does it",
	"ztigroups":          "a Run Command Line step in the installed system does it",
	"ztiosrole":          "on Linux a Run Command Line step with the package manager does it",
	"ztiwinre":           "Linux has no recovery environment to set up; disable the step",
	"ztioptin":           "Linux has no such programmes; disable the step",
	"ztiapplygpopack":    "on Linux a Run Command Line step sets policies; disable the step",
	"ztibioscheck":       "a Check Readiness step, or a condition on Win32_BIOS, does it",
	"ztiappxmlgen":       "it serves USMT only; disable the step",
	"ltisuspend":         "a break of the debugger pauses a run (bootyard run debug)",
	"psdgroups":          "a Run Command Line step in the installed system does it",
	"ztilangpacksonline": "on Linux Apply Windows Settings sets the languages",
}

// phases are the values of PHASE in their order (TS-180).
var phases = [...]string{"INITIALIZATION", "VALIDATION", "STATECAPTURE", "PREINSTALL", "INSTALL", "POSTINSTALL", "STATERESTORE"}

// NextPhase moves PHASE on as ZTINextPhase does (TS-181): after the last phase it is empty, and a PHASE that is unset or
// unknown stays as it is.
type NextPhase struct{}

// Contract implements Step.
func (NextPhase) Contract() Contract { return Contract{Component: "ZTINextPhase"} }

// Run implements Step.
func (NextPhase) Run(_ context.Context, c *Context) Outcome {
	now := strings.TrimSpace(c.Variables.Value("PHASE"))
	i := slices.IndexFunc(phases[:], func(phase string) bool { return strings.EqualFold(phase, now) })
	if i < 0 {
		c.Log(smstslog.Warning, fmt.Sprintf("PHASE is %q, which no phase follows, so it stays; a Gather step before this one, or a variable, gives it its first value (TS-180)", now))
		return Outcome{}
	}
	next := ""
	switch {
	case phases[i] == "PREINSTALL" && strings.EqualFold(c.Variables.Value("DeploymentMethod"), "OSD"):
		next = "POSTINSTALL"
	case i+1 < len(phases):
		next = phases[i+1]
	}
	c.Log(smstslog.Info, fmt.Sprintf("PHASE moves from %s to '%s'", phases[i], next))
	if err := c.Variables.Set("PHASE", next); err != nil {
		return Failure(CodeFailed, err)
	}
	return Outcome{}
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

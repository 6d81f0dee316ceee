package step

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// ToolkitStep is a script of MDT or PSD whose work a step of ours does. On Windows, where SCRIPTROOT says where the
// toolkit's scripts are, the script itself runs as written.
type ToolkitStep struct{ work toolkitWork }

// Means says what the script stands for; it is what a simulation has to know.
type Means int

// What a toolkit's script does to the machine.
const (
	MeansOther     Means = iota // nothing that decides where the machine starts next
	MeansPartition              // wipes a disk
	MeansInstallOS              // puts a system on the disk that goes on with the sequence
	MeansBootImage              // makes the boot environment the next start
)

// Means says what the script stands for.
func (t ToolkitStep) Means() Means { return t.work.means }

// toolkitWork is how one script is done here.
type toolkitWork struct {
	component  string
	runIn      sequence.RunIn
	repeatable bool
	means      Means
	run        func(ctx context.Context, c *Context) Outcome
}

// Contract implements Step. What the script itself does is not known to bear repeating, ours says so.
func (t ToolkitStep) Contract() Contract {
	return Contract{RunIn: t.work.runIn, Effect: true, Repeatable: t.work.repeatable, Component: t.work.component}
}

// Run implements Step.
func (t ToolkitStep) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Programs != nil && c.Machine.Programs.Windows() && c.Variables.Value("SCRIPTROOT") != "" {
		return RunCommandLine{}.Run(ctx, c)
	}
	if only := t.work.runIn; only != sequence.WinPEAndFullOS && (only == sequence.WinPE) != (c.Environment == machine.WinPE) {
		return Failure(CodeEnvironment, fmt.Errorf("%s does its work only in %s (TS-21)", t.work.component, only))
	}
	return t.work.run(ctx, c)
}

// toolkitSteps are the scripts of MDT and PSD that have an equal here, by name. A script whose arguments decide has its
// own function.
var toolkitSteps = map[string]toolkitWork{
	"ltiapply":                {component: "LTIApply", runIn: sequence.WinPE, repeatable: true, means: MeansInstallOS, run: installOS},
	"ltiapply/pe":             {component: "LTIApply", means: MeansBootImage, run: stageBootImage},
	"ltiapply/post":           {component: "LTIApply", runIn: sequence.WinPE, run: afterApply},
	"lticopyscripts":          {component: "LTICopyScripts", repeatable: true, run: copyScripts},
	"ltisysprep":              {component: "LTISysprep", runIn: sequence.FullOS, run: sysprepForCapture},
	"ztibackup":               {component: "ZTIBackup", runIn: sequence.WinPE, repeatable: true, run: backup},
	"ztidiskpart":             {component: "ZTIDiskpart", runIn: sequence.WinPE, repeatable: true, means: MeansPartition, run: partitionAsToolkit},
	"zticonfigure":            {component: "ZTIConfigure", runIn: sequence.WinPE, repeatable: true, run: configure},
	"ztinicconfig":            {component: "ZTINICConfig", repeatable: true, run: networkCards},
	"ztidomainjoin":           {component: "ZTIDomainJoin", runIn: sequence.FullOS, run: recoverJoin},
	"ztidrivers":              {component: "ZTIDrivers", repeatable: true, run: injectDrivers},
	"ztitatoo":                {component: "ZTITatoo", runIn: sequence.FullOS, repeatable: true, run: tattoo},
	"ztiapplications":         {component: "ZTIApplications", runIn: sequence.FullOS, run: toolkitApplications},
	"ztipowershell":           {component: "ZTIPowerShell", run: toolkitPowerShell},
	"ztiwindowsupdate":        {component: "ZTIWindowsUpdate", runIn: sequence.FullOS, run: windowsUpdate},
	"ztiuserstate/capture":    {component: "ZTIUserState", run: captureState},
	"ztiuserstate/restore":    {component: "ZTIUserState", runIn: sequence.FullOS, run: restoreState},
	"ztisetvariable":          {component: "ZTISetVariable", repeatable: true, run: SetVariable{}.Run},
	"ztidisablebdeprotectors": {component: "ZTIDisableBDEProtectors", runIn: sequence.FullOS, run: disableProtectors},
	"ztibde":                  {component: "ZTIBde", runIn: sequence.FullOS, run: EnableBitLocker{}.Run},
	"ltiupgrade":              {component: "LTIUpgrade", runIn: sequence.FullOS, run: upgradeAsToolkit},
}

// sameScript are PSD's and other spellings of the scripts above.
var sameScript = map[string]string{
	"psdapplyos": "ltiapply", "psdapplywinpe": "ltiapply/pe", "psdpartition": "ztidiskpart", "psdconfigure": "zticonfigure", "psdnicconfig": "ztinicconfig",
	"psddrivers": "ztidrivers", "psdtattoo": "ztitatoo", "psdapplications": "ztiapplications", "psdpowershell": "ztipowershell",
	"psdwindowsupdate": "ztiwindowsupdate", "psdsetvariable": "ztisetvariable", "psddisablebdeprotectors": "ztidisablebdeprotectors", "psduserstate": "ztiuserstate",
}

// toolkitTypes are the types that say the same as a script.
var toolkitTypes = map[string]string{
	"bdd_installos": "ltiapply", "bdd_installapplication": "ztiapplications", "bdd_runpowershellaction": "ztipowershell", "bdd_injectdrivers": "ztidrivers",
	"bdd_recoverdomainjoin": "ztidomainjoin", "bdd_upgradeos": "ltiupgrade",
}

// stateWord is the argument of ZTIUserState (/capture) and PSDUserState (Capture), in lower case.
var stateWord = regexp.MustCompile(`userstate\.(?:wsf|ps1)\b.*[\s/](capture|restore)\b`)

// toolkitStep finds our equal of a script; false when there is none.
func toolkitStep(n *sequence.Node, kind, script string) (ToolkitStep, bool) {
	if by := toolkitTypes[kind]; by != "" {
		script = by
	}
	if same := sameScript[script]; same != "" {
		script = same
	}
	switch action := strings.ToLower(n.Action); script {
	case "ltiapply":
		if strings.Contains(action, "/pe") {
			script = "ltiapply/pe"
		} else if strings.Contains(action, "/post") {
			script = "ltiapply/post"
		}
	case "ztiuserstate":
		if m := stateWord.FindStringSubmatch(action); m != nil {
			script = "ztiuserstate/" + m[1]
		}
	}
	work, ok := toolkitSteps[script]
	return ToolkitStep{work}, ok && work.run != nil
}

// as is the context of a step of ours that does a script's work: the inputs, which it gives under our names, are the
// step's defaults, so a variable that is set beats them as ever (TS-84). An empty value hides what the script's step has.
func (c *Context) as(kind string, inputs ...sequence.Variable) *Context {
	n := *c.Node
	n.Type, n.Action = sequence.TypePrefix+kind, ""
	n.Defaults = append(append([]sequence.Variable(nil), inputs...), c.Node.Defaults...)
	local := make([]variable.Assignment, 0, len(n.Defaults))
	for i := len(n.Defaults) - 1; i >= 0; i-- { // the first of a name counts
		if v := n.Defaults[i]; !v.Hidden {
			local = append(local, variable.Assignment{Name: v.Name, Value: v.Value})
		}
	}
	c.Variables.EnterStep(local)
	other := *c
	other.Node = &n
	return &other
}

// given makes an input of a value; empty ones are inputs too.
func given(name, value string) sequence.Variable {
	return sequence.Variable{Name: name, Property: name, Value: value}
}

// toolkitValue is the first of several properties of the toolkit that has a value.
func (c *Context) toolkitValue(names ...string) string {
	for _, name := range names {
		if v := strings.TrimSpace(c.Input(name)); v != "" {
			return v
		}
	}
	return ""
}

var guid = regexp.MustCompile(`^\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?$`)

// mapped is what a GUID of a deployment share means here: the value of the variable MDT-<GUID>, without braces. A text
// that is no GUID means itself.
func mapped(c *Context, reference string) (value, name string) {
	m := guid.FindStringSubmatch(strings.TrimSpace(reference))
	if m == nil {
		return strings.TrimSpace(reference), ""
	}
	name = "MDT-" + m[1]
	return strings.TrimSpace(c.Input(name)), name
}

// yes reads the toolkit's booleans, which are YES, NO, TRUE and FALSE in any case.
func (c *Context) yes(name string) bool {
	v := strings.ToUpper(strings.TrimSpace(c.Input(name)))
	return v == "YES" || v == "TRUE" || v == "1"
}

// nothing is the success of a script that has nothing to do, with the reason in the log.
func nothing(c *Context, why string) Outcome {
	c.Log(smstslog.Info, "Nothing is to be done: "+why)
	return Outcome{}
}

var errNoSystem = errors.New("no operating system was applied by this sequence; put the Install Operating System step before this one")

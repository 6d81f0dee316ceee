package sequence

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/bootyard/bootyard/tsengine/variable"
)

// Severity says whether a problem stands in the way of a deployment.
type Severity string

// The severities.
const (
	Blocks Severity = "error"   // the sequence cannot be deployed (TSV-1)
	Warns  Severity = "warning" // it can, but somebody should look
)

// Problem is a finding about a node, with the rule it comes from and what to do about it.
type Problem struct {
	Severity Severity
	Rule     string // "TSV-2"
	Node     *Node  // nil for the sequence as a whole
	Text     string
	Remedy   string
}

// String is the finding as one line.
func (p Problem) String() string {
	where := "the sequence"
	if p.Node != nil {
		where = fmt.Sprintf("%s %q (pointer %d)", p.Node.Kind, p.Node.Name, p.Node.Pointer)
	}
	return fmt.Sprintf("%s: %s: %s; %s (%s)", p.Severity, where, p.Text, p.Remedy, p.Rule)
}

// Exists answers whether an object is there; children of a Run Task Sequence step are asked for as SequenceReference.
type Exists func(kind ReferenceKind, id string) bool

// Problems checks what can be known before a run. With exists nil, references are not checked. Disabled nodes never
// block (TSV-3).
func (s *Sequence) Problems(exists Exists) []Problem {
	var out []Problem
	for _, f := range s.Faults {
		severity := Blocks
		if f.Node != nil && !f.Node.Enabled() {
			severity = Warns // TSV-3
		}
		out = append(out, Problem{severity, f.Rule, f.Node, f.Text, f.Remedy})
	}
	for _, n := range s.flat {
		if n.Enabled() {
			out = append(out, n.problems()...)
		}
		if utf8.RuneCountInString(n.Name) > 100 || utf8.RuneCountInString(n.Description) > 256 {
			out = append(out, Problem{Warns, "TS-5", n, "name or description is too long for other consoles", "shorten it to 100 and 255 characters"})
		}
	}
	for _, r := range s.References() {
		switch {
		case r.ID == "00000000":
			out = append(out, Problem{Blocks, "TSV-2", r.Node, fmt.Sprintf("its %s was removed when the sequence was exported", r.Kind), "choose one, or disable the step"})
		case exists != nil && !exists(r.Kind, r.ID):
			out = append(out, Problem{Blocks, "TSV-2", r.Node, fmt.Sprintf("%s %s does not exist", r.Kind, r.ID), "import it, choose another, or disable the step"})
		}
	}
	if s.BootImageID == "" && s.HasOSDeploymentStep() {
		out = append(out, Problem{Warns, "TSV-11", nil, "it deploys an operating system and has no boot image", "assign a boot image"})
	}
	return out
}

// required are the values without which a step cannot do anything (TSV-5); a step needs one of each list.
var required = map[string][][]string{
	"SetVariableAction":          {{"VariableName"}},
	"ConnectNetworkFolderAction": {{"SMSConnectNetworkFolderPath"}},
	"ApplyOperatingSystemAction": {{"ImagePackageID", "InstallPackageID"}},
	"ApplyDataImageAction":       {{"ImagePackageID"}},
	"ApplyDriverPackageAction":   {{"OSDApplyDriverDriverPackageID"}},
	"InstallApplicationAction":   {{"ApplicationName", "BaseVariableName"}},
	"InstallSoftwareAction":      {{"PackageID", "BaseVariableName"}},
	"CaptureSystemImageAction":   {{"OSDCaptureDestination"}},
	"RunPowerShellScriptAction":  {{"OSDRunPowerShellScriptSourceScript", "OSDRunPowerShellScriptScriptName", "OSDRunPowerShellScriptPackageID"}},
	"DownloadPackageContentAction": {
		{"OSDDownloadDownloadPackages"},
	},
}

// emptyRun is an action that names no program.
var emptyRun = regexp.MustCompile(`(?i)^\s*(smsswd\.exe\s+/run:\S*\s*)?$`)

func (n *Node) problems() []Problem {
	var out []Problem
	add := func(severity Severity, rule, text, remedy string) {
		out = append(out, Problem{severity, rule, n, text, remedy})
	}
	for _, choice := range required[n.ShortType()] {
		if !n.has(choice) {
			add(Blocks, "TSV-5", "no value for "+strings.Join(choice, " or "), "fill it in, or disable the step")
		}
	}
	switch t := n.ShortType(); {
	case n.Kind == SubSequence:
		if id, _ := n.Input("OSDSubTasksequencePackageID"); strings.TrimSpace(id) == "" {
			add(Blocks, "TSV-5", "it runs no task sequence", "choose one, or disable the step")
		}
	case n.Kind == Step && (t == "" || t == "RunCommandLineAction"):
		if line, _ := n.Input("CommandLine"); strings.TrimSpace(line) == "" && emptyRun.MatchString(n.Action) {
			add(Blocks, "TSV-5", "no command line", "fill it in, or disable the step")
		}
	}
	if n.Condition != nil {
		for _, text := range versionTraps(n.Condition.Operands) {
			add(Warns, "TS-67", text, "compare a number, or use a WMI or operating system version condition")
		}
	}
	for _, v := range n.Defaults {
		if v.Value != "" && variable.IsSecretName(v.Name) && !strings.Contains(v.Value, "%") {
			add(Warns, "TS-93", v.Name+" holds a secret in clear", "keep it in a secret variable of the device or collection and refer to it as %name%")
		}
	}
	return out
}

func (n *Node) has(choice []string) bool {
	for _, name := range choice {
		if v, ok := n.Input(name); ok && strings.TrimSpace(v) != "" {
			return true
		}
	}
	// Older exports have some arguments only in the action.
	if n.ShortType() == "ApplyOperatingSystemAction" && (strings.Contains(n.Action, "/image:") || strings.Contains(n.Action, "/install:")) {
		return true
	}
	return len(n.Defaults) == 0 && strings.TrimSpace(n.Action) != ""
}

// versionTraps finds dotted versions that are compared as text: 10.0.19041 is less than 6 then.
func versionTraps(list []Operand) []string {
	var out []string
	for _, o := range list {
		out = append(out, versionTraps(o.Operands)...)
		x := o.Expression
		if x == nil || !strings.EqualFold(x.ShortType(), "VariableConditionExpression") {
			continue
		}
		switch strings.ToLower(x.Field("Operator")) {
		case "greater", "greaterequal", "less", "lessequal":
			name := strings.ToLower(x.Field("Variable"))
			if strings.Contains(x.Field("Value"), ".") || strings.HasPrefix(name, "imagebuild") || strings.HasSuffix(name, "version") {
				value := x.Field("Value")
				if variable.IsSecretName(strings.TrimSpace(name)) {
					value = variable.Mask
				}
				out = append(out, fmt.Sprintf("%s %s %q compares a version as text", x.Field("Variable"), x.Field("Operator"), value))
			}
		}
	}
	return out
}

package lint

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/step"
)

var ruleInText = regexp.MustCompile(`\(?\b(TS-\d+[a-z]?)\)?`)

// problems passes on what the package sequence finds, less what other checks here look at more closely.
func problems(l *linter) {
	for _, p := range l.s.Problems(l.o.Exists) {
		switch p.Rule {
		case "TS-67", "TS-5":
			continue
		}
		severity := Error
		if p.Severity == sequence.Warns {
			severity = Warning
		}
		if p.Rule == "TSV-11" && len(l.s.Properties) == 0 {
			severity = Note // the boot image of a bare sequence is named elsewhere
			if !l.native() {
				continue
			}
		}
		l.put(severity, p.Rule, p.Remedy, p.Node, p.Text)
	}
}

func unusual(l *linter) {
	for _, w := range l.s.Warnings {
		if strings.HasPrefix(w.Text, "schema version") || strings.Contains(w.Text, "2 MB") {
			continue // checks of their own
		}
		f := Finding{Severity: Note, Check: l.check.ID, Rule: l.check.Rule, Pointer: -1, Line: w.Line, Text: w.Text, Remedy: l.check.Remedy}
		if m := ruleInText.FindStringSubmatch(w.Text); m != nil {
			f.Rule, f.Text = m[1], strings.TrimSpace(strings.Replace(w.Text, m[0], "", 1))
		}
		if len(l.found) < maxFindings {
			l.found = append(l.found, f)
		}
	}
}

// child finds a sequence that was given, whatever the case of its id.
func (l *linter) child(id string) *sequence.Sequence {
	for key, s := range l.o.Children {
		if strings.EqualFold(key, id) {
			return s
		}
	}
	return nil
}

func childMissing(l *linter) {
	for _, n := range l.steps("") {
		if id := n.ChildID(); id != "" && id != "00000000" && !strings.EqualFold(id, l.s.PackageID) && l.child(id) == nil {
			l.add(n, "child sequence %s is not here and was not checked", id)
		}
	}
}

func childCircle(l *linter) {
	for _, n := range l.steps("") {
		if n.ChildID() != "" && l.leadsTo(n.ChildID(), l.s.PackageID, map[string]bool{}) {
			l.add(n, "child sequence %s leads back to this one", n.ChildID())
		}
	}
}

func (l *linter) leadsTo(from, to string, seen map[string]bool) bool {
	if to == "" {
		return false
	}
	if strings.EqualFold(from, to) {
		return true
	}
	c := l.child(from)
	if c == nil || seen[strings.ToUpper(from)] {
		return false
	}
	seen[strings.ToUpper(from)] = true
	for _, n := range c.All() {
		if n.Enabled() && n.ChildID() != "" && l.leadsTo(n.ChildID(), to, seen) {
			return true
		}
	}
	return false
}

func childBootImage(l *linter) {
	for _, n := range l.steps("") {
		if c := l.child(n.ChildID()); c != nil && c.BootImageID != "" {
			l.add(n, "child sequence %s has boot image %s", n.ChildID(), c.BootImageID)
		}
	}
}

func childDisabled(l *linter) {
	for _, n := range l.steps("") {
		if c := l.child(n.ChildID()); c != nil && c.Disabled {
			l.add(n, "child sequence %s is disabled", n.ChildID())
		}
	}
}

// types are the classes that are documented or seen, besides the toolkit's BDD_ ones.
var types = strings.Fields(`RunCommandLineAction RunPowerShellScriptAction SetVariableAction SetDynamicVariablesAction RebootAction ConnectNetworkFolderAction
	JoinDomainWorkgroupAction PrestartCheckAction InstallApplicationAction InstallSoftwareAction InstallUpdateAction DownloadPackageContentAction PartitionDiskAction
	ConvertDiskAction ApplyOperatingSystemAction ApplyDataImageAction SetupWindowsAndSMSAction UpgradeOperatingSystemAction ApplyDriverPackageAction AutoApplyAction
	ApplyWindowsSettingsAction ApplyNetworkSettingsAction CaptureNetworkSettingsAction CaptureWindowsSettingsAction CaptureSystemImageAction PrepareOSAction
	PrepareSMSClientAction InstallDeployToolsAction EnableBitLockerAction OfflineEnableBitLockerAction DisableBitLockerAction RequestStateStoreAction
	CaptureUserStateAction RestoreUserStateAction ReleaseStateStoreAction`)

func isKnownType(t string) bool {
	for _, k := range types {
		if strings.EqualFold(k, t) {
			return true
		}
	}
	return t == "" || strings.HasPrefix(strings.ToUpper(t), "BDD_")
}

func unknownType(l *linter) {
	for _, n := range l.steps("") {
		switch {
		case n.Kind == sequence.Step && strings.EqualFold(n.ShortType(), "SubTasksequence"):
			l.add(n, "a step of type %s is a third party's way to run a child sequence; use a Run Task Sequence node", n.Type)
		case n.Kind == sequence.Step && !isKnownType(n.ShortType()):
			l.add(n, "type %s is unknown", n.Type)
		}
	}
}

// unsupported names every type or script once, at the first step that has it.
func unsupported(l *linter) {
	first, count := map[string]*sequence.Node{}, map[string]int{}
	var order []string
	for _, n := range l.steps("") {
		if n.Kind != sequence.Step || !isKnownType(n.ShortType()) {
			continue
		}
		switch step.Find(n).(type) {
		case step.Unsupported, step.ToolkitScript:
		default:
			continue
		}
		t := "type " + n.ShortType()
		if script := step.Script(n); script != "" {
			t = "script " + script
		}
		if count[t]++; count[t] == 1 {
			first[t], order = n, append(order, t)
		}
	}
	for _, t := range order {
		more := ""
		if count[t] > 1 {
			more = fmt.Sprintf("; %d steps have it", count[t])
		}
		l.add(first[t], "%s cannot be run by this version, except where its own script is at hand on Windows%s", t, more)
	}
}

package lint

import (
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// only are the types that run in one environment (task-sequence.md section 13).
var only = map[string]sequence.RunIn{
	"PartitionDiskAction": sequence.WinPE, "ApplyOperatingSystemAction": sequence.WinPE, "ApplyDataImageAction": sequence.WinPE,
	"ApplyDriverPackageAction": sequence.WinPE, "AutoApplyAction": sequence.WinPE, "ApplyWindowsSettingsAction": sequence.WinPE,
	"ApplyNetworkSettingsAction": sequence.WinPE, "CaptureSystemImageAction": sequence.WinPE, "OfflineEnableBitLockerAction": sequence.WinPE,
	"SetupWindowsAndSMSAction": sequence.WinPE, "JoinDomainWorkgroupAction": sequence.FullOS, "InstallApplicationAction": sequence.FullOS,
	"InstallSoftwareAction": sequence.FullOS, "InstallUpdateAction": sequence.FullOS, "UpgradeOperatingSystemAction": sequence.FullOS,
	"EnableBitLockerAction": sequence.FullOS, "DisableBitLockerAction": sequence.FullOS, "PrepareOSAction": sequence.FullOS,
	"PrepareSMSClientAction": sequence.FullOS, "RestoreUserStateAction": sequence.FullOS, "CaptureNetworkSettingsAction": sequence.FullOS,
	"InstallDeployToolsAction": sequence.FullOS,
}

func environmentOfType(l *linter) {
	if !l.native() {
		return
	}
	for _, n := range l.steps("") {
		if must, ok := only[n.ShortType()]; ok && n.RunIn != sequence.WinPEAndFullOS && n.RunIn != must {
			l.add(n, "%s runs in %s only, runIn says %s", n.ShortType(), must, n.RunIn)
		}
	}
}

// restarts are the types after which the environment may be another one.
var restarts = []string{"RebootAction", "SetupWindowsAndSMSAction", "PrepareOSAction", "UpgradeOperatingSystemAction", "InstallUpdateAction", "InstallApplicationAction", "JoinDomainWorkgroupAction"}

// between are the enabled steps that may run after a group was entered and before a node in it.
func (l *linter) between(group, n *sequence.Node) []*sequence.Node {
	var out []*sequence.Node
	for _, x := range l.s.All()[group.Pointer+1 : n.Pointer] {
		if x.Enabled() && x.Kind != sequence.Group {
			out = append(out, x)
		}
	}
	return out
}

// branch is the environment that the conditions around a node leave, and the node whose condition says so.
func (l *linter) branch(n *sequence.Node) (sequence.RunIn, *sequence.Node) {
	for at := n; at != nil; at = at.Parent {
		for _, c := range must(at) {
			if !strings.EqualFold(c.name, "_SMSTSInWinPE") || c.op != "equals" && c.op != "notequals" {
				continue
			}
			if at != n && slices.ContainsFunc(l.between(at, n), func(x *sequence.Node) bool {
				return slices.Contains(restarts, x.ShortType()) || x.Kind == sequence.SubSequence
			}) {
				return sequence.WinPEAndFullOS, nil
			}
			switch v := strings.EqualFold(c.value, "true"); {
			case v == (c.op == "equals"):
				return sequence.WinPE, at
			case strings.EqualFold(c.value, "false") || v:
				return sequence.FullOS, at
			}
		}
	}
	return sequence.WinPEAndFullOS, nil
}

func environmentOfBranch(l *linter) {
	for _, n := range l.steps("") {
		if n.Kind != sequence.Step {
			continue
		}
		in, by := l.branch(n)
		if by == nil {
			continue
		}
		needs := n.RunIn
		if must, ok := only[n.ShortType()]; ok && l.native() {
			needs = must
		}
		if needs != sequence.WinPEAndFullOS && needs != in {
			l.add(n, "it runs in %s only, and the condition of %q lets it run in %s only", needs, by.Name, in)
		}
	}
}

func runAs(l *linter) {
	for _, n := range l.steps("") {
		as := ""
		for _, name := range []string{"_SMSTSRunCommandLineAsUser", "SMSTSRunCommandLineAsUser", "_SMSTSRunPowerShellAsUser", "SMSTSRunPowerShellAsUser"} {
			if v, _ := n.Input(name); strings.EqualFold(strings.TrimSpace(v), "true") {
				as = name
			}
		}
		if in, _ := l.branch(n); as != "" && (n.RunIn == sequence.WinPE || in == sequence.WinPE) {
			l.add(n, "%s is true and the step runs in WinPE", as)
		}
	}
}

func restartWithout(l *linter) {
	if l.s.BootImageID != "" || !l.native() || len(l.s.Properties) == 0 {
		return // which boot image a bare sequence has is said elsewhere
	}
	for _, n := range l.steps("RebootAction") {
		target, ok := n.Input("SMSRebootTarget")
		if !ok {
			_, target, _ = strings.Cut(n.Action, "/target:")
		}
		if strings.EqualFold(strings.TrimSpace(target), "WinPE") {
			l.add(n, "it restarts to WinPE, and the sequence has no boot image")
		}
	}
}

func noSetup(l *linter) {
	if !l.native() {
		return
	}
	var last *sequence.Node
	for _, n := range l.steps("") {
		switch n.ShortType() {
		case "ApplyOperatingSystemAction":
			last = n
		case "SetupWindowsAndSMSAction":
			last = nil
		}
		if n.Kind == sequence.SubSequence {
			last = nil // it may be in there
		}
	}
	if last != nil {
		l.add(last, "no Setup Windows and ConfigMgr step follows")
	}
}

func stateStore(l *linter) {
	var asked *sequence.Node
	var open []*sequence.Node
	for _, n := range l.steps("") {
		switch n.ShortType() {
		case "RequestStateStoreAction":
			asked, open = n, nil
			continue
		case "ReleaseStateStoreAction":
			for _, x := range open {
				l.add(x, "a failure here leaves the state store that %q requested unreleased", asked.Name)
			}
			asked, open = nil, nil
			continue
		}
		if asked != nil && !forgiven(n, asked) {
			open = append(open, n)
		}
	}
}

// forgiven says whether a failure of the node is ignored by it or by a group that does not also hold the request, so
// that the walk goes on to the release.
func forgiven(n, asked *sequence.Node) bool {
	for at := n; at != nil; at = at.Parent {
		for up := asked.Parent; up != nil; up = up.Parent {
			if up == at {
				return false
			}
		}
		if at.ContinueOnError {
			return true
		}
	}
	return false
}

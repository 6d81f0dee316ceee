package sequence

import "strings"

// DeploysOS says whether the sequence has an enabled step that installs an operating system, or a boot image (TS-6).
func (s *Sequence) DeploysOS() bool { return s.BootImageID != "" || s.HasOSDeploymentStep() }

// HasOSDeploymentStep says whether an enabled step partitions, applies or upgrades an operating system.
func (s *Sequence) HasOSDeploymentStep() bool {
	for _, n := range s.flat {
		if n.Kind == Step && n.Enabled() && osStep(n.ShortType()) {
			return true
		}
	}
	return false
}

func osStep(short string) bool {
	switch short {
	case "ApplyOperatingSystemAction", "ApplyDataImageAction", "PartitionDiskAction", "SetupWindowsAndSMSAction",
		"UpgradeOperatingSystemAction", "BDD_InstallOS", "CaptureSystemImageAction":
		return true
	}
	return false
}

// ReferenceKind is what a step refers to.
type ReferenceKind string

// The kinds of reference.
const (
	PackageReference     ReferenceKind = "package"
	ApplicationReference ReferenceKind = "application"
	SequenceReference    ReferenceKind = "sequence"
	BootImageReference   ReferenceKind = "bootImage"
)

// Reference is an object that the sequence needs to run.
type Reference struct {
	Kind ReferenceKind
	ID   string
	Node *Node // the first enabled node that refers to it; nil for the boot image
}

// References lists what the enabled steps refer to, each object once, in document order, the boot image last. It is read from
// the steps themselves; the referenceList of the file is derived data and may be stale.
func (s *Sequence) References() []Reference {
	seen := map[string]bool{}
	var out []Reference
	add := func(kind ReferenceKind, id string, n *Node) {
		id = strings.TrimSpace(id)
		key := string(kind) + " " + strings.ToUpper(id)
		if id == "" || strings.Contains(id, "%") || seen[key] {
			return // a variable in place of an id is known only when the step runs
		}
		seen[key] = true
		out = append(out, Reference{kind, id, n})
	}
	for _, n := range s.flat {
		if !n.Enabled() {
			continue
		}
		for _, id := range n.packages() {
			add(PackageReference, id, n)
		}
		if n.Kind == SubSequence {
			id, _ := n.Input("OSDSubTasksequencePackageID")
			add(SequenceReference, id, n)
		}
		if n.ShortType() == "InstallApplicationAction" {
			list, _ := n.Input("ApplicationName")
			for _, id := range strings.Split(list, ",") {
				add(ApplicationReference, id, n)
			}
		}
	}
	add(BootImageReference, s.BootImageID, nil)
	return out
}

// packageInputs are the variables that hold one package id.
var packageInputs = [...]string{
	"PackageID", "ImagePackageID", "InstallPackageID", "ConfigFilePackage", "OSDApplyDriverDriverPackageID",
	"_SMSClientPackageID", "_OSDMigrateUsmtPackageID", "_OSDMigrateUsmtRestorePackageID", "OSDUpgradeInstallPackageID",
	"OSDUpgradeDriverPackageID", "OSDRunPowerShellScriptPackageID", "SysprepPackageID", "BDDPackageID",
}

func (n *Node) packages() []string {
	var out []string
	for _, name := range packageInputs {
		for _, v := range n.Defaults {
			if strings.EqualFold(v.Name, name) && v.Value != "" {
				out = append(out, v.Value)
			}
		}
	}
	if list, ok := n.Input("OSDDownloadDownloadPackages"); ok {
		out = append(out, strings.Split(list, ",")...)
	}
	const run = "smsswd.exe /run:"
	if a := strings.TrimSpace(n.Action); len(a) > len(run) && strings.EqualFold(a[:len(run)], run) {
		id, _, _ := strings.Cut(a[len(run):], " ")
		out = append(out, id)
	}
	return out
}

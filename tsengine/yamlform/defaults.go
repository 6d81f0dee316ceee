package yamlform

import (
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// shape is what the nodes of one kind have in common in a document: attributes that are in the XML although the YAML
// does not say them. A node that lacks one says null for it.
type shape []sequence.Attr

func (s shape) value(name string) (string, bool) {
	for _, a := range s {
		if a.Name == name {
			return a.Value, true
		}
	}
	return "", false
}

// schemaShapes are the attributes that the editors of the two schemas write on everything (task-sequence-xml.md
// section 3).
func schemaShapes(version string) map[string]shape {
	if strings.HasPrefix(version, "3.0") {
		return map[string]shape{
			"step": {{Name: "description"}, {Name: "disable", Value: "false"}, {Name: "continueOnError", Value: "false"},
				{Name: "startIn"}, {Name: "successCodeList", Value: "0 3010"}},
			"group": {{Name: "description"}, {Name: "disable", Value: "false"}, {Name: "continueOnError", Value: "false"}, {Name: "expand", Value: "true"}},
			"child": {{Name: "description"}},
		}
	}
	return map[string]shape{
		"step": {{Name: "description"}, {Name: "runIn", Value: "WinPEandFullOS"}, {Name: "successCodeList", Value: "0"},
			{Name: "retryCount", Value: "0"}, {Name: "runFromNet", Value: "false"}},
		"group": {{Name: "description"}},
		"child": {{Name: "description"}, {Name: "successCodeList", Value: "0"}, {Name: "retryCount", Value: "0"}, {Name: "runFromNet", Value: "false"}},
	}
}

// usual finds the shape that makes a document shortest: attributes that more than half of the nodes carry with the
// same value.
func usual(kind string, nodes []*sequence.Element, fallback shape) shape {
	if len(nodes) < 4 {
		return fallback
	}
	counts, order := map[sequence.Attr]int{}, []sequence.Attr{}
	for _, n := range nodes {
		for _, a := range n.Attrs {
			if a.Name == "name" || a.Name == "type" || !slices.Contains(attributes, a.Name) {
				continue
			}
			if counts[a]++; counts[a] == 1 {
				order = append(order, a)
			}
		}
	}
	var out shape
	for _, a := range order {
		if 2*counts[a] > len(nodes) {
			out = append(out, a)
		}
	}
	if same(out, fallback) {
		return fallback
	}
	slices.SortFunc(out, func(a, b sequence.Attr) int {
		return slices.Index(attributes, a.Name) - slices.Index(attributes, b.Name)
	})
	return out
}

func same(a, b shape) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if v, ok := b.value(x.Name); !ok || v != x.Value {
			return false
		}
	}
	return true
}

// attributes are the known ones of nodes, in the order in which they are written.
var attributes = []string{"description", "disable", "continueOnError", "runIn", "successCodeList", "successCodes", "retryCount", "runFromNet", "timeout", "startIn", "expand"}

// classes are the step classes that the YAML calls by their short name.
var classes = strings.Fields(`RunCommandLine RunPowerShellScript SetVariable SetDynamicVariables Reboot ConnectNetworkFolder
	JoinDomainWorkgroup PrestartCheck InstallApplication InstallSoftware InstallUpdate DownloadPackageContent PartitionDisk
	ConvertDisk ApplyOperatingSystem ApplyDataImage SetupWindowsAndSMS UpgradeOperatingSystem ApplyDriverPackage AutoApply
	ApplyWindowsSettings ApplyNetworkSettings CaptureNetworkSettings CaptureWindowsSettings CaptureSystemImage PrepareOS
	PrepareSMSClient InstallDeployTools EnableBitLocker OfflineEnableBitLocker DisableBitLocker RequestStateStore
	CaptureUserState RestoreUserState ReleaseStateStore`)

const subSequence = sequence.TypePrefix + "SubTasksequence"

// shortClass is the name of a class as people write it. Not clear is one that longClass would take for another: a class
// without the prefix, which occurs in no real file and is kept as it is.
func shortClass(class string) (name string, clear bool) {
	name, ok := strings.CutPrefix(class, sequence.TypePrefix)
	if !ok {
		return class, longClass(class) == class
	}
	name, ok = strings.CutSuffix(name, "Action")
	if ok && slices.Contains(classes, name) {
		return name, true
	}
	return class, true
}

// longClass is the class of a name, which may be written with or without Action at its end.
func longClass(name string) string {
	if short := strings.TrimSuffix(name, "Action"); slices.Contains(classes, short) {
		return sequence.TypePrefix + short + "Action"
	}
	return name
}

// hidden are the variables that Configuration Manager marks as arguments (TS-85), whatever the step.
var hidden = strings.Fields(`CommandLine PackageID SuccessCodes VariableName VariableValue DoNotShowVariableValue
	HiddenVariableValue SMSRebootTarget ApplicationName BaseVariableName ContinueOnInstallError RetryCount OSDApp OSDPackage
	OSDPartitions ImagePackageID InstallPackageID ConfigFilePackage DestinationDisk DestinationPartition
	DestinationLogicalDrive DestinationVariable RunFromNet OSDApplyDriverDriverPackageID OSDRunPowerShellScriptSuccessCodes
	SysprepPackageID OSDStateRequestType OSDBitLockerSkipWhenTPMInvalid OSDBitLockerTargetDrive OSDBitLockerMode
	OSDBitLockerStartupKeyDrive OSDBitLockerCreateRecoveryPassword OSDBitLockerWaitForEncryption OSDBitLockerEncryptFullDisk
	OSDBitLockerEncryptMethod OSDBitLockerSkipWhenNoValidTPM`)

// prefixes are what stands before a property's name in a variable's, longest first.
var prefixes = []string{"_SMSTSRunCommandLine", "SMSTSRunCommandLine", "OSDRunPowerShellScript", "_SMSTSRunPowerShell", "SMSTSRunPowerShell",
	"OSDDynamicVariables", "OSDSetDynamicVariables", "SMSConnectNetworkFolder", "OSDSubTasksequence", "OSDBitLocker", "OSDDownload", "OSDUpgrade",
	"SMSReboot", "SMSInstallUpdate", "_OSDMigrate", "OSDMigrate", "OSDJoin", "OSDAutoApplyDriver", "OSDApplyDriver", "OSD", "SMSTS", "_SMSSWD", "_SMS", "SMS"}

// irregular are properties that are not the variable's name without its prefix.
var irregular = map[string]string{
	"SMSRebootTimeout": "MessageTimeout", "OSDPackage": "PackageInfo", "OSDPackageCount": "NumPackages", "OSDAllowUnsignedDriver": "UnsignedDriver",
	"OSDDownloadDestinationPath": "DestinationCustomPath", "OSDCaptureAccount": "CaptureUsername", "OSDCaptureAccountPassword": "CapturePassword",
	"OSDCheckMaxOsVersion": "CheckMaxOSVersion", "OSDFeatureUpdateAssignmentID": "FeatureUpdateAssignmentId", "OSDAppClearCache": "ClearCache",
	"OSDAdapter": "Adapters", "OSDAdapterCount": "NumAdapters", "OSDSubTasksequencePackageID": "TsPackageID", "_SMSTSRunCommandLineAsUser": "RunAsUser", "_SMSTSRunPowerShellAsUser": "RunAsUser",
	"OSDCheckDeviceTpmEnabled": "CheckTpmEnabled", "OSDCheckDeviceTpmActivated": "CheckTpmActivated", "OSDAppCount": "NumApps",
}

// described is what a variable is in the XML unless the YAML says otherwise.
func described(version, name string) (property string, isHidden bool) {
	if strings.HasPrefix(version, "3.0") {
		return mdtProperty(name), false
	}
	isHidden = slices.Contains(hidden, name)
	if p, ok := irregular[name]; ok {
		return p, isHidden
	}
	if rest, ok := strings.CutPrefix(name, "OSDPackage"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		return "PackageInfo" + rest, isHidden
	}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(name, p); ok && rest != "" {
			return rest, isHidden
		}
	}
	return name, isHidden
}

func mdtProperty(name string) string {
	switch {
	case strings.HasPrefix(name, "OSDPartition"), strings.HasPrefix(name, "OSDDiskIndex"):
		return strings.TrimPrefix(name, "OSD")
	case name == "SMSRebootTimeout":
		return "MessageTimeout"
	case strings.HasPrefix(name, "SMSReboot"):
		return strings.TrimPrefix(name, "SMSReboot")
	case name == "OSDAdapter":
		return "Adapters"
	case name == "OSDAdapterCount":
		return "NumAdapters"
	case name == "OSDBitLockerTargetDrive":
		return "BdeTargetDriveLetter"
	case name == "OSDBitLockerMode":
		return "BdeInstall"
	case name == "OSDBitLockerStartupKeyDrive":
		return "BdeKeyLocation"
	case name == "OSDBitLockerCreateRecoveryPassword":
		return "BdeRecoveryPassword"
	case name == "OSDBitLockerWaitForEncryption":
		return "WaitForEncryption"
	}
	return name
}

// template is the action that Configuration Manager writes for a step of this class and these inputs
// (task-sequence.md section 13); the YAML leaves it out. ok is false for a class without a known one.
func template(version, class string, input func(string) (string, bool)) (action string, ok bool) {
	if strings.HasPrefix(version, "3.0") {
		return "", false
	}
	get := func(name string) string { v, _ := input(name); return v }
	switch strings.TrimSuffix(strings.TrimPrefix(class, sequence.TypePrefix), "Action") {
	case "RunCommandLine":
		return "smsswd.exe /run:" + get("PackageID") + " " + get("CommandLine"), true
	case "SetVariable":
		flag := ""
		if v, ok := input("DoNotShowVariableValue"); ok {
			flag = " /hiddenflag:" + titled(v)
		}
		return `tsenv.exe "` + get("VariableName") + "=" + get("VariableValue") + `"` + flag, true
	case "Reboot":
		return "smsboot.exe /target:" + get("SMSRebootTarget"), true
	}
	action, ok = programs[strings.TrimPrefix(class, sequence.TypePrefix)]
	return action, ok
}

func titled(v string) string {
	if strings.EqualFold(v, "true") {
		return "True"
	}
	return "False"
}

// programs are the actions without arguments of their own.
var programs = map[string]string{
	"RunPowerShellScriptAction": "OSDRunPowerShellScript.exe", "SetDynamicVariablesAction": "OSDSetDynamicVariables.exe", "SubTasksequence": "SubTasksequence.exe",
	"PartitionDiskAction": "osddiskpart.exe", "SetupWindowsAndSMSAction": "OSDSetupWindows.exe", "UpgradeOperatingSystemAction": "OSDUpgradeOS.exe ",
	"PrestartCheckAction": "OSDPrestartCheck.exe ", "DownloadPackageContentAction": "OsdDownloadContent.exe ", "ApplyWindowsSettingsAction": "osdwinsettings.exe /config",
	"ApplyNetworkSettingsAction": "osdnetsettings.exe configure", "JoinDomainWorkgroupAction": "osdjoin.exe /type:%OSDJoinType%", "CaptureSystemImageAction": "osdcapturesystemimage.exe",
	"InstallUpdateAction": "TSInstallSWUpdate.exe /target:%SMSInstallUpdateTarget%", "ConnectNetworkFolderAction": "smsnetuse.exe %SMSConnectNetworkFolderPath%",
	"ReleaseStateStoreAction": "osdsmpclient.exe /release", "PrepareSMSClientAction": "osdpreparesmsclient.exe",
}

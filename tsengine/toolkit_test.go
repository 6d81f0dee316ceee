package tsengine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/step"
)

const osGUID = "{d56089d4-293b-45d4-858f-c60992c4f1e1}"

// marks is a machine.Tattoo.
type marks struct {
	prefix string
	facts  []machine.Fact
}

func (m *marks) Tattoo(_ context.Context, prefix string, facts []machine.Fact) (string, error) {
	m.prefix, m.facts = prefix, facts
	return "/etc/marks", nil
}

// toolkitPartition is the step as MDT's templates have it.
func toolkitPartition() string {
	return toolkit("SMS_TaskSequence_PartitionDiskAction", "ZTIDiskpart.wsf", item("OSDDiskIndex", "0")+item("OSDPartitionStyle", "GPT")+item("OSDPartitions", "1")+item("OSDPartitions0Type", "Primary")+
		item("OSDPartitions0FileSystem", "NTFS")+item("OSDPartitions0Size", "100")+item("OSDPartitions0SizeUnits", "Percent")+item("OSDPartitions0VolumeLetterVariable", "OSDisk"))
}

func installStep(inputs string) string {
	return toolkit("BDD_InstallOS", "LTIApply.wsf", item("OSGUID", osGUID)+item("DestinationDisk", "0")+item("DestinationPartition", "1")+inputs)
}

const restartOfMDT = `<step type="SMS_TaskSequence_RebootAction" name="Restart computer" successCodeList="0 3010"><action>smsboot.exe /target:WinPE</action></step>`

// TS-181: a sequence of MDT goes from the boot environment into the system that it applied, without one of its scripts.
func TestTS181ToolkitSequenceOnLinux(t *testing.T) {
	phase := func(name, body string) string {
		return `<group name="` + name + `">` + variableCondition("PHASE", "equals", name) + body + `</group>`
	}
	next := toolkit("", "ZTINextPhase.wsf", "")
	app := app(t.TempDir(), "Editor", "exit 0 Editor")
	body := toolkit("BDD_Gather", "ZTIGather.wsf", item("GatherLocalOnly", "true")) + phase("VALIDATION", next) + phase("STATECAPTURE", next) +
		phase("PREINSTALL", toolkitPartition()+toolkit("BDD_InjectDrivers", "ZTIDrivers.wsf", item("DriverSelectionProfile", "Nothing"))+next) +
		phase("INSTALL", installStep(item("DestinationOSVariable", "OSDisk")+item("DestinationOSInstallType", "ByVariable"))+next) +
		phase("POSTINSTALL", toolkit("", "LTIApply.wsf\" /post \"", "")+toolkit("", "LTICopyScripts.wsf", "")+toolkit("", "ZTIConfigure.wsf", "")+toolkit("", "ZTIdrivers.wsf", "")+next+restartOfMDT) +
		phase("STATERESTORE", toolkit("", "LTICopyScripts.wsf", "")+toolkit("BDD_InstallApplication", "ZTIApplications.wsf", item("ApplicationGUID", "{61a9f792-2d66-437c-bc9c-0bd8de22545d}"))+
			toolkit("", "ZTIUserState.wsf\" /restore \"", "")+toolkit("BDD_RecoverDomainJoin", "ZTIDomainJoin.wsf", item("DomainErrorRecovery", "Auto"))+toolkit("", "ZTITatoo.wsf", "")+next)
	b, g, m := &bench{}, &given{}, &marks{}
	set := setVariable("MDT-d56089d4-293b-45d4-858f-c60992c4f1e1", "BYD00012:2") + setVariable("MDT-61a9f792-2d66-437c-bc9c-0bd8de22545d", "Editor") + setVariable("OSDPartitions0FileSystem", "EXT4") +
		setVariable("OrgName", "Lab") + setVariable("TimeZoneName", "UTC") + setVariable("AdminPassword", " geheim 1") + setVariable("KeyboardLocale", "0407:00000407") + setVariable("UserLocale", "de-DE") + setVariable("JoinDomain", "corp.example") + setVariable("DomainAdmin", "joiner") + setVariable("DomainAdminPassword", "geheim 2")
	r := execute(t, parse(t, set+body), func(c *tsengine.Config) {
		c.Environment, c.Machine = tsengine.WinPE, b.capabilities(&commands{})
		c.Machine.Settings, c.Hardware.UEFI, c.Identity.MachineName = g, true, "pc1"
		c.Machine.Programs = &programs{linux: true}
	})
	require.Equal(t, tsengine.RestartRequested, r.result.Outcome, r.result.Error)
	require.Equal(t, step.HD, r.result.Restart.Target, "whatever is next is the system")
	require.Equal(t, "Restart computer", r.result.Step)
	require.Equal(t, []string{"BYD00012"}, b.fetched)
	require.Equal(t, 2, b.applied[0].Index)
	require.True(t, b.applied[0].Bootable)
	require.Equal(t, "EXT4", b.disk.Partitions[0].FileSystem, "a variable beats what the step says (TS-84)")
	require.Len(t, b.setup, 1, "the agent is put there once")
	require.Len(t, g.systems, 1)
	require.Equal(t, machine.SystemSettings{ComputerName: "pc1", RegisteredOrganisation: "Lab", TimeZone: "UTC", Administrator: machine.AdministratorPassword, AdminPassword: " geheim 1",
		InputLocale: "0407:00000407", SystemLocale: "de-DE", UserLocale: "de-DE"}, g.systems[0])
	require.Empty(t, g.networks, "Linux joins when it runs")

	// In the installed system.
	st, state := r.store.last(t), &migrates{none: true}
	done := &commands{on: touch(filepath.Dir(app.Types[0].Detection.File))}
	p := &programs{linux: true, has: []string{"realm"}}
	e, err := tsengine.New(tsengine.Config{Sequence: parse(t, set+body), Environment: tsengine.FullOS, Checkpoint: st, Store: r.store, Reporter: r.recorder, Sealer: sealer(t),
		Identity: tsengine.Identity{PackageID: "BYD00001", AdvertID: "BYD20000", MachineName: "pc1"},
		Machine:  machine.Capabilities{Commands: done, Programs: p, Software: &offer{apps: []wire.Application{app}}, Tattoo: m, StateStore: state, UserState: state, Content: content{b}}})
	require.NoError(t, err)
	result, err := e.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, tsengine.RestartRequested, result.Outcome, "it joined: %s", result.Error)
	require.FileExists(t, app.Types[0].Detection.File)
	require.Equal(t, []string{"request restore"}, state.calls, "nothing was captured, and that is no failure")
	require.Contains(t, strings.Join(p.started, "\n"), "realm join")
	require.NotContains(t, strings.Join(p.started, "\n"), "geheim")
}

func sealer(t *testing.T) tsengine.Sealer {
	t.Helper()
	s, err := tsengine.NewSealer(make([]byte, 32))
	require.NoError(t, err)
	return s
}

// In the installed system: what is there is done, what is not needed says so, and facts stay behind.
func TestToolkitInTheInstalledSystem(t *testing.T) {
	dir, m, state := t.TempDir(), &marks{}, &migrates{none: true}
	o := &offer{apps: []wire.Application{app(dir, "Editor", "exit 0 Editor"), app(dir, "Player", "exit 0 Player"), app(dir, "Broken", "exit 5")}}
	on := func(body string) run {
		return execute(t, parse(t, body), func(c *tsengine.Config) {
			c.Machine.Software, c.Machine.Tattoo, c.Machine.StateStore, c.Machine.UserState, c.Machine.Content = o, m, state, state, content{&bench{}}
			c.Machine.Programs, c.Machine.Commands = &programs{linux: true}, &commands{on: touch(dir)}
			c.Identity = tsengine.Identity{PackageID: "BYD00001", AdvertID: "BYD20000", BootImageID: bootImage}
		})
	}
	editor := "{61a9f792-2d66-437c-bc9c-0bd8de22545d}"
	apps := toolkit("BDD_InstallApplication", "ZTIApplications.wsf", "")
	r := on(setVariable("MDT-61a9f792-2d66-437c-bc9c-0bd8de22545d", "Editor") + toolkit("BDD_InstallApplication", "ZTIApplications.wsf", item("ApplicationGUID", editor)))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.FileExists(t, filepath.Join(dir, "Editor"))

	r = on(setVariable("MandatoryApplications001", "Player") + setVariable("Applications001", "Broken") + setVariable("Applications002", "Editor") + apps)
	require.Equal(t, step.CodeFailed, r.result.ExitCode, "one of the list failed")
	require.FileExists(t, filepath.Join(dir, "Player"))
	require.Equal(t, tsengine.Succeeded, on(apps).result.Outcome, "an empty list installs nothing")
	r = on(toolkit("BDD_InstallApplication", "ZTIApplications.wsf", item("ApplicationGUID", editor)))
	require.Equal(t, step.CodeNotFound, r.result.ExitCode)
	require.Contains(t, r.result.Error, "MDT-61a9f792-2d66-437c-bc9c-0bd8de22545d")

	r = on(setVariable("DeploymentType", "REFRESH") + setVariable("TaskSequenceName", "Lab client") + toolkit("SMS_TaskSequence_RunCommandLineAction", "PSDTattoo.ps1", ""))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Empty(t, m.prefix)
	require.Contains(t, m.facts, machine.Fact{Name: "DeploymentType", Value: "REFRESH"})
	require.Contains(t, m.facts, machine.Fact{Name: "TaskSequenceID", Value: "BYD00001"})
	require.Contains(t, m.facts, machine.Fact{Name: "TaskSequenceName", Value: "Lab client"})
	on(setVariable("DoCapture", "YES") + toolkit("", "ZTITatoo.wsf", ""))
	require.Equal(t, "Capture", m.prefix)
	require.Contains(t, m.facts, machine.Fact{Name: "CaptureMethod", Value: "ZTI"})
	require.Contains(t, m.facts, machine.Fact{Name: "CaptureTaskSequenceID", Value: "BYD00001"})

	r = on(toolkit("", `ZTIUserState.wsf" /restore "`, "") + toolkit("", "LTICopyScripts.wsf", "") + toolkit("BDD_RecoverDomainJoin", "ZTIDomainJoin.wsf", "") + toolkit("", "ZTIDrivers.wsf", ""))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"request restore"}, state.calls)
	r = on(setVariable("DomainErrorRecovery", "Manual") + setVariable("JoinDomain", "corp.example") + toolkit("BDD_RecoverDomainJoin", "ZTIDomainJoin.wsf", ""))
	require.Contains(t, r.result.Error, "corp.example")
}

// A refresh: the state of the users is kept, the disk is imaged in the boot environment, and the restart leads there.
func TestToolkitCapture(t *testing.T) {
	m := &migrates{}
	body := setVariable("DeploymentType", "REFRESH") + toolkit("SMS_TaskSequence_RunCommandLineAction", `ZTIUserState.wsf" /capture "`, "") +
		toolkit("", `LTIApply.wsf" /PE "`, "") + restartOfMDT
	on := func(body, boot string) run {
		return migrating(t, m, &programs{linux: true}, func(c *tsengine.Config) { c.Identity.BootImageID = boot }, body)
	}
	r := on(body, bootImage)
	require.Equal(t, tsengine.RestartRequested, r.result.Outcome, r.result.Error)
	require.Equal(t, step.BootImage, r.result.Restart.Target)
	require.Equal(t, "homes", m.content)
	require.Equal(t, step.CodeNoBootTarget, on(body, "").result.ExitCode, "there is no boot image to lead to")
	m.calls = nil
	r = on(setVariable("UserDataLocation", "NONE")+toolkit("", "PSDUserState.ps1\" Capture \"", ""), "")
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Empty(t, m.calls)
	r = on(setVariable("UDShare", `\\srv\usmt`)+setVariable("UDDir", "pc1")+toolkit("", `ZTIUserState.wsf" /capture "`, ""), "")
	require.Equal(t, step.CodeNotFound, r.result.ExitCode)
	require.Contains(t, r.result.Error, "Connect To Network Folder")
	r = on(toolkit("", `ZTIUserState.wsf" /restore "`, ""), "")
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Contains(t, strings.Join(m.calls, " "), "release")
}

// Where the image goes, and what a deployment share's GUID means here.
func TestInstallOperatingSystem(t *testing.T) {
	on := func(b *bench, body string) run {
		return execute(t, parse(t, body), func(c *tsengine.Config) {
			c.Environment, c.Machine = tsengine.WinPE, b.capabilities(&commands{})
		})
	}
	image := setVariable("OSImagePackageID", "BYD00002")
	for name, c := range map[string]struct {
		body  string
		code  uint32
		error string
	}{
		"by disk and partition": {image + toolkitPartition() + installStep(item("DestinationOSInstallType", "ByDiskPartition")), 0, ""},
		"next partition":        {image + toolkitPartition() + installStep(item("DestinationOSInstallType", "NextPartition")), 0, ""},
		"PSD":                   {image + toolkit("", "PSDPartition.ps1", "") + toolkit("", "PSDApplyOS.ps1", ""), 0, ""},
		"a package itself":      {toolkitPartition() + toolkit("BDD_InstallOS", "LTIApply.wsf", item("OSGUID", "BYD00002")), 0, ""},
		"unknown":               {toolkitPartition() + installStep(""), step.CodeInvalid, "MDT-d56089d4-293b-45d4-858f-c60992c4f1e1"},
		"nothing named":         {toolkitPartition() + toolkit("BDD_InstallOS", "LTIApply.wsf", ""), step.CodeInvalid, "OSImagePackageID"},
		"no package":            {setVariable("OSImagePackageID", "../x") + toolkitPartition() + installStep(""), step.CodeInvalid, "not an image package"},
		"no variable":           {image + toolkitPartition() + installStep(item("DestinationOSInstallType", "ByVariable")), step.CodeInvalid, "DestinationOSVariable"},
		"unheard of":            {image + toolkitPartition() + installStep(item("DestinationOSInstallType", "Somewhere")), step.CodeInvalid, "NextPartition"},
		"copy without a system": {toolkit("", "LTICopyScripts.wsf", ""), step.CodeInvalid, "no operating system"},
		"post without a system": {toolkit("", `LTIApply.wsf" /post "`, ""), step.CodeInvalid, "no operating system"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{}
			r := on(b, c.body)
			require.Equal(t, c.code, r.result.ExitCode, r.result.Error)
			require.Contains(t, r.result.Error, c.error)
			if c.code == 0 {
				require.Equal(t, "BYD00002", b.applied[0].PackageID)
				require.Equal(t, 1, b.applied[0].Target.Partition)
				require.Len(t, b.setup, 1)
			}
		})
	}
	r := execute(t, parse(t, image+installStep("")), nil)
	require.Equal(t, step.CodeEnvironment, r.result.ExitCode, "only the boot environment installs")
}

// MDT's Run PowerShell Script takes a script by its path, by its name in SCRIPTROOT or of a package.
func TestToolkitPowerShell(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Set-X.ps1"), []byte("exit 0"), 0o600))
	script := func(inputs string) string {
		return `<step type="BDD_RunPowerShellAction" name="PS" successCodeList="0 3010"><action>cscript.exe "%SCRIPTROOT%\ZTIPowerShell.wsf</action><defaultVarList>` + inputs + `</defaultVarList></step>`
	}
	for name, c := range map[string]struct{ body, line, error string }{
		"by path":       {script(item("ScriptName", dir+"/Set-X.ps1") + item("Parameters", "-Mode %Mode%")), "Set-X.ps1' -Mode 7", ""},
		"in scriptroot": {setVariable("SCRIPTROOT", dir) + script(item("ScriptName", `%SCRIPTROOT%\Set-X.ps1`)), dir + "/Set-X.ps1'", ""},
		"by name":       {setVariable("SCRIPTROOT", dir) + script(item("ScriptName", "Set-X.ps1")), dir + "/Set-X.ps1'", ""},
		"of a package":  {script(item("ScriptName", "Set-X.ps1") + item("PackageID", "BYD00007")), "/cache/BYD00007/Set-X.ps1'", ""},
		"no scriptroot": {script(item("ScriptName", `%SCRIPTROOT%\Set-X.ps1`)), "", "SCRIPTROOT"},
		"nameless":      {script(""), "", "names no script"},
	} {
		r := execute(t, parse(t, setVariable("Mode", "7")+c.body), func(c *tsengine.Config) {
			c.Machine.Content, c.Machine.Programs = content{&bench{}}, &programs{linux: true}
		})
		require.Contains(t, r.result.Error, c.error, name)
		require.Equal(t, c.error == "", r.result.Outcome == tsengine.Succeeded, name)
		if c.line != "" {
			require.Contains(t, r.commands.lines[0], c.line, name)
			require.Contains(t, r.commands.lines[0], "-ExecutionPolicy Bypass", name)
		}
	}
}

// TS-180: the properties that say what kind of machine it is come from its facts.
func TestTS180Gather(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		want map[string]string
	}{
		"laptop on battery": {"wmi:\n  Win32_SystemEnclosure: [{ChassisTypes: [12]}, {ChassisTypes: [10]}]\n  Win32_Battery: [{BatteryStatus: 1}]\n  Win32_BaseBoard: [{Product: 20AB}]\n  Win32_Processor: [{Architecture: 9}]\n",
			map[string]string{"IsLaptop": "True", "IsDesktop": "False", "IsServer": "False", "IsOnBattery": "True", "Product": "20AB", "CapableArchitecture": "AMD64 X64 X86", "SupportsX64": "True"}},
		"desktop":   {"wmi:\n  Win32_SystemEnclosure: [{ChassisTypes: [3]}]\n", map[string]string{"IsLaptop": "False", "IsDesktop": "True", "IsOnBattery": "False", "Product": ""}},
		"server":    {"wmi:\n  Win32_SystemEnclosure: [{ChassisTypes: [23]}]\n  Win32_OperatingSystem: [{Version: 10.0.20348, BuildNumber: 20348, OperatingSystemSKU: 7}]\n", map[string]string{"IsServer": "True", "OSCurrentVersion": "10.0.20348", "OSCurrentBuild": "20348", "OSSKU": "SERVERSTANDARD", "OSVersion": "Other"}},
		"encrypted": {"wmi:\n  Win32_EncryptableVolume: [{ProtectionStatus: 1}]\n", map[string]string{"IsBDE": "True", "IsLaptop": ""}},
	} {
		sheetOf, err := fact.Parse([]byte(c.yaml))
		require.NoError(t, err)
		facts := ready()
		facts.OnMains = nil
		r := execute(t, parse(t, toolkit("BDD_Gather", "ZTIGather.wsf", item("GatherLocalOnly", "true"))), func(c *tsengine.Config) {
			c.Facts, c.Machine.Readiness, c.Hardware.UEFI = sheetOf, sheet{facts: facts}, true
		})
		require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
		for property, want := range c.want {
			require.Equal(t, want, r.engine.Variables().Value(property), "%s: %s", name, property)
		}
		require.Equal(t, "True", r.engine.Variables().Value("IsUEFI"))
	}
}

// Every script that has an equal here says so to lint and to the simulator; the others tell what to do instead.
func TestToolkitRemedies(t *testing.T) {
	for _, script := range []string{"ZTIPatches.wsf", "ZTIGroups.wsf", "ZTIOSRole.wsf", "ZTIWinRE.wsf", "ZTIOptIn.wsf", "ZTIApplyGPOPack.wsf", "ZTIBIOSCheck.wsf", "ZTIAppXmlGen.wsf", "LTISuspend.wsf", "PSDGroups.ps1"} {
		r := mdt(t, &programs{linux: true}, toolkit("", script, ""))
		require.Equal(t, step.CodeEnvironment, r.result.ExitCode, script)
		require.Regexp(t, "; .*(step|kernel|debug|languages)", r.result.Error, script)
	}
	n := parse(t, toolkit("SMS_TaskSequence_RunCommandLineAction", "PSDUserState.ps1\" Capture \"", "")).All()[0]
	require.IsType(t, step.ToolkitStep{}, step.Find(n))
	require.Equal(t, sequence.WinPEAndFullOS, step.Find(n).Contract().RunIn)
}

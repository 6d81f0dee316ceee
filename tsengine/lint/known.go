package lint

import (
	_ "embed"
	"regexp"
	"strings"
)

// variableNames are the first column of docs/spec/variables.tsv; a test keeps the two the same.
//
//go:embed known.txt
var variableNames string

// knownName says whether a variable belongs to the engine, a step, the toolkit's gathering or the operating system.
func knownName(name string) bool {
	return known[strings.ToLower(name)] || strings.HasPrefix(strings.ToLower(name), "_smsts") || numbered.MatchString(name)
}

// numbered are arrays and lists (TS-89, TS-90).
var numbered = regexp.MustCompile(`(?i)^(OSDPartitions|OSDAdapter|OSDApp|OSDPackage)\d+`)

var known = func() map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(variableNames + " " + elsewhere) {
		out[strings.ToLower(name)] = true
	}
	return out
}()

// elsewhere are names that mean something although no step sets them: the toolkit's (TS-180) and those of the process
// environment, which an unknown %name% is left to (TS-91).
const elsewhere = `PHASE DeploymentType DeploymentMethod DoCapture IsUEFI USMTOfflineMigration BdeInstallSuppress ApplyGPOPack
	ImageBuild ImageFlags ImageProcessor ImageSize Make Model Product SerialNumber AssetTag UUID MacAddress IPAddress DefaultGateway IsVM
	IsLaptop IsDesktop IsServer IsServerCoreOS IsHypervisorRunning SupportsHyperVRole Architecture Memory OSCurrentVersion OSCurrentBuild OSVersion
	OSInstall SkipWizard ScriptRoot DeployRoot ToolRoot DeployDrive ResourceRoot LogPath OSDComputerName TaskSequenceID TaskSequenceName
	TaskSequenceVersion ComputerName HostName UserDomain UserID UserPassword JoinDomain JoinWorkgroup MachineObjectOU Parameters VMPlatform
	OSGUID OSImagePackageID DriverPackageID DriverSelectionProfile UserDataLocation UDShare UDDir ComputerBackupLocation BackupShare BackupDir BackupFile
	FullName OrgName ProductKey TimeZoneName AdminPassword KeyboardLocale UserLocale UILanguage IsOnBattery IsBDE VMPlatform CapableArchitecture
	SupportsX86 SupportsX64 SupportsSLAT SupportsVT IsServerOS OriginalArchitecture DomainAdmin DomainAdminDomain DomainAdminPassword DomainErrorRecovery
	OSDisk BootPE SysprepDone OSSKU CaptureMedia ServerA
	windir SystemRoot SystemDrive ProgramFiles ProgramData ProgramW6432 CommonProgramFiles ALLUSERSPROFILE PUBLIC TEMP TMP comspec PATH
	PATHEXT USERNAME USERPROFILE USERDOMAIN APPDATA LOCALAPPDATA HOMEDRIVE HOMEPATH PROCESSOR_ARCHITECTURE PROCESSOR_ARCHITEW6432
	PROCESSOR_IDENTIFIER NUMBER_OF_PROCESSORS OS DATE TIME RANDOM CD ERRORLEVEL CMDCMDLINE LOGONSERVER SESSIONNAME COMPUTERNAME PSModulePath`

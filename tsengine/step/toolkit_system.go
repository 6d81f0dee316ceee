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
)

// nextStart is the run's own note that the toolkit's next restart leads to the boot environment.
const nextStart = "_BootyardNextStart"

var packageID = regexp.MustCompile(`^[A-Za-z0-9]{3}[0-9A-Fa-f]{5}$`)

// installOS is Install Operating System of MDT and PSD: Apply Operating System Image, then the agent, because the
// toolkit's restart afterwards leads into the system without another step.
func installOS(ctx context.Context, c *Context) Outcome {
	image, index, err := toolkitImage(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	inputs := []sequence.Variable{given("ImagePackageID", image), given("InstallPackageID", ""), given("DestinationDisk", ""), given("DestinationPartition", ""),
		given("DestinationVariable", ""), given("DestinationLogicalDrive", "")}
	if index != "" {
		inputs = append(inputs, given("OSDImageIndex", index))
	}
	switch how := c.toolkitValue("DestinationOSInstallType"); strings.ToLower(how) {
	case "bydiskpartition":
		inputs[2].Value, inputs[3].Value = c.toolkitValue("DestinationDisk"), c.toolkitValue("DestinationPartition")
	case "byvariable":
		name := c.toolkitValue("DestinationOSVariable")
		if name == "" {
			return Failure(CodeInvalid, errors.New("the destination is by variable and DestinationOSVariable names none"))
		}
		inputs[4].Value = name
	case "", "nextpartition":
		if drive := c.toolkitValue("DestinationOSDriveLetter"); drive != "" && how == "" {
			inputs[5].Value = drive
		}
	default:
		return Failure(CodeInvalid, fmt.Errorf("DestinationOSInstallType is %q; ByDiskPartition, ByVariable and NextPartition exist", how))
	}
	if out := (ApplyOS{}).Run(ctx, c.as("ApplyOperatingSystemAction", inputs...)); out.Err != nil {
		return out
	}
	return setUpAgent(ctx, c)
}

// toolkitImage is the image package of OSGUID, or of OSImagePackageID when that is not mapped.
func toolkitImage(c *Context) (id, index string, err error) {
	guid := c.toolkitValue("OSGUID")
	value, name := mapped(c, guid)
	if value == "" {
		value = c.toolkitValue("OSImagePackageID")
	}
	id, index, _ = strings.Cut(value, ":")
	switch {
	case value == "" && name == "":
		return "", "", errors.New("the step names no operating system; set OSImagePackageID to an image package, such as BYD00012, or BYD00012:2 for the second image")
	case value == "":
		return "", "", fmt.Errorf("the operating system %s of a deployment share is not known here; set the variable %s, or OSImagePackageID, to the image package that stands for it, such as BYD00012 or BYD00012:2", guid, name)
	case !packageID.MatchString(id):
		return "", "", fmt.Errorf("%q is not an image package; a package id such as BYD00012 is expected, with :2 for the second image", value)
	}
	return id, index, nil
}

// setUpAgent puts the agent into the applied system; the restart is a step of its own in the toolkit's sequences.
func setUpAgent(ctx context.Context, c *Context) Outcome {
	out := SetupOS{}.Run(ctx, c.as("SetupWindowsAndSMSAction"))
	out.Restart = nil
	return out
}

// copyScripts is LTICopyScripts, which makes the applied system go on with the sequence: that is the agent's work here.
func copyScripts(ctx context.Context, c *Context) Outcome {
	switch {
	case c.Environment == machine.FullOS:
		return nothing(c, "the agent that goes on with the sequence is this one")
	case c.Volumes.System() == nil:
		return Failure(CodeInvalid, errNoSystem)
	case *c.AgentOnDisk:
		return nothing(c, "the applied system has the agent that goes on with the sequence")
	}
	return setUpAgent(ctx, c)
}

// stageBootImage is LTIApply /PE: the toolkit puts Windows PE on the disk, for the restart that follows. Here the restart
// itself leads to the boot image, so what is left is to see that there is one.
func stageBootImage(_ context.Context, c *Context) Outcome {
	if c.Variables.Value("_SMSTSBootImageID") == "" {
		return Failure(CodeNoBootTarget, errors.New("no boot image is assigned to the task sequence, so the restart that follows could not lead to it; assign one (TS-110)"))
	}
	if c.Environment == machine.WinPE {
		return nothing(c, "this is the boot environment")
	}
	c.Log(smstslog.Info, "The next restart of the sequence leads to the boot environment")
	if err := c.Variables.Set(nextStart, string(BootImage)); err != nil {
		return Failure(CodeFailed, err)
	}
	return Outcome{}
}

// afterApply is LTIApply /post, which cleans up behind an image.
func afterApply(_ context.Context, c *Context) Outcome {
	if c.Volumes.System() == nil {
		return Failure(CodeInvalid, errNoSystem)
	}
	return nothing(c, "applying the image left nothing to clean up")
}

// sysprepForCapture is LTISysprep. The restart to the boot environment is a step of its own in the toolkit's sequences.
func sysprepForCapture(ctx context.Context, c *Context) Outcome {
	if strings.EqualFold(c.toolkitValue("DoCapture"), "PREPARE") {
		return nothing(c, "DoCapture is PREPARE: Prepare Windows for Capture of another product does the rest")
	}
	out := PrepareOS{}.Run(ctx, c.as("PrepareOSAction", given("OSDShutdownPreparedOs", "false")))
	out.Restart = nil
	if out.Err == nil {
		if err := c.Variables.Set(nextStart, string(BootImage)); err != nil {
			return Failure(CodeFailed, err)
		}
	}
	return out
}

// backup is ZTIBackup: an image of the system to ComputerBackupLocation.
func backup(ctx context.Context, c *Context) Outcome {
	place := c.toolkitValue("ComputerBackupLocation")
	folder := strings.TrimRight(c.toolkitValue("BackupShare"), `\`)
	if dir := c.toolkitValue("BackupDir"); folder != "" && dir != "" {
		folder += `\` + strings.Trim(dir, `\`)
	}
	file := c.toolkitValue("BackupFile")
	if file == "" {
		file = c.ComputerName() + ".wim"
	}
	switch strings.ToUpper(place) {
	case "", "NONE":
		return nothing(c, "ComputerBackupLocation asks for no backup")
	case "AUTO", "NETWORK":
		if folder == "" {
			return Failure(CodeInvalid, errors.New("BackupShare and BackupDir name no folder for the backup; a place on the machine's own disk is not used, because the disk is about to be wiped"))
		}
	default:
		if folder = strings.TrimRight(place, `\`); strings.HasSuffix(strings.ToLower(folder), ".wim") || strings.HasSuffix(strings.ToLower(folder), ".tar.zst") {
			i := strings.LastIndex(folder, `\`)
			folder, file = folder[:max(i, 0)], folder[i+1:]
		}
	}
	account := c.toolkitValue("UserID")
	if domain := c.toolkitValue("UserDomain"); account != "" && domain != "" && !strings.ContainsAny(account, `\@`) {
		account = domain + `\` + account
	}
	inputs := []sequence.Variable{given("OSDCaptureDestination", folder+`\`+file), given("OSDCaptureAccount", account), given("OSDCaptureAccountPassword", c.Input("UserPassword"))}
	if drive := c.toolkitValue("BackupDrive"); drive != "" && !strings.EqualFold(drive, "ALL") {
		inputs = append(inputs, given("OSDTargetSystemRoot", drive))
	}
	return CaptureImage{}.Run(ctx, c.as("CaptureSystemImageAction", inputs...))
}

// partitionAsToolkit is ZTIDiskpart or PSDPartition without the type of a partition step. When nothing says how, the disk
// gets what the toolkit gives it: what the firmware needs, and one partition with the rest.
func partitionAsToolkit(ctx context.Context, c *Context) Outcome {
	if c.toolkitValue("OSDPartitions", "OSDPartitions0Type") != "" || c.Argument("OSDPartitions") != "" {
		return PartitionDisk{}.Run(ctx, c.as("PartitionDiskAction"))
	}
	inputs := []sequence.Variable{given("OSDPartitions", "1"), given("OSDGPTBootDisk", fmt.Sprint(c.UEFI)), given("OSDPartitions0Type", "Primary"),
		given("OSDPartitions0FileSystem", "NTFS"), given("OSDPartitions0VolumeName", "OSDisk"), given("OSDPartitions0Size", "100"), given("OSDPartitions0SizeUnits", "Percent"),
		given("OSDPartitions0VolumeLetterVariable", "OSDisk")}
	if !c.UEFI {
		inputs = append(inputs, given("OSDPartitions0Bootable", "true"))
	}
	return PartitionDisk{}.Run(ctx, c.as("PartitionDiskAction", inputs...))
}

// disableProtectors is ZTIDisableBDEProtectors.
func disableProtectors(ctx context.Context, c *Context) Outcome {
	return DisableBitLocker{}.Run(ctx, c.as("DisableBitLockerAction", given("OSDBitLockerRebootCount", "1")))
}

// upgradeAsToolkit is BDD_UpgradeOS. The package is the one that stands for OSGUID.
func upgradeAsToolkit(ctx context.Context, c *Context) Outcome {
	if out := windowsOnly(c, "upgrading Windows"); out != nil {
		return *out
	}
	id, index, err := toolkitImage(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	inputs := []sequence.Variable{given("OSDUpgradeInstallPackageID", id)}
	if index != "" {
		inputs = append(inputs, given("OSDUpgradeInstallEditionIndex", index))
	}
	return UpgradeOS{}.Run(ctx, c.as("UpgradeOperatingSystemAction", inputs...))
}

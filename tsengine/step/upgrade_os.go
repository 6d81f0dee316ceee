package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// upgradeStarted is set while Setup works over restarts; its value is the file that Setup's rollback command writes.
const upgradeStarted = "_BootyardUpgrade"

// setupCodes are the codes of Windows Setup that administrators meet.
var setupCodes = codes{
	0xC1900210: "the compatibility scan found no issues",
	0xC1900208: "an application or a driver stands in the way; remove it or ignore the messages",
	0xC1900204: "the chosen way of installation is not available for this edition and language",
	0xC1900200: "this computer is not eligible: it does not have what the new version needs",
	0xC190020E: "there is not enough free space on the system drive",
	0xC1900101: "a driver made the upgrade fail and Windows went back",
	0xC1900107: "an earlier upgrade is not cleaned up yet; restart and try again",
	0x80070003: "Setup did not find a file it needs; is the package complete?",
	0x800700B7: "another program, often an antivirus, held Setup up",
}

// UpgradeOS is Upgrade Operating System: Windows Setup over the running Windows. A scan ends with Setup's code in
// _SMSTSOSUpgradeActionReturnCode. An upgrade restarts; the step then looks whether Setup went back, says so in
// _SMSTSSetupRollback (TS-124), and ends well either way, so that the sequence can branch on it.
type UpgradeOS struct{}

// Contract implements Step.
func (UpgradeOS) Contract() Contract {
	return Contract{Type: "UpgradeOperatingSystemAction", RunIn: sequence.FullOS, Effect: true, Component: "OSDUpgradeOS"}
}

// Run implements Step.
func (UpgradeOS) Run(ctx context.Context, c *Context) Outcome {
	if out := windowsOnly(c, "upgrading the operating system"); out != nil {
		return *out
	}
	if marker := c.Variables.Value(upgradeStarted); marker != "" {
		return afterUpgrade(c, marker)
	}
	setup, dir, err := setupProgram(ctx, c)
	if err != nil {
		return Failure(CodeContent, err)
	}
	scan, err1 := c.InputBool("OSDUpgradeScanOnly", false)
	ignore, err2 := c.InputBool("OSDUpgradeIgnoreMessages", false)
	index, err3 := c.InputInt("OSDUpgradeInstallEditionIndex", 0, 1<<16, 1)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Failure(CodeInvalid, err)
	}
	marker := filepath.Join(os.TempDir(), "bootyard-upgrade-rollback")
	args := []string{"/ImageIndex", strconv.Itoa(index), "/auto", preserved(c), "/quiet", "/noreboot"}
	if scan {
		args = append(args, "/compat", "ScanOnly")
	} else {
		if err := os.Remove(marker); err != nil && !errors.Is(err, os.ErrNotExist) {
			return Failure(CodeFailed, err)
		}
		args = append(args, "/postrollback", rollbackScript(marker))
	}
	if ignore {
		args = append(args, "/compat", "IgnoreWarning")
	}
	if update := strings.ToLower(c.Input("OSDUpgradeDynamicUpdateSettings")); update == "" || update == "disable" {
		args = append(args, "/DynamicUpdate", "Disable")
	}
	drivers, err := upgradeDrivers(ctx, c)
	if err != nil {
		return Failure(CodeContent, err)
	}
	if drivers != "" {
		args = append(args, "/InstallDrivers", drivers)
	}
	shown := strings.Join(args, " ")
	if key := strings.TrimSpace(c.Input("OSDUpgradeOsProductKey")); key != "" {
		c.Variables.AddSecret(key)
		args, shown = append(args, "/pkey", key), shown+" /pkey ********"
	}
	if more := strings.Fields(c.Input("OSDSetupAdditionalUpgradeOptions")); len(more) > 0 {
		args, shown = append(args, more...), shown+" "+strings.Join(more, " ")
	}
	out := startProgram(ctx, c, machine.Program{Name: setup, Args: args, Dir: dir, Timeout: day}, setupCodes, setup+" "+shown)
	if err := c.Variables.Set("_SMSTSOSUpgradeActionReturnCode", strconv.FormatUint(uint64(out.Code), 10)); err != nil {
		return Failure(CodeFailed, err)
	}
	if scan || out.Err != nil {
		return out
	}
	if err := errors.Join(c.Variables.Set(upgradeStarted, marker), c.Variables.Set("_SMSTSSetupRollback", "false")); err != nil {
		return Failure(CodeFailed, err)
	}
	out.Restart = &Restart{Target: HD, Again: true, Message: "Windows is being upgraded"}
	return out
}

// afterUpgrade is the step's second half, in whichever Windows started. Setup may restart several times; the agent runs
// again only when it is done.
func afterUpgrade(c *Context, marker string) Outcome {
	_, err := os.Stat(marker)
	back := err == nil
	if err := errors.Join(c.Variables.Set(upgradeStarted, ""), c.Variables.Set("_SMSTSSetupRollback", strconv.FormatBool(back))); err != nil {
		return Failure(CodeFailed, err)
	}
	if back {
		c.Log(smstslog.Warning, "Windows Setup went back to the earlier version; _SMSTSSetupRollback is true (TS-124)")
		return Outcome{}
	}
	c.Log(smstslog.Info, "Windows was upgraded")
	return Outcome{}
}

func rollbackScript(marker string) string { return `cmd.exe /c echo rollback > "` + marker + `"` }

// preserved is the way of installation; exports always have Upgrade.
func preserved(c *Context) string {
	if v := strings.TrimSpace(c.Input("OSDUpgradePreserveSettings")); v != "" {
		return v
	}
	return "Upgrade"
}

// setupProgram is setup.exe of the upgrade package or of the given folder.
func setupProgram(ctx context.Context, c *Context) (program, dir string, err error) {
	if dir = strings.TrimSpace(c.Input("OSDUpgradeInstallPath")); dir == "" {
		id := strings.TrimSpace(c.Argument("OSDUpgradeInstallPackageID"))
		if id == "" {
			return "", "", fmt.Errorf("step %q names neither an upgrade package nor a source path (feature updates by name need the update catalogue, which is not here)", c.Node.Name)
		}
		if dir, err = c.Package(ctx, id); err != nil {
			return "", "", err
		}
	}
	return filepath.Join(dir, "setup.exe"), dir, nil
}

func upgradeDrivers(ctx context.Context, c *Context) (string, error) {
	if id := strings.TrimSpace(c.Argument("OSDUpgradeDriverPackageID")); id != "" {
		return c.Package(ctx, id)
	}
	return strings.TrimSpace(c.Input("OSDUpgradeStagedContent")), nil
}

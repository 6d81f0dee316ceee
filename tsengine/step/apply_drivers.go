package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// dismCodes are exit codes of DISM.
var dismCodes = codes{
	2:          "a file was not found; is the driver package empty?",
	50:         "at least one driver could not be added, or there is no Windows on that drive; see dism.log",
	87:         "DISM does not know an option; look at OSDInstallDriversAdditionalOptions",
	0xC1510111: "no permission to write to that Windows; its drive may be read-only",
	0x80070002: "a file was not found; is the driver package empty?",
	0x8007000D: "a driver's INF file is damaged",
}

// ApplyDriverPackage is Apply Driver Package: DISM puts all drivers of a package into the Windows that was applied. In
// bootyard's own boot environment, which has no DISM, they lie on its volume and Windows adds them in its setup [C].
type ApplyDriverPackage struct{}

// Contract implements Step. Adding a driver twice does no harm.
func (ApplyDriverPackage) Contract() Contract {
	return Contract{Type: "ApplyDriverPackageAction", RunIn: sequence.WinPE, Effect: true, Repeatable: true, Component: "OSDDriverClient"}
}

// Run implements Step.
func (ApplyDriverPackage) Run(ctx context.Context, c *Context) Outcome {
	if out := driversPossible(c); out != nil {
		return *out
	}
	id := argument(c, "OSDApplyDriverDriverPackageID", "/install:")
	if id == "" {
		return Failure(CodeInvalid, fmt.Errorf("step %q names no driver package", c.Node.Name))
	}
	if c.Input("OSDApplyDriverBootCriticalContentUniqueID") != "" {
		return Failure(CodeInvalid, errors.New("a mass-storage driver by itself is for Windows before Vista; clear that part of the step"))
	}
	recurse, err := c.InputBool("OSDRecurse", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	dir, err := c.Package(ctx, id)
	if err != nil {
		return Failure(CodeContent, err)
	}
	var more []string
	if recurse {
		more = strings.Fields(c.Input("OSDInstallDriversAdditionalOptions"))
	}
	return addDrivers(ctx, c, id, dir, more)
}

// addDrivers runs DISM for one folder. The folders of a driver package are searched in any case: a package has one for
// each driver.
func addDrivers(ctx context.Context, c *Context, id, dir string, more []string) Outcome {
	system := strings.TrimRight(c.Variables.Value("OSDTargetSystemDrive"), `\`)
	if system == "" {
		return Failure(CodeInvalid, errors.New("no Windows was applied by this sequence; put an Apply Operating System Image step before this one"))
	}
	unsigned, err := c.InputBool("OSDAllowUnsignedDriver", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if !windows(c) {
		return placeDrivers(ctx, c, machine.DriverRequest{PackageID: id, Dir: dir}, unsigned || len(more) > 0)
	}
	args := []string{"/Image:" + system + `\`, "/Add-Driver", "/Driver:" + dir, "/Recurse"}
	if unsigned {
		args = append(args, "/ForceUnsigned")
	}
	return startProgram(ctx, c, machine.Program{Name: "dism.exe", Args: append(args, more...), Timeout: day}, dismCodes, "")
}

// driversPossible is the failure of a step where nothing can add drivers; nil where something can.
func driversPossible(c *Context) *Outcome {
	if c.Machine.DriverStore != nil {
		return nil
	}
	return windowsOnly(c, "adding drivers (DISM)")
}

// placeDrivers leaves drivers for the setup of Windows.
func placeDrivers(ctx context.Context, c *Context, request machine.DriverRequest, options bool) Outcome {
	system := c.Volumes.System()
	if system == nil {
		return Failure(CodeInvalid, errors.New("no Windows was applied by this sequence; put an Apply Operating System Image step before this one"))
	}
	if options {
		c.Log(smstslog.Warning, "Unsigned drivers and options of DISM have no meaning here: Windows adds the drivers itself, in its setup")
	}
	request.Target = *system
	notes, err := c.Machine.DriverStore.AddDrivers(ctx, request)
	if err != nil {
		return Failure(CodeFailed, err)
	}
	for _, note := range notes {
		c.Log(smstslog.Info, note)
	}
	return Outcome{}
}

// AutoApplyDrivers is Auto Apply Drivers: the devices of the machine are matched with the drivers that the site has, and
// the packages of the chosen ones are added by DISM.
type AutoApplyDrivers struct{}

// Contract implements Step.
func (AutoApplyDrivers) Contract() Contract {
	return Contract{Type: "AutoApplyAction", RunIn: sequence.WinPE, Effect: true, Repeatable: true, Component: "OSDDriverClient"}
}

// Run implements Step.
func (AutoApplyDrivers) Run(ctx context.Context, c *Context) Outcome {
	if out := driversPossible(c); out != nil {
		return *out
	}
	if c.Machine.Drivers == nil {
		return Failure(CodeEnvironment, errors.New("there is no driver catalogue that drivers could be chosen from; use an Apply Driver Package step with a condition on the model"))
	}
	best, err := c.InputBool("OSDAutoApplyDriverBestMatch", true)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	devices, err := c.Machine.Drivers.Devices(ctx)
	if err != nil {
		return Failure(CodeFailed, fmt.Errorf("list the devices: %w", err))
	}
	offers, err := c.Machine.Drivers.Offers(ctx, devices, list(c.Input("OSDAutoApplyDriverCategoryList")))
	if err != nil {
		return Failure(CodeFailed, fmt.Errorf("ask for drivers: %w", err))
	}
	chosen := MatchDrivers(devices, offers, best)
	if len(chosen) == 0 {
		c.Log(smstslog.Info, fmt.Sprintf("None of %d drivers fits one of %d devices", len(offers), len(devices)))
		return Outcome{}
	}
	var out Outcome
	for _, d := range chosen {
		c.Log(smstslog.Info, fmt.Sprintf("Driver %s (%s) fits %s", d.Offer.Name, d.Offer.PackageID, d.Device.Name))
		dir, err := c.Package(ctx, d.Offer.PackageID)
		if err != nil {
			return Failure(CodeContent, err)
		}
		if out = addDrivers(ctx, c, d.Offer.PackageID, dir, nil); out.Err != nil {
			return out
		}
	}
	return out
}

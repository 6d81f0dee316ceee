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

// systemProperties are the toolkit's names of what Apply Windows Settings takes, the first that is set counts.
var systemProperties = map[string][]string{
	"OSDComputerName": {"ComputerName"}, "OSDRegisteredUserName": {"FullName"}, "OSDRegisteredOrgName": {"OrgName", "Organization"}, "OSDProductKey": {"OverrideProductKey", "ProductKey"},
	"OSDTimeZone": {"TimeZoneName"}, "OSDLocalAdminPassword": {"AdminPassword"}, "OSDWindowsSettingsInputLocale": {"KeyboardLocale", "InputLocale"},
	"OSDWindowsSettingsSystemLocale": {"SystemLocale", "UserLocale"}, "OSDWindowsSettingsUserLocale": {"UserLocale"}, "OSDWindowsSettingsUILanguage": {"UILanguage"},
}

// configure is ZTIConfigure: what the properties say goes into the applied system as Apply Windows Settings and Apply
// Network Settings would write it.
func configure(ctx context.Context, c *Context) Outcome {
	if out := (ApplyWindowsSettings{}).Run(ctx, c.as("ApplyWindowsSettingsAction", systemInputs(c)...)); out.Err != nil {
		return out
	}
	return ApplyNetworkSettings{}.Run(ctx, c.as("ApplyNetworkSettingsAction", networkInputs(c)...))
}

func systemInputs(c *Context) (inputs []sequence.Variable) {
	for ours, theirs := range systemProperties {
		value := c.toolkitValue(theirs...)
		if ours == "OSDLocalAdminPassword" {
			value = c.Input(theirs[0]) // blanks at its ends belong to it
		}
		if value != "" {
			inputs = append(inputs, given(ours, value))
		}
	}
	// The toolkit knows no random password: without one the account stays as it is in the image.
	return append(inputs, given("OSDRandomAdminPassword", "false"))
}

// networkInputs are membership and adapters. Membership is left out where Linux starts: joining is a step there.
func networkInputs(c *Context) (inputs []sequence.Variable) {
	windows := c.Volumes.System() != nil && onWindowsVolume(*c.Volumes.System())
	switch domain, group := c.toolkitValue("JoinDomain"), c.toolkitValue("JoinWorkgroup"); {
	case domain != "" && windows:
		return []sequence.Variable{given("OSDNetworkJoinType", "0"), given("OSDDomainName", domain), given("OSDDomainOUName", c.toolkitValue("MachineObjectOU")),
			given("OSDJoinAccount", joinAccount(c)), given("OSDJoinPassword", c.Input("DomainAdminPassword"))}
	case domain != "":
		c.Log(smstslog.Warning, fmt.Sprintf("The system joins %s only when it runs: a Recover From Domain step there does it", domain))
	case group != "":
		return []sequence.Variable{given("OSDNetworkJoinType", "1"), given("OSDWorkgroupName", group)}
	}
	return nil
}

// onWindowsVolume goes by the file system: Linux does not start from NTFS.
func onWindowsVolume(v machine.Volume) bool { return strings.EqualFold(v.FileSystem, "NTFS") }

func joinAccount(c *Context) string {
	account, domain := c.toolkitValue("DomainAdmin"), c.toolkitValue("DomainAdminDomain")
	if account != "" && domain != "" && !strings.ContainsAny(account, `\@`) {
		return account + "@" + domain
	}
	return account
}

// networkCards is ZTINICConfig: it captures in the old system and applies in the boot environment.
func networkCards(ctx context.Context, c *Context) Outcome {
	forced := strings.Contains(strings.ToLower(c.Node.Action), "/forcecapture")
	if c.Environment == machine.FullOS && (forced || strings.EqualFold(c.Variables.Value("PHASE"), "STATECAPTURE")) {
		return CaptureNetworkSettings{}.Run(ctx, c.as("CaptureNetworkSettingsAction", given("OSDMigrateNetworkMembership", "false")))
	}
	return ApplyNetworkSettings{}.Run(ctx, c.as("ApplyNetworkSettingsAction"))
}

// recoverJoin is Recover From Domain: join what JoinDomain says. A restart follows unless DomainErrorRecovery says
// otherwise.
func recoverJoin(ctx context.Context, c *Context) Outcome {
	domain := c.toolkitValue("JoinDomain")
	recovery := strings.ToUpper(c.toolkitValue("DomainErrorRecovery"))
	if domain == "" {
		return nothing(c, "JoinDomain names no domain")
	}
	if c.Machine.Capture != nil {
		now, err := c.Machine.Capture.CaptureNetwork(ctx)
		if err == nil && now.Join == machine.JoinDomain && strings.EqualFold(now.Domain, domain) {
			return nothing(c, "the computer is a member of "+now.Domain)
		}
	}
	switch recovery {
	case "", "AUTO":
	case "FAIL", "MANUAL":
		return Failure(CodeFailed, fmt.Errorf("the computer is not a member of %s, and DomainErrorRecovery is %s: join it by hand, or set Auto", domain, recovery))
	default:
		return Failure(CodeInvalid, fmt.Errorf("DomainErrorRecovery is %q; Auto, Fail and Manual exist", recovery))
	}
	return JoinDomain{}.Run(ctx, c.as("JoinDomainWorkgroupAction", given("OSDJoinType", "0"), given("OSDJoinDomainName", domain),
		given("OSDJoinDomainOUName", c.toolkitValue("MachineObjectOU")), given("OSDJoinAccount", joinAccount(c)), given("OSDJoinPassword", c.Input("DomainAdminPassword"))))
}

// injectDrivers is Inject Drivers. A package named by DriverPackageID is added whole; else what fits the machine's
// devices, of the categories in DriverGroup001 and on or of the selection profile.
func injectDrivers(ctx context.Context, c *Context) Outcome {
	profile := c.toolkitValue("DriverSelectionProfile")
	groups := numbered(c, "DriverGroup", 3)
	id := c.toolkitValue("DriverPackageID")
	system := c.Volumes.System()
	switch {
	case c.Environment == machine.FullOS && c.Machine.Programs != nil && !c.Machine.Programs.Windows(),
		c.Environment == machine.WinPE && system != nil && !onWindowsVolume(*system):
		return nothing(c, "drivers of Windows do not fit a Linux system, whose kernel brings its own")
	case strings.EqualFold(profile, "Nothing") && len(groups) == 0 && id == "":
		return nothing(c, "the selection profile is Nothing and no DriverGroup001 is set")
	case system == nil:
		return Failure(CodeInvalid, errNoSystem)
	case id != "":
		return ApplyDriverPackage{}.Run(ctx, c.as("ApplyDriverPackageAction", given("OSDApplyDriverDriverPackageID", id), given("OSDRecurse", "true")))
	}
	if profile != "" && !strings.EqualFold(profile, "All Drivers") && !strings.EqualFold(profile, "Nothing") {
		groups = append(groups, profile)
	}
	best := !strings.EqualFold(c.toolkitValue("DriverInjectionMode"), "ALL")
	return AutoApplyDrivers{}.Run(ctx, c.as("AutoApplyAction", given("OSDAutoApplyDriverBestMatch", fmt.Sprint(best)), given("OSDAutoApplyDriverCategoryList", strings.Join(groups, ","))))
}

// tattoo is ZTITatoo: facts of the deployment stay in the deployed system, for inventory and support.
func tattoo(ctx context.Context, c *Context) Outcome {
	if c.Machine.Tattoo == nil {
		return Failure(CodeEnvironment, errors.New("there is no installed system here that could be marked (TS-21)"))
	}
	v := c.Variables.Value
	prefix := ""
	if capture := strings.ToUpper(v("DoCapture")); capture == "YES" || capture == "SYSPREP" || capture == "PREPARE" {
		prefix = "Capture" // so that they are not lost when the image is deployed
	}
	method := "ZTI"
	if strings.EqualFold(v("SkipWizard"), "NO") {
		method = "UDI"
	}
	source := "NETWORK"
	switch v("_SMSTSMediaType") {
	case "OEMMedia":
		source = "OEM"
	case "FullMedia":
		source = "MEDIA"
	}
	id, name := v("TaskSequenceID"), v("TaskSequenceName")
	if id == "" {
		id = v("_SMSTSPackageID")
	}
	if name == "" {
		name = v("_SMSTSPackageName")
	}
	facts := []machine.Fact{{Name: "DeploymentMethod", Value: method}, {Name: "DeploymentType", Value: v("DeploymentType")}, {Name: "DeploymentSource", Value: source},
		{Name: "TaskSequenceID", Value: id}, {Name: "TaskSequenceName", Value: name}, {Name: "TaskSequenceVersion", Value: v("TaskSequenceVersion")},
		{Name: "OSDPackageID", Value: v("_SMSTSPackageID")}, {Name: "OSDAdvertisementID", Value: v("_SMSTSAdvertID")}, {Name: "SiteCode", Value: v("_SMSTSSiteCode")}}
	kept := facts[:0]
	for _, f := range facts {
		if f.Name = prefix + strings.TrimPrefix(f.Name, "Deployment"); prefix == "" && (f.Name == "Method" || f.Name == "Type" || f.Name == "Source") {
			f.Name = "Deployment" + f.Name
		}
		if f.Value = c.Variables.Mask(f.Value); f.Value != "" {
			kept = append(kept, f)
		}
	}
	where, err := c.Machine.Tattoo.Tattoo(ctx, prefix, kept)
	if err != nil {
		return Failure(CodeFailed, fmt.Errorf("write the facts of the deployment: %w", err))
	}
	c.Log(smstslog.Info, fmt.Sprintf("%d facts of the deployment are in %s", len(kept), where))
	return Outcome{}
}

package step

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// property is a value that Gather found; an empty one is unknown and sets nothing.
type property struct{ name, value string }

func truthText(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// gathered are the properties of the machine that the toolkit's own Gather finds (TS-180), as far as they mean something
// here: what is about Windows' HAL, its deployment services and the toolkit's share is left out.
func gathered(ctx context.Context, c *Context) []property {
	v := c.Variables.Value
	var facts machine.ReadinessFacts
	if c.Machine.Readiness != nil {
		facts, _ = c.Machine.Readiness.Readiness(ctx)
	}
	number := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	maker, model := v("_SMSTSMake"), v("_SMSTSModel")
	platform, vm := virtualPlatform(maker, model)
	out := []property{
		{"Make", maker}, {"Model", model}, {"SerialNumber", v("_SMSTSSerialNumber")}, {"AssetTag", v("_SMSTSAssetTag")}, {"UUID", v("_SMSTSUUID")},
		{"Product", one(ctx, c, "Win32_BaseBoard", "Product")}, {"HostName", hostName(ctx, c)},
		{"IsUEFI", truthText(c.UEFI)}, {"IsVM", truthText(vm)}, {"VMPlatform", platform},
		{"Memory", number(facts.MemoryMB)}, {"ProcessorSpeed", number(facts.ProcessorMHz)},
		{"Architecture", map[int]string{32: "X86", 64: "X64"}[facts.Architecture]},
	}
	out = append(out, processor(ctx, c)...)
	out = append(out, chassis(ctx, c)...)
	out = append(out, power(ctx, c, facts), protected(ctx, c))
	out = append(out, runningSystem(ctx, c, facts)...)
	for _, numbered := range []struct{ base, list string }{{"MacAddress", v("_SMSTSMacAddresses")}, {"IPAddress", v("_SMSTSIPAddresses")}, {"DefaultGateway", v("_SMSTSDefaultGateways")}} {
		for i, value := range commas(numbered.list) {
			out = append(out, property{fmt.Sprintf("%s%03d", numbered.base, i+1), strings.ToUpper(value)})
		}
	}
	// MDT's starter sets these before the sequence begins.
	if v("DeploymentType") == "" {
		out = append(out, property{"DeploymentType", map[machine.Environment]string{machine.WinPE: "NEWCOMPUTER", machine.FullOS: "REFRESH"}[c.Environment]})
	}
	if v("PHASE") == "" {
		out = append(out, property{"PHASE", "VALIDATION"})
	}
	return out
}

// instances are those of a class; none when nothing is known.
func instances(ctx context.Context, c *Context, class string) []fact.Instance {
	if c.Instances == nil {
		return nil
	}
	return c.Instances(ctx, class)
}

func text(i fact.Instance, name string) string {
	value, _ := i.Property(name)
	switch v := value.(type) {
	case nil, []any:
		return ""
	case bool:
		return truthText(v)
	default:
		return strings.TrimSpace(fmt.Sprint(v))
	}
}

// one is a property of the first instance of a class.
func one(ctx context.Context, c *Context, class, name string) string {
	for _, i := range instances(ctx, c, class) {
		return text(i, name)
	}
	return ""
}

func hostName(ctx context.Context, c *Context) string {
	if c.Environment == machine.WinPE {
		return "" // a boot environment's own name says nothing of the machine
	}
	return one(ctx, c, "Win32_ComputerSystem", "Name")
}

// processor says what the processor can run. Windows' number 9 for the architecture is x64, 0 is x86, 12 is ARM64.
func processor(ctx context.Context, c *Context) []property {
	for _, i := range instances(ctx, c, "Win32_Processor") {
		switch text(i, "Architecture") {
		case "9":
			out := []property{{"CapableArchitecture", "AMD64 X64 X86"}, {"SupportsX86", "True"}, {"SupportsX64", "True"}}
			return append(out, property{"SupportsSLAT", text(i, "SecondLevelAddressTranslationExtensions")}, property{"SupportsVT", text(i, "VirtualizationFirmwareEnabled")})
		case "0":
			return []property{{"CapableArchitecture", "X86"}, {"SupportsX86", "True"}, {"SupportsX64", "False"}}
		case "12":
			return []property{{"CapableArchitecture", "ARM64"}, {"SupportsX86", "False"}, {"SupportsX64", "False"}}
		}
		return nil
	}
	return nil
}

// Types of enclosures (DSP0134, 7.4.1). Docking stations say nothing of what is docked.
var (
	docks    = []string{"12", "21"}
	laptops  = []string{"8", "9", "10", "11", "14", "18", "30", "31", "32"}
	desktops = []string{"3", "4", "5", "6", "7", "13", "15", "16", "35", "36"}
	servers  = []string{"17", "23", "25", "28", "29"}
)

// chassis says what kind of machine it is. Without an enclosure nothing is set, so a rule that asks is not misled.
func chassis(ctx context.Context, c *Context) []property {
	list := instances(ctx, c, "Win32_SystemEnclosure")
	if len(list) == 0 {
		return nil
	}
	laptop, desktop, server := false, false, false
	for _, i := range list {
		value, _ := i.Property("ChassisTypes")
		types, _ := value.([]any)
		if len(types) == 0 {
			continue
		}
		kind := fmt.Sprint(types[0])
		if slices.Contains(docks, kind) {
			continue
		}
		laptop = laptop || slices.Contains(laptops, kind)
		desktop = desktop || slices.Contains(desktops, kind)
		server = server || slices.Contains(servers, kind)
	}
	return []property{{"IsLaptop", truthText(laptop)}, {"IsDesktop", truthText(desktop)}, {"IsServer", truthText(server)}}
}

// power is true only for a machine with a battery that nothing charges.
func power(ctx context.Context, c *Context, facts machine.ReadinessFacts) property {
	if facts.OnMains != nil {
		return property{"IsOnBattery", truthText(!*facts.OnMains)}
	}
	found, mains := false, false
	for _, i := range instances(ctx, c, "Win32_Battery") {
		found, mains = true, mains || text(i, "BatteryStatus") == "2"
	}
	return property{"IsOnBattery", truthText(found && !mains)}
}

func protected(ctx context.Context, c *Context) property {
	for _, i := range instances(ctx, c, "Win32_EncryptableVolume") {
		if text(i, "ProtectionStatus") == "1" {
			return property{"IsBDE", "True"}
		}
	}
	return property{"IsBDE", "False"}
}

// runningSystem is what runs now. The toolkit calls its boot environment WinPE and what it does not know Other.
func runningSystem(ctx context.Context, c *Context, facts machine.ReadinessFacts) []property {
	version, build := one(ctx, c, "Win32_OperatingSystem", "Version"), one(ctx, c, "Win32_OperatingSystem", "BuildNumber")
	if version == "" {
		version = facts.OSVersion
	}
	out := []property{{"OSCurrentVersion", version}, {"OSCurrentBuild", build}}
	if c.Environment == machine.WinPE {
		return append(out, property{"OSVersion", "WinPE"}, property{"IsServerOS", "False"}, property{"IsServerCoreOS", "False"})
	}
	out = append(out, property{"OSVersion", "Other"}, property{"OriginalArchitecture", map[int]string{32: "X86", 64: "X64"}[facts.Architecture]})
	if facts.OSType != "" {
		out = append(out, property{"IsServerOS", truthText(strings.EqualFold(facts.OSType, "SERVER"))})
	}
	return append(out, property{"OSSKU", editions[one(ctx, c, "Win32_OperatingSystem", "OperatingSystemSKU")]})
}

// editions are names of Windows' editions by their number.
var editions = map[string]string{
	"1": "ULTIMATE", "2": "HOMEBASIC", "3": "HOMEPREMIUM", "4": "ENTERPRISE", "5": "HOMEBASICN", "6": "BUSINESS", "7": "SERVERSTANDARD", "8": "SERVERDATACENTER",
	"10": "SERVERENTERPRISE", "12": "SERVERDATACENTERCORE", "13": "SERVERSTANDARDCORE", "27": "ENTERPRISEN", "48": "PROFESSIONAL", "49": "PROFESSIONALN",
	"72": "ENTERPRISEEVAL", "101": "CORE", "121": "EDUCATION", "122": "EDUCATIONN", "125": "ENTERPRISES", "126": "ENTERPRISESN", "129": "ENTERPRISESEVAL",
	"161": "PROFESSIONALWORKSTATION", "164": "PROFESSIONALEDUCATION",
}

// virtualPlatform goes by the makers' names.
func virtualPlatform(maker, model string) (platform string, vm bool) {
	text := strings.ToLower(maker + " " + model)
	for _, known := range [][2]string{{"vmware", "VMware"}, {"virtualbox", "VirtualBox"}, {"virtual machine", "Hyper-V"}, {"qemu", "KVM"}, {"kvm", "KVM"}, {"xen", "Xen"}, {"bochs", "Bochs"}, {"parallels", "Parallels"}} {
		if strings.Contains(text, known[0]) {
			return known[1], true
		}
	}
	return "", false
}

package tsengine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
)

// given records the settings that an operating system was given.
type given struct {
	systems  []machine.SystemSettings
	networks []machine.NetworkSettings
	expanded []string
	err      error
}

func (g *given) ApplySystem(_ context.Context, r machine.SystemRequest) ([]string, error) {
	g.systems = append(g.systems, r.Settings)
	return []string{"done"}, g.err
}

func (g *given) ApplyNetwork(_ context.Context, r machine.NetworkRequest) ([]string, error) {
	g.networks = append(g.networks, r.Settings)
	return nil, g.err
}

func (g *given) ExpandAnswers(_ context.Context, _ machine.Volume, expand func(string) string) error {
	g.expanded = append(g.expanded, expand("%OSDComputerName% %WINDIR%"))
	return g.err
}

// applied is a sequence that has an operating system to give settings to.
func applied(body ...string) string {
	return partitionStep() + typed("ApplyOperatingSystemAction", "Apply", `runIn="WinPE"`, hidden("ImagePackageID", "BYD00002"), hidden("DestinationVariable", "OSDisk")) + strings.Join(body, "")
}

func withSettings(t *testing.T, g *given, body string) run {
	t.Helper()
	b := &bench{}
	return execute(t, parse(t, body), func(c *tsengine.Config) {
		c.Environment, c.Machine = tsengine.WinPE, b.capabilities(&commands{})
		c.Machine.Settings = g
		c.Identity.MachineName = "pc1"
		c.Hardware.MACAddresses = []string{"02:00:00:00:00:0a", "02:00:00:00:00:0b"}
	})
}

func TestApplyWindowsSettings(t *testing.T) {
	g := &given{}
	r := withSettings(t, g, setVariable("Site", "HQ")+applied(typed("ApplyWindowsSettingsAction", "Windows", `runIn="WinPE"`, item("OSDComputerName", "%_SMSTSMachineName%"), item("OSDRegisteredUserName", "%Site% user"),
		item("OSDTimeZone", "AUS Eastern Standard Time"), item("OSDRandomAdminPassword", "false"), item("OSDLocalAdminPassword", "Geheim-99"), item("OSDProductKey", "AAAAA-BBBBB"),
		item("OSDServerLicenseMode", "PerServer"), item("OSDServerLicenseConnectionLimit", "5"), item("OSDWindowsSettingsUILanguage", "de-DE"))))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []machine.SystemSettings{{ComputerName: "pc1", RegisteredUser: "HQ user", TimeZone: "AUS Eastern Standard Time", ProductKey: "AAAAA-BBBBB", Administrator: machine.AdministratorPassword,
		AdminPassword: "Geheim-99", License: "PerServer", Connections: 5, UILanguage: "de-DE"}}, g.systems)
	for _, save := range r.store.saves {
		require.NotContains(t, string(save), "Geheim-99")
	}
}

// TS-84: the device's own name beats the step's default. A random password is the default, and the given one then does
// not count.
func TestApplyWindowsSettingsTS84(t *testing.T) {
	g := &given{}
	r := withSettings(t, g, setVariable("OSDComputerName", "BOX-7")+applied(typed("ApplyWindowsSettingsAction", "Windows", "", item("OSDComputerName", "%_SMSTSMachineName%"), item("OSDLocalAdminPassword", "Geheim-99"))))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []machine.SystemSettings{{ComputerName: "BOX-7", Administrator: machine.AdministratorDisabled}}, g.systems)
}

func TestApplySettingsErrors(t *testing.T) {
	windows := func(v ...string) string { return typed("ApplyWindowsSettingsAction", "Windows", "", v...) }
	network := func(v ...string) string { return typed("ApplyNetworkSettingsAction", "Network", "", v...) }
	for name, c := range map[string]struct {
		body, want string
		code       uint32
	}{
		"no system":       {windows(), "Apply Operating System Image", step.CodeInvalid},
		"long owner":      {applied(windows(item("OSDRegisteredUserName", strings.Repeat("x", 256)))), "255", step.CodeInvalid},
		"license":         {applied(windows(item("OSDServerLicenseMode", "PerHead"))), "PerSeat", step.CodeInvalid},
		"connections":     {applied(windows(item("OSDServerLicenseMode", "PerServer"), item("OSDServerLicenseConnectionLimit", "4"))), "5 to 9999", step.CodeInvalid},
		"random":          {applied(windows(item("OSDRandomAdminPassword", "maybe"))), "true or false", step.CodeInvalid},
		"join type":       {applied(network(item("OSDNetworkJoinType", "2"))), "0 (domain)", step.CodeInvalid},
		"no domain":       {applied(network(item("OSDNetworkJoinType", "0"))), "OSDDomainName", step.CodeInvalid},
		"long group":      {applied(network(item("OSDNetworkJoinType", "1"), item("OSDWorkgroupName", strings.Repeat("x", 33)))), "32", step.CodeInvalid},
		"count":           {applied(network(item("OSDAdapterCount", "many"))), "0 to 64", step.CodeInvalid},
		"no DHCP":         {applied(network(item("OSDAdapterCount", "1"))), "EnableDHCP is required", step.CodeInvalid},
		"no address":      {applied(network(item("OSDAdapterCount", "1"), item("OSDAdapter0EnableDHCP", "false"))), "IPAddressList", step.CodeInvalid},
		"no mask":         {applied(network(item("OSDAdapterCount", "1"), item("OSDAdapter0EnableDHCP", "false"), item("OSDAdapter0IPAddressList", "192.0.2.1"))), "subnet mask", step.CodeInvalid},
		"bad mask":        {applied(network(item("OSDAdapterCount", "1"), item("OSDAdapter0EnableDHCP", "false"), item("OSDAdapter0IPAddressList", "192.0.2.1"), item("OSDAdapter0SubnetMask", "255.0.255.0"))), "subnet mask", step.CodeInvalid},
		"bad MAC":         {applied(network(item("OSDAdapterCount", "1"), item("OSDAdapter0EnableDHCP", "true"), item("OSDAdapter0MacAddress", "zz"))), "MAC address", step.CodeInvalid},
		"no such card":    {applied(network(item("OSDAdapterCount", "3"), item("OSDAdapter0EnableDHCP", "true"), item("OSDAdapter1EnableDHCP", "true"), item("OSDAdapter2EnableDHCP", "true"))), "has 2 network cards", step.CodeInvalid},
		"injection":       {applied(network(item("OSDDNSDomain", "a.example\nDNS=1.2.3.4"))), "not a DNS domain", step.CodeInvalid},
		"bad name server": {applied(network(item("OSDAdapterCount", "1"), item("OSDAdapter0EnableDHCP", "true"), item("OSDAdapter0DNSServerList", "here"))), "not an address", step.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			g := &given{}
			r := withSettings(t, g, c.body)
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Equal(t, c.code, r.result.ExitCode, r.result.Error)
			require.Contains(t, r.result.Error, c.want)
			require.Empty(t, g.systems)
			require.Empty(t, g.networks)
		})
	}
	r := withSettings(t, &given{err: errors.New("the image does not know the time zone")}, applied(windows()))
	require.Equal(t, step.CodeFailed, r.result.ExitCode)
	require.Contains(t, r.result.Error, "time zone")
}

// TS-89: without OSDAdapterCount all OSDAdapter values are ignored.
func TestApplyNetworkSettingsTS89(t *testing.T) {
	g := &given{}
	r := withSettings(t, g, applied(
		typed("ApplyNetworkSettingsAction", "First", "", item("OSDNetworkJoinType", "1"), item("OSDWorkgroupName", "LAB"), item("OSDAdapter0EnableDHCP", "true")),
		typed("ApplyNetworkSettingsAction", "Second", "", item("OSDNetworkJoinType", "0"), item("OSDDomainName", "lab.example"), item("OSDDomainOUName", "LDAP://OU=PCs,DC=lab"), item("OSDJoinAccount", `LAB\join`), item("OSDJoinPassword", "secret-pw"),
			item("OSDDNSDomain", "lab.example"), item("OSDDNSSuffixSearchOrder", "a.example, b.example"), item("OSDAdapterCount", "2"),
			item("OSDAdapter0EnableDHCP", "false"), item("OSDAdapter0IPAddressList", "192.0.2.10, 2001:db8::5"), item("OSDAdapter0SubnetMask", "255.255.255.0,64"), item("OSDAdapter0Gateways", "192.0.2.1"), item("OSDAdapter0DNSServerList", "192.0.2.53"),
			item("OSDAdapter0MacAddress", "02-00-00-00-00-FF"), item("OSDAdapter0TcpipNetbiosOptions", "2"), item("OSDAdapter0EnableDNSRegistration", "false"),
			item("OSDAdapter1EnableDHCP", "true"), item("OSDAdapter1DNSSuffix", "c.example"))))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	two, no := 2, false
	require.Equal(t, []machine.NetworkSettings{
		{Join: machine.JoinWorkgroup, Workgroup: "LAB"},
		{Join: machine.JoinDomain, Domain: "lab.example", OU: "LDAP://OU=PCs,DC=lab", JoinAccount: `LAB\join`, JoinPassword: "secret-pw", DNSDomain: "lab.example", SuffixSearch: []string{"a.example", "b.example"}, AdaptersGiven: true,
			Adapters: []machine.Adapter{{MAC: "02:00:00:00:00:ff", Addresses: []string{"192.0.2.10/24", "2001:db8::5/64"}, Gateways: []string{"192.0.2.1"}, DNSServers: []string{"192.0.2.53"}, NetBIOSOptions: &two, RegisterDNS: &no},
				{MAC: "02:00:00:00:00:0b", DHCP: true, DNSDomain: "c.example"}}}}, g.networks)

	// MDT's template has the step with no adapter at all, also in the installed system.
	r = execute(t, parse(t, typed("ApplyNetworkSettingsAction", "Network", "", item("OSDAdapterCount", "0"), item("OSDAdapter", "0"))), nil)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	r = execute(t, parse(t, typed("ApplyNetworkSettingsAction", "Network", "", item("OSDDNSDomain", "lab.example"))), nil)
	require.Equal(t, step.CodeEnvironment, r.result.ExitCode)
}

// TS-92: Setup Windows and ConfigMgr fills the variables into the answer file.
func TestTS92AnswerFile(t *testing.T) {
	g := &given{}
	r := withSettings(t, g, setVariable("OSDComputerName", "BOX-7")+applied(typed("SetupWindowsAndSMSAction", "Setup", `runIn="WinPE"`)))
	require.Equal(t, tsengine.RestartRequested, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"BOX-7 %WINDIR%"}, g.expanded)
	r = withSettings(t, &given{err: errors.New("the answer file is broken")}, applied(typed("SetupWindowsAndSMSAction", "Setup", `continueOnError="true"`)))
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.Contains(t, r.result.Error, "broken")
}

type captured struct {
	system  machine.SystemSettings
	network machine.NetworkSettings
	err     error
}

func (c captured) CaptureSystem(context.Context) (machine.SystemSettings, error) {
	return c.system, c.err
}
func (c captured) CaptureNetwork(context.Context) (machine.NetworkSettings, error) {
	return c.network, c.err
}

func TestCaptureSettings(t *testing.T) {
	c := captured{system: machine.SystemSettings{ComputerName: "OLD-1", RegisteredOrganisation: "Org", TimeZone: "Tokyo Standard Time"},
		network: machine.NetworkSettings{Join: machine.JoinWorkgroup, Workgroup: "LAB", DNSDomain: "lab.example", Adapters: []machine.Adapter{
			{MAC: "02:00:00:00:00:0a", Name: "Ethernet", Addresses: []string{"192.0.2.10/24"}, Gateways: []string{"192.0.2.1"}, DNSServers: []string{"192.0.2.2", "192.0.2.3"}}, {MAC: "02:00:00:00:00:0b", DHCP: true}}}}
	show := command("show", "%OSDComputerName% %OSDRegisteredOrgName% %OSDTimeZone%|%OSDNetworkJoinType% %OSDWorkgroupName%|%OSDAdapterCount% %OSDAdapter0EnableDHCP% %OSDAdapter0IPAddressList% %OSDAdapter0SubnetMask% %OSDAdapter0DNSServerList% %OSDAdapter1EnableDHCP% %OSDAdapter1MacAddress%", "")
	body := typed("CaptureWindowsSettingsAction", "w", "", item("OSDMigrateRegistrationInfo", "false")) + typed("CaptureNetworkSettingsAction", "n", "") + show
	r := execute(t, parse(t, body), func(cfg *tsengine.Config) { cfg.Machine.Capture = c })
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"OLD-1 %OSDRegisteredOrgName% Tokyo Standard Time|1 LAB|2 false 192.0.2.10 255.255.255.0 192.0.2.2,192.0.2.3 true 02:00:00:00:00:0b"}, r.commands.lines)

	body = typed("CaptureNetworkSettingsAction", "n", "", item("OSDMigrateAdapterSettings", "false"), item("OSDMigrateNetworkMembership", "false")) + command("show", "%OSDAdapterCount% %OSDNetworkJoinType%", "")
	r = execute(t, parse(t, body), func(cfg *tsengine.Config) { cfg.Machine.Capture = c })
	require.Equal(t, []string{"%OSDAdapterCount% %OSDNetworkJoinType%"}, r.commands.lines)

	for kind, code := range map[string]uint32{"CaptureWindowsSettingsAction": step.CodeFailed, "CaptureNetworkSettingsAction": step.CodeFailed} {
		r = execute(t, parse(t, typed(kind, "x", "")), func(cfg *tsengine.Config) { cfg.Machine.Capture = captured{err: errors.New("no registry")} })
		require.Equal(t, code, r.result.ExitCode)
		require.Contains(t, r.result.Error, "no registry")
		r = execute(t, parse(t, typed(kind, "x", "")), nil)
		require.Equal(t, step.CodeEnvironment, r.result.ExitCode)
	}
}

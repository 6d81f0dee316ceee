package tsengine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

type sheet struct {
	facts machine.ReadinessFacts
	err   error
}

func (s sheet) Readiness(context.Context) (machine.ReadinessFacts, error) { return s.facts, s.err }

func ready() machine.ReadinessFacts {
	yes := true
	number := func(n int64) *int64 { return &n }
	return machine.ReadinessFacts{MemoryMB: number(4096), ProcessorMHz: number(2000), FreeDiskMB: number(50000), OSType: "CLIENT", Architecture: 64,
		OSVersion: "10.0.19045", ClientVersion: "5.0.9122.1000", LanguageID: 1033, OnMains: &yes, Connected: &yes, Wired: &yes, UEFI: &yes, TPMEnabled: &yes, TPMActivated: &yes}
}

// allChecks switches everything on, as the editor writes it.
func allChecks() []string {
	out := []string{}
	for name, value := range map[string]string{"OSDMemory": "2048", "OSDProcessorSpeed": "1024", "OSDFreeDiskSpace": "5120", "OSDOSType": "CLIENT",
		"OSDOSArchitecture": "64", "OSDMinOSVersion": "10.0.16299", "OSDMaxOSVersion": "10.0.22000", "OSDCMClientMinVersion": "5.00.9000.1", "OSDOSLanguageID": "1033"} {
		out = append(out, item(name, value))
	}
	for _, name := range []string{"Memory", "ProcessorSpeed", "FreeDiskSpace", "OSType", "OSArchitecture", "MinOSVersion", "MaxOsVersion", "CMClientMinVersion",
		"OSLanguageID", "PowerState", "NetworkConnected", "NetworkWired", "DeviceUEFI", "DeviceTpmEnabled", "DeviceTpmActivated"} {
		out = append(out, item("OSDCheck"+name, "true"))
	}
	return out
}

var readinessOutputs = strings.Fields("MEMORY SPEED DISK OSTYPE ARCH MINOSVER MAXOSVER CLIENTMINVER OSLANGUAGE ACPOWER NETWORK UEFI WIRED TPMENABLED TPMACTIVATED")

// outputs shows the _TS_CR variables to a command and returns what it saw.
func outputs() string {
	var line []string
	for _, o := range readinessOutputs {
		line = append(line, o+"=%_TS_CR"+o+"%")
	}
	return command("show", strings.Join(line, " "), "")
}

func TestCheckReadiness(t *testing.T) {
	no, few := false, int64(1024)
	for name, c := range map[string]struct {
		change func(*machine.ReadinessFacts)
		failed string // outputs that are 0
	}{
		"all well":  {func(*machine.ReadinessFacts) {}, ""},
		"memory":    {func(f *machine.ReadinessFacts) { f.MemoryMB = &few }, "MEMORY"},
		"speed":     {func(f *machine.ReadinessFacts) { f.ProcessorMHz = nil }, "SPEED"},
		"disk":      {func(f *machine.ReadinessFacts) { f.FreeDiskMB = &few }, "DISK"},
		"type":      {func(f *machine.ReadinessFacts) { f.OSType = "SERVER" }, "OSTYPE"},
		"bits":      {func(f *machine.ReadinessFacts) { f.Architecture = 32 }, "ARCH"},
		"too old":   {func(f *machine.ReadinessFacts) { f.OSVersion = "10.0.9999" }, "MINOSVER"},
		"too new":   {func(f *machine.ReadinessFacts) { f.OSVersion = "10.0.22631" }, "MAXOSVER"},
		"unknown":   {func(f *machine.ReadinessFacts) { f.OSVersion = "" }, "MINOSVER MAXOSVER"},
		"client":    {func(f *machine.ReadinessFacts) { f.ClientVersion = "5.00.8999.9" }, "CLIENTMINVER"},
		"language":  {func(f *machine.ReadinessFacts) { f.LanguageID = 1031 }, "OSLANGUAGE"},
		"battery":   {func(f *machine.ReadinessFacts) { f.OnMains = &no }, "ACPOWER"},
		"radio":     {func(f *machine.ReadinessFacts) { f.Wired = &no }, "WIRED"},
		"all false": {func(f *machine.ReadinessFacts) { *f = machine.ReadinessFacts{UEFI: &no} }, strings.Join(readinessOutputs, " ")},
	} {
		t.Run(name, func(t *testing.T) {
			facts := ready()
			c.change(&facts)
			body := `<group name="g" continueOnError="true">` + typed("PrestartCheckAction", "Ready?", "", allChecks()...) + `</group>` +
				command("code", "echo %_SMSTSLastActionRetCode% %_SMSTSLastActionSucceeded%", "") + outputs()
			dir := t.TempDir()
			log, err := smstslog.Open(dir, smstslog.Options{})
			require.NoError(t, err)
			r := execute(t, parse(t, body), func(cfg *tsengine.Config) { cfg.Machine.Readiness, cfg.Log = sheet{facts: facts}, log })
			require.NoError(t, log.Close())
			require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
			want := "echo 0 true"
			if c.failed != "" {
				want = "echo 4316 false"
			}
			require.Equal(t, want, r.commands.lines[0])
			for _, pair := range strings.Fields(r.commands.lines[1]) {
				name, value, _ := strings.Cut(pair, "=")
				want := "1"
				if strings.Contains(" "+c.failed+" ", " "+name+" ") {
					want = "0"
				}
				require.Equal(t, want, value, name)
			}
			text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
			require.NoError(t, err)
			require.Equal(t, 15, strings.Count(string(text), "LOG[Check of "), "all checks run and are logged")
			require.Equal(t, len(strings.Fields(c.failed)), strings.Count(string(text), " failed: found "))
		})
	}
}

// What the editor left empty, "  . .", is no value; what is off is not checked, and its output is empty.
func TestCheckReadinessMasks(t *testing.T) {
	body := typed("PrestartCheckAction", "Ready?", "", item("OSDCheckMemory", "true"), item("OSDMemory", "2048"), item("OSDCheckMinOSVersion", "true"), item("OSDMinOSVersion", "  . ."),
		item("OSDCheckCMClientMinVersion", "false"), item("OSDCMClientMinVersion", " .  .    .    "), item("OSDCheckDeviceUEFI", "false")) + outputs()
	r := execute(t, parse(t, body), func(c *tsengine.Config) { c.Machine.Readiness = sheet{facts: ready()} })
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Contains(t, r.commands.lines[0], "MEMORY=1 SPEED=%_TS_CRSPEED% ")
	require.Contains(t, r.commands.lines[0], "MINOSVER=%_TS_CRMINOSVER%")
	require.Contains(t, r.commands.lines[0], "UEFI=%_TS_CRUEFI%")
}

func TestCheckReadinessErrors(t *testing.T) {
	check := func(name, value string) string {
		return typed("PrestartCheckAction", "Ready?", "", item("OSDCheck"+name, "true"), item("OSD"+name, value))
	}
	for name, c := range map[string]struct {
		body  string
		facts machine.Readiness
		code  uint32
		want  string
	}{
		"not a number": {check("Memory", "much"), sheet{facts: ready()}, step.CodeInvalid, "OSDMemory"},
		"bad version":  {check("MinOSVersion", "ten"), sheet{facts: ready()}, step.CodeInvalid, "10.0.19045"},
		"bad type":     {check("OSType", "PHONE"), sheet{facts: ready()}, step.CodeInvalid, "CLIENT nor SERVER"},
		"no source":    {check("Memory", "1"), nil, step.CodeEnvironment, "nothing is known"},
		"broken":       {check("Memory", "1"), sheet{err: errors.New("no sysfs")}, step.CodeFailed, "no sysfs"},
		"bad switch":   {typed("PrestartCheckAction", "Ready?", "", item("OSDCheckMemory", "perhaps")), sheet{}, step.CodeInvalid, "true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			r := execute(t, parse(t, c.body), func(cfg *tsengine.Config) { cfg.Machine.Readiness = c.facts })
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Equal(t, c.code, r.result.ExitCode)
			require.Contains(t, r.result.Error, c.want)
		})
	}
}

package tsengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
)

func toolkit(kind, script, inputs string) string {
	if kind != "" {
		kind = `type="` + kind + `"`
	}
	return `<step ` + kind + ` name="MDT" successCodeList="0 3010"><defaultVarList>` + inputs + `</defaultVarList><action>cscript.exe "%SCRIPTROOT%\` + script + `"</action></step>`
}

func mdt(t *testing.T, p *programs, body string) run {
	t.Helper()
	return execute(t, parse(t, body), func(c *tsengine.Config) {
		c.Machine.Programs, c.Machine.Readiness = p, sheet{facts: ready()}
		c.Hardware = tsengine.Hardware{Make: "QEMU", Model: "Standard PC", SerialNumber: "S1", UEFI: true, MACAddresses: []string{"02:00:00:00:00:0a"}}
	})
}

// TS-180: what sequences branch on; TS-181: NextPhase moves PHASE on, empties it at the end, and leaves an unset one.
func TestPhaseTS181(t *testing.T) {
	next := toolkit("", "ZTINextPhase.wsf", "")
	r := mdt(t, &programs{linux: true}, toolkit("BDD_Gather", "ZTIGather.wsf", item("GatherLocalOnly", "true"))+next+next)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	for name, want := range map[string]string{"PHASE": "PREINSTALL", "DeploymentType": "REFRESH", "IsVM": "True", "IsUEFI": "True", "Make": "QEMU", "SerialNumber": "S1", "MacAddress001": "02:00:00:00:00:0A"} {
		require.Equal(t, want, r.engine.Variables().Value(name), name)
	}
	r = mdt(t, &programs{linux: true}, setVariable("PHASE", "staterestore")+toolkit("SMS_TaskSequence_RunPowerShellScriptAction", "", item("ScriptName", "PSDNextPhase.ps1")))
	require.Empty(t, r.engine.Variables().Value("PHASE"), "done")
	r = mdt(t, &programs{linux: true}, next)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Empty(t, r.engine.Variables().Value("PHASE"))
	r = mdt(t, &programs{linux: true}, setVariable("DeploymentMethod", "OSD")+setVariable("PHASE", "PREINSTALL")+next)
	require.Equal(t, "POSTINSTALL", r.engine.Variables().Value("PHASE"))
}

func TestGatherRules(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "CustomSettings.ini")
	require.NoError(t, os.WriteFile(rules, []byte("\uFEFF; rules\r\n[Settings]\r\nPriority=SerialNumber, MacAddress, Make, Default\r\nProperties=Mine\r\n"+
		"[S1]\r\nOSDComputerName=PC-%SerialNumber%\r\n[02:00:00:00:00:0A]\r\nMine = by card\r\n[QEMU]\r\nSubsection=Virtual-%IsVM%\r\nMine=late\r\n[Virtual-True]\r\nKind=\"vm\"\r\n[Default]\r\nOSDComputerName=other\r\nOSInstall=Y\r\nnonsense\r\n"), 0o600))
	r := mdt(t, &programs{linux: true}, toolkit("BDD_Gather", "ZTIGather.wsf", item("GatherLocalOnly", "false")+item("RulesFile", rules)))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	for name, want := range map[string]string{"OSDComputerName": "PC-S1", "Mine": "by card", "Kind": "vm", "OSInstall": "Y"} {
		require.Equal(t, want, r.engine.Variables().Value(name), name)
	}
	r = mdt(t, &programs{linux: true}, toolkit("BDD_Gather", "ZTIGather.wsf", ""))
	require.Equal(t, step.CodeNotFound, r.result.ExitCode)
	require.Contains(t, r.result.Error, "DEPLOYROOT")
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		inputs string
		code   uint32
	}{
		{item("ImageMemory", "1") + item("VerifyOS", "CLIENT"), 0}, {item("ImageMemory", "999999999"), step.CodeNotReady}, {item("VerifyOS", "SERVER"), step.CodeNotReady}, {item("ImageSize", "much"), step.CodeInvalid},
	} {
		r := mdt(t, &programs{linux: true}, toolkit("BDD_Validate", "ZTIValidate.wsf", c.inputs))
		require.Equal(t, c.code, r.result.ExitCode, c.inputs+r.result.Error)
	}
}

// On Windows the toolkit's scripts run as written where they are at hand. Off Windows one that has no equal here fails;
// none succeeds in silence.
func TestToolkitScripts(t *testing.T) {
	for body, own := range map[string]bool{toolkit("", "ZTIPatches.wsf", ""): false, toolkit("BDD_InstallOS", "LTIApply.wsf", ""): true,
		toolkit("SMS_TaskSequence_RunCommandLineAction", "LTISysprep.wsf", ""): true, toolkit("BDD_Unheard", "x.wsf", ""): false} {
		r := mdt(t, &programs{linux: true}, body)
		require.Equal(t, step.CodeEnvironment, r.result.ExitCode, body)
		require.Empty(t, r.commands.lines)
		if !own {
			r = mdt(t, &programs{}, body)
			require.Equal(t, step.CodeNotFound, r.result.ExitCode, "SCRIPTROOT is not set")
		}
		r = mdt(t, &programs{}, setVariable("SCRIPTROOT", `Z:\Scripts`)+body)
		require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
		require.Len(t, r.commands.lines, 1)
		require.Contains(t, r.commands.lines[0], `cscript.exe "Z:\Scripts\`)
	}
}

var _ machine.Programs = &programs{}

func FuzzSettings(f *testing.F) {
	f.Add("[Settings]\nPriority=Default\n[Default]\nA=B\n")
	f.Add("[\n]=\n[a]b]\n=x\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		for name, lines := range step.ParseSettings(text) {
			require.NotEmpty(t, name+"x")
			require.NotEmpty(t, lines)
		}
	})
}

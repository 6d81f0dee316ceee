package simulate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/simulate"
)

// TS-96: what rules ask about the hardware comes from the sheet's WMI classes.
func TestDescribe(t *testing.T) {
	sheet, err := fact.Parse([]byte(`
environment: winpe
variables: {A: 1}
exitCodes: {Step: 5, 3: 0xC1900210}
wmi:
  Win32_ComputerSystem: [{Manufacturer: Dell Inc., Model: Latitude 5400}]
  Win32_BIOS: [{SerialNumber: "123"}]
  Win32_ComputerSystemProduct: [{UUID: 4C4C4544-0000-1000-8000-000000000001}]
  Win32_SystemEnclosure: [{SMBIOSAssetTag: T1}]
  Win32_NetworkAdapterConfiguration:
    - {MACAddress: "00:11:22:33:44:55", IPAddress: [10.0.0.5, "fe80::1"], DefaultIPGateway: [10.0.0.1]}
    - {MACAddress: "00:11:22:33:44:66"}
`))
	require.NoError(t, err)
	rules := `&lt;Rules&gt;&lt;Rule&gt;&lt;condition&gt;&lt;expression type="SMS_TaskSequence_MakeModelConditionExpression"&gt;&lt;variable name="Make"&gt;Dell*&lt;/variable&gt;&lt;variable name="Model"&gt;Latitude ????&lt;/variable&gt;&lt;/expression&gt;&lt;/condition&gt;&lt;Variables&gt;&lt;Variable Name="Drivers"&gt;%_SMSTSModel%-%A%&lt;/Variable&gt;&lt;/Variables&gt;&lt;/Rule&gt;&lt;/Rules&gt;`
	wmi := `<condition><expression type="SMS_TaskSequence_WMIConditionExpression"><variable name="Namespace">root\cimv2</variable><variable name="Query">SELECT * FROM Win32_ComputerSystem WHERE Model LIKE "%Optiplex%"</variable></expression></condition>`
	trace := walk(t, simulate.Options{Machine: simulate.Describe(sheet),
		Sequence: parse(t, typed("SetDynamicVariablesAction", "rules", "", "OSDSetDynamicVariablesRules", rules)+group("optiplex", "", wmi+step("a", ""))+step("Step", `continueOnError="true"`)+step("b", ""))})
	require.Equal(t, "winpe", trace.Environment)
	for name, want := range map[string]string{
		"Drivers": "Latitude 5400-1", "_SMSTSSerialNumber": "123", "_SMSTSAssetTag": "T1", "_SMSTSUUID": "4C4C4544-0000-1000-8000-000000000001",
		"_SMSTSMacAddresses": "00:11:22:33:44:55,00:11:22:33:44:66", "_SMSTSIPAddresses": "10.0.0.5,fe80::1", "_SMSTSDefaultGateways": "10.0.0.1",
	} {
		require.Equal(t, want, trace.Variables[name], name)
	}
	require.Equal(t, "r s s F3247440400 n", results(walk(t, simulate.Options{Machine: simulate.Describe(sheet), Sequence: parse(t,
		step("x", "")+group("optiplex", "", wmi+step("a", ""))+step("b", "")+step("c", ""))})))
	require.Equal(t, "r s s i5 r", results(trace))
	require.Contains(t, trace.Nodes[1].Reason, "Latitude 5400")
}

// TS-181: MDT's sequence goes through its phases, and its restart leads into the system that was applied.
func TestTS180AndTS181Phases(t *testing.T) {
	phase := func(name, body string) string { return group(name, "", when("PHASE", "equals", name)+body) }
	next := `<step name="Next Phase" successCodeList="0 3010"><action>cscript.exe "%SCRIPTROOT%\ZTINextPhase.wsf"</action></step>`
	sheet, err := fact.Parse([]byte("environment: winpe\nvariables: {PHASE: PREINSTALL}"))
	require.NoError(t, err)
	trace := walk(t, simulate.Options{Machine: simulate.Describe(sheet), Sequence: parse(t, phase("VALIDATION", next)+phase("PREINSTALL", next)+
		phase("INSTALL", typed("BDD_InstallOS", "os", `successCodeList="0 3010"`)+next)+
		phase("POSTINSTALL", next+`<step type="SMS_TaskSequence_RebootAction" name="restart" successCodeList="0 3010"><action>smsboot.exe /target:WinPE</action></step>`)+
		phase("STATERESTORE", step("end", `runIn="FullOS"`)))})
	require.Equal(t, "s s r r r r r r r r r r", results(trace))
	require.Equal(t, "STATERESTORE", trace.Variables["PHASE"])
	require.Equal(t, "false", trace.Variables["_SMSTSInWinPE"])
}

// TS-181: the simulator moves PHASE by the step itself: an unset one stays and the step succeeds, the last one ends empty;
// LTIApply /PE makes MDT's restart lead to the boot environment.
func TestTS181PhaseAndRestartAsTheEngine(t *testing.T) {
	next := `<step name="Next Phase" successCodeList="0 3010"><action>cscript.exe "%SCRIPTROOT%\ZTINextPhase.wsf"</action></step>`
	for before, want := range map[string]string{"": "", "Nonsense": "Nonsense", "STATERESTORE": "", "POSTINSTALL": "STATERESTORE"} {
		trace := walk(t, simulate.Options{Sequence: parse(t, next), Machine: simulate.Machine{Environment: tsengine.FullOS, Variables: map[string]string{"PHASE": before}}})
		require.Equal(t, "r", results(trace), before)
		require.Equal(t, want, trace.Variables["PHASE"], before)
	}
	trace := walk(t, simulate.Options{Machine: simulate.Machine{Environment: tsengine.FullOS}, Sequence: parse(t,
		`<step name="PE" successCodeList="0 3010"><action>cscript.exe "%SCRIPTROOT%\LTIApply.wsf" /PE</action></step>`+
			`<step type="SMS_TaskSequence_RebootAction" name="restart" successCodeList="0 3010"><action>smsboot.exe /target:WinPE</action></step>`+step("pe", `runIn="WinPE"`))})
	require.Equal(t, "r r r", results(trace))
}

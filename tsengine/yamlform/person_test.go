package yamlform_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
	"github.com/bootyard/bootyard/tsengine/yamlform"
)

// What a person writes becomes what Configuration Manager's editor would have written.
func TestWrittenByHand(t *testing.T) {
	s, err := yamlform.Parse([]byte(`
name: Hand made   # with comments
steps:
- group: Prepare
  if: _SMSTSInWinPE equals true
  steps:
  - step: Site
    set: {Site: North}
  - step: Burn in
    run: cmd.exe /c burn.cmd %Site%
    timeout: 900
    continueOnError: true
    if:
    - any:
      - Make equals Acme Inc.
      - Model like "  box*"
      - AssetTag notExists
    - none:
      - wmi: SELECT * FROM Win32_Battery WHERE BatteryStatus > 0
  - step: Script
    powershell: |
      Get-Item x
      exit 0
- child: Apps
  variables:
    OSDSubTasksequencePackageID: LAB00034
`))
	require.NoError(t, err)
	want := `<sequence version="3.10" name="Hand made"><group name="Prepare" description=""><condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">equals</variable><variable name="Value">true</variable><variable name="Variable">_SMSTSInWinPE</variable></expression></condition>
<step type="SMS_TaskSequence_SetVariableAction" name="Site" description="" runIn="WinPEandFullOS" successCodeList="0" retryCount="0" runFromNet="false"><action>tsenv.exe "Site=North" /hiddenflag:False</action><defaultVarList><variable name="DoNotShowVariableValue" property="DoNotShowVariableValue" hidden="true">false</variable><variable name="VariableName" property="VariableName" hidden="true">Site</variable><variable name="VariableValue" property="VariableValue" hidden="true">North</variable></defaultVarList></step>
<step type="SMS_TaskSequence_RunCommandLineAction" name="Burn in" description="" continueOnError="true" runIn="WinPEandFullOS" successCodeList="0 3010" retryCount="0" runFromNet="false" timeout="900"><action>smsswd.exe /run: cmd.exe /c burn.cmd %Site%</action><defaultVarList><variable name="CommandLine" property="CommandLine" hidden="true">cmd.exe /c burn.cmd %Site%</variable></defaultVarList>
<condition><operator type="or"><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">equals</variable><variable name="Value">Acme Inc.</variable><variable name="Variable">Make</variable></expression><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">like</variable><variable name="Value">  box*</variable><variable name="Variable">Model</variable></expression><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">notExists</variable><variable name="Variable">AssetTag</variable></expression></operator><operator type="not"><expression type="SMS_TaskSequence_WMIConditionExpression"><variable name="Namespace">root\cimv2</variable><variable name="Query">SELECT * FROM Win32_Battery WHERE BatteryStatus &gt; 0</variable></expression></operator></condition></step>
<step type="SMS_TaskSequence_RunPowerShellScriptAction" name="Script" description="" runIn="WinPEandFullOS" successCodeList="0 3010" retryCount="0" runFromNet="false"><action>OSDRunPowerShellScript.exe</action><defaultVarList><variable name="OSDRunPowerShellScriptSourceScript" property="SourceScript">//5HAGUAdAAtAEkAdABlAG0AIAB4AA0ACgBlAHgAaQB0ACAAMAANAAoA</variable></defaultVarList></step></group>
<subtasksequence type="SMS_TaskSequence_SubTasksequence" name="Apps" description="" successCodeList="0" retryCount="0" runFromNet="false"><action>SubTasksequence.exe</action><defaultVarList><variable name="OSDSubTasksequencePackageID" property="TsPackageID">LAB00034</variable></defaultVarList></subtasksequence></sequence>`
	require.Equal(t, sequencetest.Canonise(t, want), sequencetest.Canonise(t, string(s.Export())))
	script, err := base64.StdEncoding.DecodeString("//5HAGUAdAAtAEkAdABlAG0AIAB4AA0ACgBlAHgAaQB0ACAAMAANAAoA")
	require.NoError(t, err)
	require.Contains(t, string(script), "\r\x00\n\x00", "PowerShell scripts have Windows line ends")
	again := string(yamlform.Marshal(s))
	for _, line := range []string{"set:", "Site: North", "run: cmd.exe /c burn.cmd %Site%", "powershell: |", "if: _SMSTSInWinPE equals true", "- child: Apps"} {
		require.Contains(t, again, line)
	}
	require.NotContains(t, again, "description")
	require.NotContains(t, again, "action")
}

func TestRefusalsNameTheLine(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		line int
		say  string
	}{
		"unknown key":         {"name: x\nsteps:\n- step: a\n  comand: x\n", 4, "comand: is unknown"},
		"unknown at the top":  {"name: x\nstep: a\n", 2, "step: is unknown"},
		"twice":               {"name: x\nname: y\n", 2, "twice"},
		"no node":             {"steps:\n- name: a\n", 2, "begin each with"},
		"two nodes":           {"steps:\n- step: a\n  group: b\n", 3, "already"},
		"steps in a step":     {"steps:\n- step: a\n  steps: []\n", 3, "only a group"},
		"condition":           {"steps:\n- step: a\n  if: PHASE is INSTALL\n", 3, "is no condition"},
		"nothing to compare":  {"steps:\n- step: a\n  if: PHASE equals\n", 3, "compares with nothing"},
		"condition key":       {"steps:\n- step: a\n  if:\n    both: []\n", 4, "is no condition"},
		"anchor":              {"name: &a x\nsteps: []\n", 1, "anchors"},
		"alias":               {"steps:\n- step: *a\n", 2, "anchors"},
		"tag":                 {"steps:\n- step: !!binary a\n", 2, "tags"},
		"two documents":       {"name: a\n---\nname: b\n", 1, "2 YAML documents"},
		"raw XML":             {"steps:\n- xml: |\n    <a>\n    <b></a>\n", 4, "in this XML"},
		"list":                {"- step: a\n", 1, "begins with keys"},
		"control character":   {"name: \"\\x01\"\n", 1, "control character"},
		"type and run":        {"steps:\n- step: a\n  type: Reboot\n  run: b\n", 4, "without type"},
		"default":             {"defaults:\n  step: {name: x}\n", 2, "cannot have a default"},
		"set two":             {"steps:\n- step: a\n  set: {A: b, C: d}\n", 3, "one NAME: VALUE"},
		"variable":            {"steps:\n- step: a\n  variables:\n    A: {val: x}\n", 4, "a variable has"},
		"comment with dashes": {"steps:\n- comment: a -- b\n", 2, "two dashes"},
		"bad YAML":            {"name: x\nsteps: [\n", 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := yamlform.Parse([]byte(c.text))
			var place *yamlform.Error
			require.ErrorAs(t, err, &place)
			require.Equal(t, c.line, place.Line, err)
			require.ErrorContains(t, err, c.say)
		})
	}
}

func TestObjectThereAndBack(t *testing.T) {
	// Configuration Manager 2007 and scripts that write its form: the sequence is an element, its properties stand beside it.
	old := `<SmsTaskSequencePackage xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><BootImageID>LAB00007</BootImageID><Category/><Name>Old one</Name><Duration>60</Duration><SequenceData><!-- here --><sequence version="3.00"><group name="a"/></sequence></SequenceData><SupportedOperatingSystems><A/></SupportedOperatingSystems></SmsTaskSequencePackage>`
	for _, in := range []string{old, `<policy><a>1</a><b><sequence version="3.10"><group name="a"/></sequence><c/></b></policy>`} {
		s, err := sequence.Parse([]byte(in))
		require.NoError(t, err)
		require.Equal(t, sequencetest.Canonise(t, in), sequencetest.Canonise(t, string(s.ExportDocument())))
		back, err := yamlform.Parse(yamlform.Marshal(s))
		require.NoError(t, err)
		require.Equal(t, s.Name, back.Name)
		require.Equal(t, s.BootImageID, back.BootImageID)
		require.Equal(t, s.MaxRunTime, back.MaxRunTime)
		require.Equal(t, sequencetest.Canonise(t, in), sequencetest.Canonise(t, string(back.ExportDocument())))
		require.NotContains(t, string(back.Export()), "policy", "the bare sequence")
	}
	s, err := sequence.Parse([]byte(old))
	require.NoError(t, err)
	require.Equal(t, []any{"Old one", "LAB00007", time.Hour}, []any{s.Name, s.BootImageID, s.MaxRunTime})

	in := `<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="PackageID"><VALUE>LAB00034</VALUE></PROPERTY><PROPERTY NAME="Sequence"><QUALIFIER><VALUE>1</VALUE></QUALIFIER><VALUE><![CDATA[<sequence version="3.10"><group name="a"/></sequence>]]></VALUE></PROPERTY><Later/></INSTANCE>`
	s, err = sequence.Parse([]byte(in))
	require.NoError(t, err)
	back, err := yamlform.Parse(yamlform.Marshal(s))
	require.NoError(t, err)
	require.Equal(t, "LAB00034", back.PackageID)
	require.Equal(t, sequencetest.Canonise(t, string(s.ExportDocument())), sequencetest.Canonise(t, string(back.ExportDocument())))
}

// A class may be written with or without Action and with or without its prefix; a class that has no prefix in the XML,
// which no real file has, comes back without it.
func TestClassNames(t *testing.T) {
	for _, name := range []string{"RunCommandLine", "RunCommandLineAction", "SMS_TaskSequence_RunCommandLineAction"} {
		s, err := yamlform.Parse([]byte("steps:\n- step: a\n  type: " + name + "\n  variables: {CommandLine: echo}\n"))
		require.NoError(t, err)
		n := s.All()[0]
		require.Equal(t, "SMS_TaskSequence_RunCommandLineAction", n.Type, name)
		require.Equal(t, []uint32{0, 3010}, n.SuccessCodes, name)
		require.Equal(t, "smsswd.exe /run: echo", n.Action, name)
	}
	for _, class := range []string{"RunCommandLineAction", "RunCommandLine", "RebootAction", "BDD_Gather", "SMS_TaskSequence_RunCommandLine", "Action"} {
		text := `<sequence version="3.10"><step type="` + class + `" name="a" successCodeList="0"><action>x</action></step></sequence>`
		s, err := sequence.Parse([]byte(text))
		require.NoError(t, err)
		back, err := yamlform.Parse(yamlform.Marshal(s))
		require.NoError(t, err, class)
		require.Equal(t, sequencetest.Canonise(t, text), sequencetest.Canonise(t, string(back.Export())), class)
	}
}

// What stands beside the text in the VALUE of an object survives the way to YAML and back.
func TestPiecesBesideTheSequenceInItsValue(t *testing.T) {
	const value = `<!-- a --><![CDATA[<sequence version="3.10"><step name="s" type="SMS_TaskSequence_RunCommandLineAction"/></sequence>]]><?b c?>`
	in := `<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="Sequence"><VALUE>` + value + `</VALUE></PROPERTY></INSTANCE>`
	s, err := sequence.Parse([]byte(in))
	require.NoError(t, err)
	back, err := yamlform.Parse(yamlform.Marshal(s))
	require.NoError(t, err)
	require.Equal(t, string(s.ExportDocument()), string(back.ExportDocument()))
	require.Contains(t, string(back.ExportDocument()), value)
}

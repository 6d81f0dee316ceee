package lint_test

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/lint"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/yamlform"
)

const (
	mid   = "\n- step: a\n  "
	first = "steps:" + mid
)

func vars(kind string, pairs ...string) string {
	var b strings.Builder
	b.WriteString("type: " + kind + "\n  variables:\n")
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "    %s: '%s'\n", pairs[i], pairs[i+1])
	}
	return b.String()
}

func object(id, more, body string) *sequence.Sequence {
	s, err := sequence.Parse([]byte(`<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="PackageID"><VALUE>` + id + `</VALUE></PROPERTY>` + more + `<PROPERTY NAME="Sequence"><VALUE><![CDATA[<sequence version="3.10">` + body + `</sequence>]]></VALUE></PROPERTY></INSTANCE>`))
	if err != nil {
		panic(err)
	}
	return s
}

func runs(id string) string {
	return `<subtasksequence name="child"><defaultVarList><variable name="OSDSubTasksequencePackageID">` + id + `</variable></defaultVarList></subtasksequence>`
}

var script = base64.StdEncoding.EncodeToString([]byte{0xFF, 0xFE, 'x', 0})

// cases have, for every check, a sequence that it is about and one that looks alike and is right.
var cases = []struct{ check, rule, bad, good string }{
	{"problem", "TSV-2", first + vars("RunCommandLine", "CommandLine", "x", "PackageID", "00000000"), first + vars("RunCommandLine", "CommandLine", "x", "PackageID", "")},
	{"problem", "TSV-5", first + "run: ''", first + "run: x"},
	{"problem", "TS-29", first + "run: x\n  successCodeList: 0 a", first + "run: x\n  successCodeList: 0 3010"},
	{"problem", "TS-28", first + "run: x\n  timeout: soon", first + "run: x\n  timeout: 900"},
	{"problem", "TS-93", first + vars("ApplyWindowsSettings", "OSDLocalAdminPassword", "Pa55word"), first + vars("ApplyWindowsSettings", "OSDLocalAdminPassword", "%LocalPassword%")},
	{"unusual-xml", "XML-9", first + "run: x\n  attributes: {future: 1}", first + "run: x"},
	{"child-missing", "TS-120", "steps:\n- child: c\n  variables: {OSDSubTasksequencePackageID: LAB00001}", "steps: []"},
	{"unknown-type", "TS-4", first + "type: ACME_Thing\n  action: x", first + "type: BDD_Gather\n  action: x"},
	{"unsupported-step", "TS-4", first + "type: BDD_ExecuteRunbook\n  action: x", first + "run: x"},
	{"environment-of-type", "TS-21", first + vars("PartitionDisk", "OSDPartitions", "1", "OSDPartitions0Type", "Primary") + "  runIn: FullOS", first + vars("PartitionDisk", "OSDPartitions", "1", "OSDPartitions0Type", "Primary") + "  runIn: WinPE"},
	{"environment-of-branch", "TS-21", "steps:\n- group: g\n  if: _SMSTSInWinPE equals true\n  steps:\n  - step: a\n    type: JoinDomainWorkgroup\n    variables: {OSDJoinType: 1}", "steps:\n- group: g\n  if: _SMSTSInWinPE equals true\n  steps:\n  - step: r\n    type: Reboot\n    variables: {SMSRebootTarget: HD}\n  - step: a\n    type: JoinDomainWorkgroup\n    variables: {OSDJoinType: 1}"},
	{"run-as-in-winpe", "TS-11", first + vars("RunCommandLine", "CommandLine", "x", "_SMSTSRunCommandLineAsUser", "true") + "  runIn: WinPE", first + vars("RunCommandLine", "CommandLine", "x", "_SMSTSRunCommandLineAsUser", "true") + "  runIn: FullOS"},
	{"version-as-text", "TS-67", first + "run: x\n  if: ImageBuild greaterEqual 6", first + "run: x\n  if: Memory greaterEqual 6"},
	{"version-as-text", "TS-67", first + "run: x\n  if: Build less 10.0.19041", first + "run: x\n  if: Build equals 10.0.19041"},
	{"exists-with-value", "TS-65", first + "run: x\n  if: Make exists Acme", first + "run: x\n  if: Make exists"},
	{"equals-empty", "TS-65", first + "run: x\n  if: Make equals \"\"", first + "run: x\n  if: Make notExists"},
	{"blanks-in-value", "TS-68", first + "run: x\n  if: Make equals \"Acme \"", first + "run: x\n  if: Make equals Acme Inc"},
	{"operator-unknown", "TS-64", first + "run: x\n  if: {expression: Variable, Operator: contains, Value: x, Variable: Make}", first + "run: x\n  if: {expression: Variable, Operator: NotEquals, Value: x, Variable: Make}"},
	{"condition-unknown", "TS-23", first + "run: x\n  if: {expression: Moon, Phase: full}", first + "run: x\n  if: {expression: Folder, Path: 'C:\\x'}"},
	{"condition-incomplete", "TS-78", first + "run: x\n  if: {expression: Software, Operator: AnyVersion}", first + "run: x\n  if: {expression: Software, Operator: AnyVersion, UpgradeCode: '{x}'}"},
	{"wql-syntax", "TS-74", first + "run: x\n  if: {wmi: SELECT FROM WHERE}", first + "run: x\n  if: {wmi: SELECT * FROM Win32_Battery WHERE BatteryStatus > 0}"},
	{"never-true", "TS-62", first + "run: x\n  if: {any: []}", first + "run: x\n  if: {any: [Make exists]}"},
	{"never-true", "TS-62", first + "run: x\n  if: [Make equals A, Make equals B]", first + "run: x\n  if: {any: [Make equals A, Make equals B]}"},
	{"contradicts-group", "TS-22", "steps:\n- group: g\n  if: PHASE equals INSTALL\n  steps:\n  - step: a\n    run: x\n    if: PHASE equals VALIDATION", "steps:\n- group: g\n  if: PHASE equals INSTALL\n  steps:\n  - step: n\n    run: next\n  - step: a\n    run: x\n    if: PHASE equals VALIDATION"},
	{"never-reached", "TS-42", first + "run: cmd.exe /c exit 1" + mid + "run: x", first + "run: cmd.exe /c exit 1\n  continueOnError: true" + mid + "run: x"},
	{"disabled-group", "TS-20", "steps:\n- group: g\n  disable: true\n  steps:\n  - step: a\n    run: x", "steps:\n- group: g\n  disable: true\n  steps:\n  - step: a\n    run: x\n    disable: true"},
	{"disabled-child", "TS-20", "steps:\n- child: c\n  disable: true\n  variables: {OSDSubTasksequencePackageID: LAB00001}", "steps: []"},
	{"unset-variable", "TS-91", first + "run: setup %Sitee%", first + "set: {Sitee: x}" + mid + "run: setup %Sitee% %windir% %OSDComputerName%"},
	{"read-only-variable", "TS-88", first + "set: {_Mine: x}", first + "set: {Mine: x}"},
	{"variable-name", "TS-80", first + "set: {My Site: x}", first + "set: {My-Site_1: x}"},
	{"variable-name", "TS-80", first + "run: x\n  if: '%Site% equals x'", first + "run: x\n  if: Make equals %Site%"},
	{"state-store", "TS-42", first + vars("RequestStateStore", "OSDStateRequestType", "x") + mid[1:] + "run: x" + mid + "type: ReleaseStateStore", first + vars("RequestStateStore", "OSDStateRequestType", "x") + mid[1:] + "run: x\n  continueOnError: true" + mid + "type: ReleaseStateStore"},
	{"success-codes", "TS-30", first + "run: x\n  successCodeList: 3010", first + "run: x\n  successCodeList: 0 5"},
	{"timeout-range", "TS-28", first + "run: x\n  timeout: 60000", first + "run: x\n  timeout: 59940"},
	{"retry-range", "TS-113", first + "run: x\n  retryCount: 9", first + "run: x\n  retryCount: 2"},
	{"long-name", "TS-5", "steps:\n- step: " + strings.Repeat("n", 101) + "\n  run: x", "steps:\n- step: " + strings.Repeat("n", 50) + "\n  run: x"},
	{"size", "TS-10", first + "run: " + strings.Repeat("x", 2<<20), first + "run: x"},
	{"schema-version", "TS-7", "version: '3.20'\nsteps: []", "version: '3.10'\nsteps: []"},
	{"secret-in-command", "TS-93", first + `run: 'tool.exe /password:Hush1234'`, first + `run: 'tool.exe /password:%Secret%'`},
	{"secret-in-command", "TS-93", first + `run: 'net use Z: \\s\x /user:me Hush1234'`, first + `run: 'net use Z: \\s\x'`},
	{"package-list-case", "TS-90", first + "set: {AA001: 'abc00001:Setup'}" + mid + vars("InstallSoftware", "BaseVariableName", "AA"), first + "set: {AA001: 'ABC00001:Setup'}" + mid + vars("InstallSoftware", "BaseVariableName", "AA")},
	{"list-gap", "TS-90", first + "set: {AA02: App}" + mid + vars("InstallApplication", "BaseVariableName", "AA"), first + "set: {AA01: App}" + mid + vars("InstallApplication", "BaseVariableName", "AA")},
	{"no-setup", "TS-118", first + vars("ApplyOperatingSystem", "ImagePackageID", "LAB00001"), first + vars("ApplyOperatingSystem", "ImagePackageID", "LAB00001") + mid[1:] + vars("SetupWindowsAndSMS", "_SMSClientPackageID", "LAB00002")},
	{"partition-layout", "TS-117", first + vars("PartitionDisk", "OSDPartitions", "1", "OSDPartitions0Type", "Primary", "OSDPartitions0Size", "120", "OSDPartitions0SizeUnits", "Percent"), first + vars("PartitionDisk", "OSDPartitions", "1", "OSDPartitions0Type", "Primary", "OSDPartitions0Size", "100", "OSDPartitions0SizeUnits", "Percent")},
	{"partition-layout", "TS-117", first + vars("PartitionDisk", "OSDPartitions", "2", "OSDPartitions0Type", "Primary", "OSDPartitions1Type", "Primary"), first + vars("PartitionDisk", "OSDPartitions", "2", "OSDPartitions0Type", "Primary", "OSDPartitions0Size", "5", "OSDPartitions0SizeUnits", "GB", "OSDPartitions1Type", "Primary")},
	{"script-not-readable", "TS-103", first + vars("RunPowerShellScript", "OSDRunPowerShellScriptSourceScript", "Get-Item"), first + vars("RunPowerShellScript", "OSDRunPowerShellScriptSourceScript", script)},
	{"rules-not-readable", "TS-96", first + vars("SetDynamicVariables", "OSDSetDynamicVariablesRules", "<Rules>"), first + vars("SetDynamicVariables", "OSDSetDynamicVariablesRules", "<Rules/>")},
}

func found(list []lint.Finding, check, rule string) bool {
	for _, f := range list {
		if f.Check == check && f.Rule == rule {
			return true
		}
	}
	return false
}

func TestChecks(t *testing.T) {
	tested := map[string]bool{}
	for i, c := range cases {
		tested[c.check] = true
		t.Run(fmt.Sprintf("%s %s %d", c.rule, c.check, i), func(t *testing.T) {
			bad, err := yamlform.Parse([]byte(c.bad))
			require.NoError(t, err, c.bad)
			require.True(t, found(lint.Run(bad, lint.Options{}), c.check, c.rule), "%s\n%v", c.bad, lint.Run(bad, lint.Options{}))
			good, err := yamlform.Parse([]byte(c.good))
			require.NoError(t, err, c.good)
			require.False(t, found(lint.Run(good, lint.Options{}), c.check, c.rule), "%s\n%v", c.good, lint.Run(good, lint.Options{}))
		})
	}
	for _, id := range []string{"child-circle", "child-boot-image", "child-disabled", "restart-without-boot-image"} {
		tested[id] = true // below
	}
	for _, c := range lint.Checks() {
		require.True(t, tested[c.ID], "%s has no test", c.ID)
	}
}

func TestTS120Children(t *testing.T) {
	boot := `<PROPERTY NAME="BootImageID"><VALUE>LAB00009</VALUE></PROPERTY>`
	off := `<PROPERTY NAME="TsEnabled"><VALUE>false</VALUE></PROPERTY>`
	parent := object("LAB00001", "", runs("LAB00002"))
	for name, c := range map[string]struct {
		child *sequence.Sequence
		check string
		rule  string
	}{
		"TS-120 circle":     {object("LAB00002", "", runs("LAB00001")), "child-circle", "TS-120"},
		"TS-120 boot image": {object("LAB00002", boot, ""), "child-boot-image", "TS-120"},
		"TS-46 disabled":    {object("LAB00002", off, ""), "child-disabled", "TS-46"},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, found(lint.Run(parent, lint.Options{Children: map[string]*sequence.Sequence{"LAB00002": c.child}}), c.check, c.rule))
			require.False(t, found(lint.Run(parent, lint.Options{Children: map[string]*sequence.Sequence{"LAB00002": object("LAB00002", "", "")}}), c.check, c.rule))
		})
	}
}

func TestTS110RestartWithoutBootImage(t *testing.T) {
	restart := `<step type="SMS_TaskSequence_RebootAction" name="r"><action>smsboot.exe /target:WinPE</action></step>`
	require.True(t, found(lint.Run(object("LAB00001", "", restart), lint.Options{}), "restart-without-boot-image", "TS-110"))
	require.False(t, found(lint.Run(object("LAB00001", `<PROPERTY NAME="BootImageID"><VALUE>LAB00009</VALUE></PROPERTY>`, restart), lint.Options{}), "restart-without-boot-image", "TS-110"))
}

// TS-93: what is found is not shown.
func TestTS93FindingsHoldNoSecret(t *testing.T) {
	s, err := yamlform.Parse([]byte(first + `run: 'tool.exe /password:Hush1234'` + mid + vars("ApplyWindowsSettings", "OSDLocalAdminPassword", "Hush1234")))
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprint(lint.Run(s, lint.Options{})), "Hush1234")
}

// TS-93: what a secret variable is compared with is not shown, whether its name or the step that sets it makes it one.
func TestTS93ComparedSecretsAreMasked(t *testing.T) {
	set := mid + "type: SetVariable\n  variables: {VariableName: Quiet, VariableValue: '', HiddenVariableValue: x, DoNotShowVariableValue: 'true'}"
	for _, name := range []string{"LocalPassword", "OSDProductKey", "quiet"} {
		for check, text := range map[string]string{
			"version-as-text":   `{expression: Variable, Variable: NAME, Operator: greater, Value: Hush1234.5}`,
			"exists-with-value": `{expression: Variable, Variable: NAME, Operator: exists, Value: Hush1234.5}`,
			"blanks-in-value":   `{expression: Variable, Variable: NAME, Operator: equals, Value: ' Hush1234.5'}`,
			"operator-unknown":  `{expression: Variable, Variable: NAME, Operator: resembles, Value: Hush1234.5}`,
			"never-true":        `{all: [{expression: Variable, Variable: NAME, Operator: equals, Value: Hush1234.5}, {expression: Variable, Variable: NAME, Operator: equals, Value: Hush1234.6}]}`,
		} {
			s, err := yamlform.Parse([]byte("steps:" + set + mid + "run: x\n  if: " + strings.ReplaceAll(text, "NAME", name)))
			require.NoError(t, err)
			list := lint.Run(s, lint.Options{})
			require.True(t, hasCheck(list, check), "%s of %s: %v", check, name, list)
			require.NotContains(t, fmt.Sprint(list), "Hush1234", "%s of %s", check, name)
		}
	}
	s, err := yamlform.Parse([]byte(`steps:
- group: outer
  if: PinPassword equals Hush1234.5
  steps:
  - step: a
    run: x
    if: PinPassword equals Hush1234.6`))
	require.NoError(t, err)
	list := lint.Run(s, lint.Options{})
	require.True(t, hasCheck(list, "contradicts-group"))
	require.NotContains(t, fmt.Sprint(list), "Hush1234")
}

// TS-23: the class of a condition is read in any case, as the engine does, and the location rule goes by its field.
func TestTS23TypesOfConditionsHaveNoCase(t *testing.T) {
	lists := func(kind, fields string) []lint.Finding {
		s, err := sequence.Parse([]byte(`<sequence version="3.10"><step name="a" type="SMS_TaskSequence_RunCommandLineAction"><action>smsswd.exe /run: x</action><defaultVarList><variable name="CommandLine">x</variable></defaultVarList><condition><expression type="` + kind + `">` + fields + `</expression></condition></step></sequence>`))
		require.NoError(t, err)
		return lint.Run(s, lint.Options{})
	}
	require.False(t, hasCheck(lists("sms_tasksequence_VARIABLEconditionexpression", ""), "condition-unknown"))
	require.False(t, hasCheck(lists("SMS_TaskSequence_SomeLocation", `<variable name="DefaultGateway">10.0.0.1</variable>`), "condition-unknown"))
	require.True(t, hasCheck(lists("SMS_TaskSequence_SomeLocation", ""), "condition-unknown"))
	require.True(t, hasCheck(lists("SMS_TaskSequence_wmiconditionEXPRESSION", `<variable name="Query">SELECT</variable>`), "wql-syntax"))
	require.True(t, hasCheck(lists("SMS_TaskSequence_fileconditionEXPRESSION", ""), "condition-incomplete"))
	require.True(t, hasCheck(lists("SMS_TaskSequence_variableconditionEXPRESSION", `<variable name="Variable">ImageBuild</variable><variable name="Operator"> greater </variable><variable name="Value">6</variable>`), "version-as-text"))
}

func hasCheck(list []lint.Finding, check string) bool {
	return slices.ContainsFunc(list, func(f lint.Finding) bool { return f.Check == check })
}

func TestKnownNamesAreTheSpecs(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "spec", "variables.tsv"))
	require.NoError(t, err)
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		names = append(names, name)
	}
	got, err := os.ReadFile("known.txt")
	require.NoError(t, err)
	require.Equal(t, strings.Join(names, "\n")+"\n", string(got), "cut -f1 docs/spec/variables.tsv | tail -n +2 > tsengine/lint/known.txt")
}

var update = flag.Bool("update", false, "write docs/lint.md")

func TestPageListsAllChecks(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What `bootyard sequence lint` looks for\n\nAn *error* fails or does something else than it says; a *warning* does so on some machines or invites accidents; a\n*note* only the author can judge. The severity is the highest that a check gives. Rules: `spec/task-sequence.md` (TS-n),\n`spec/deployment.md` (TSV-n), section 9 of `spec/task-sequence-xml.md` (XML-9). `--json` prints a list of objects with `severity`, `check`,\n`rule`, `sequence` (a child's id), `pointer` (-1 for the sequence as a whole), `name`, `line` (of the XML or YAML file), `text`, `remedy`. The exit\ncode is 1 when there is an error.\n\n| check | rule | severity | what | remedy |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range lint.Checks() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", c.ID, c.Rule, c.Severity, c.About, c.Remedy)
	}
	b.WriteString("\nThis page is written by `go test ./tsengine/lint -update`.\n")
	page := filepath.Join("..", "..", "docs", "lint.md")
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(b.String()), 0o644))
	}
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(data))
}

package fact_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
	"github.com/bootyard/bootyard/tsengine/variable"
	"github.com/bootyard/bootyard/tsengine/wql"
)

// expression writes an expression of a kind with name, value pairs.
func expression(kind string, fields ...string) string {
	var b strings.Builder
	b.WriteString(`<expression type="SMS_TaskSequence_` + kind + `ConditionExpression">`)
	for i := 0; i < len(fields); i += 2 {
		b.WriteString(`<variable name="` + fields[i] + `"><![CDATA[` + fields[i+1] + `]]></variable>`)
	}
	return b.String() + `</expression>`
}

// evaluate answers a condition from a sheet; warnings are returned too.
func evaluate(t testing.TB, sheet, xml string) (condition.Verdict, []string, error) {
	t.Helper()
	s, err := sequence.Parse([]byte(`<sequence version="3.10"><group name="g"><condition>` + xml + `</condition></group></sequence>`))
	require.NoError(t, err)
	facts, err := fact.Parse([]byte(sheet))
	require.NoError(t, err)
	env := variable.New()
	for name, value := range facts.Variables {
		require.NoError(t, env.Set(name, value))
	}
	var warnings []string
	e := condition.Evaluator{Variables: env, Facts: facts, Files: facts, Warn: func(w string) { warnings = append(warnings, w) }}
	v, err := e.Evaluate(t.Context(), s.All()[0].Condition)
	return v, warnings, err
}

func wmi(namespace, query string) string {
	return expression("WMI", "Namespace", namespace, "Query", query)
}

func TestTS74WMI(t *testing.T) {
	const sheet = `
variables: {Latitude: OptiPlex}
wmi:
  Win32_ComputerSystem: [{Model: Latitude 7420, Manufacturer: Dell Inc.}]
  Win32_Battery: []
  Lenovo_BiosSetting: [{CurrentSetting: "WakeOnLAN,Enable"}, {CurrentSetting: "SecureBoot,Disable"}]
  root\cimv2\Security\MicrosoftTpm:Win32_Tpm: [{SpecVersion: "2.0, 0, 1.38"}]
  Win32_SystemEnclosure: [{ChassisTypes: [10]}]
`
	for _, c := range []struct {
		name, namespace, query string
		want                   bool
		reason                 string
	}{
		{"holds", `root\cimv2`, "SELECT * FROM Win32_ComputerSystem WHERE Model LIKE '%Latitude%'", true, `Win32_ComputerSystem.Model is "Latitude 7420"`},
		{"does not hold", `root\cimv2`, "SELECT * FROM win32_computersystem WHERE Model LIKE '%OptiPlex%' OR Manufacturer = 'HP'", false,
			`Win32_ComputerSystem.Model is "Latitude 7420", Win32_ComputerSystem.Manufacturer is "Dell Inc."`},
		{"TS-75 variables stay", `root\cimv2`, "SELECT * FROM Win32_ComputerSystem WHERE Model LIKE '%Latitude% 7420'", true, ""},
		{"no namespace", ``, "SELECT Model FROM Win32_ComputerSystem", true, "1 instance"},
		{"empty class", `root\CIMV2`, "SELECT * FROM Win32_Battery WHERE BatteryStatus > 0", false, "no instance of Win32_Battery"},
		{"class of any namespace", `root\wmi`, "SELECT * FROM Lenovo_BiosSetting WHERE CurrentSetting LIKE 'secureboot,%'", true, "SecureBoot,Disable"},
		{"all instances are shown", `root\wmi`, "SELECT * FROM Lenovo_BiosSetting WHERE CurrentSetting LIKE 'x'", false, `"WakeOnLAN,Enable"; Lenovo_BiosSetting.CurrentSetting is "SecureBoot,Disable"`},
		{"class of its namespace", `root\cimv2\security\microsofttpm`, "SELECT * FROM Win32_Tpm WHERE SpecVersion LIKE '2.0%'", true, "2.0"},
		{"array", `root\cimv2`, `SELECT * FROM Win32_SystemEnclosure WHERE ChassisTypes = "8" OR ChassisTypes = "10"`, true, "ChassisTypes is {10}"},
		{"unknown property", `root\cimv2`, "SELECT * FROM Win32_ComputerSystem WHERE Moon = 1", false, "Moon is unknown"},
	} {
		t.Run("TS-74 "+c.name, func(t *testing.T) {
			v, warnings, err := evaluate(t, sheet, wmi(c.namespace, c.query))
			require.NoError(t, err)
			require.Empty(t, warnings)
			require.Equal(t, c.want, v.Holds, v.Reason)
			require.Contains(t, v.Reason, c.reason)
		})
	}
	for name, x := range map[string]string{
		"unknown class": wmi(`root\hp\InstrumentedBIOS`, "SELECT * FROM HP_BIOSSetting"), "other namespace": wmi(`root\cimv2`, "SELECT * FROM Win32_Tpm"),
		"associators": wmi("", "ASSOCIATORS OF {Win32_ComputerSystem.Name='x'}"), "no registry": expression("Registry", "KeyPath", `HKLM\A`, "Operator", "exists"),
		"no software": expression("Software", "Operator", "AnyVersion", "UpgradeCode", "{1}"), "no files": expression("File", "Path", `C:\a`),
		"no operating system": expression("OS", "Architecture", "X64", "Operator", "equals", "Version", "10.00.10240.0"),
	} {
		t.Run("TS-76 "+name, func(t *testing.T) {
			v, warnings, err := evaluate(t, sheet, x)
			require.NoError(t, err)
			require.False(t, v.Holds)
			require.Len(t, warnings, 1)
			require.Contains(t, warnings[0], "TS-76")
		})
	}
	for name, x := range map[string]string{
		"bad query": wmi("", "SELECT * FORM Win32_Battery"), "bad query about an unknown class": wmi("", "SELECT * FROM Moon WHERE"),
		"no query": wmi("", " "), "no key": expression("Registry", "Operator", "exists"),
		"no code": expression("Software", "Operator", "AnyVersion", "ProductName", "x"),
	} {
		t.Run("TS-23 "+name, func(t *testing.T) {
			_, _, err := evaluate(t, sheet, x)
			require.Error(t, err)
		})
	}
}

func TestTS73Registry(t *testing.T) {
	const sheet = `
variables: {Ring: pilot}
registry:
  HKEY_LOCAL_MACHINE\SOFTWARE\Lab: {Ring: Pilot, Count: 9, Text: "9", Big: {type: REG_QWORD, data: 0x100000000}, Multi: [one, two], Bin: {type: REG_BINARY, data: "0a0b"}}
  hkcu\Default: {"": main}
  HKLM\SOFTWARE\Empty: {}
`
	for _, c := range []struct {
		name, key, operator, value, kind, data string
		want                                   bool
	}{
		{"value", `HKEY_LOCAL_MACHINE\SOFTWARE\Lab`, "exists", "Ring", "REG_SZ", "", true},
		{"no case, short root", `hklm\software\LAB\`, "Exists", "RING", "REG_SZ", "", true},
		{"wrong type", `HKEY_LOCAL_MACHINE\SOFTWARE\Lab`, "exists", "Ring", "REG_DWORD", "", false},
		{"wrong type, notExists", `HKEY_LOCAL_MACHINE\SOFTWARE\Lab`, "notExists", "Ring", "REG_DWORD", "", true},
		{"nonExists", `HKEY_LOCAL_MACHINE\SOFTWARE\Lab`, "nonExists", "Gone", "", "", true},
		{"no value", `HKEY_LOCAL_MACHINE\SOFTWARE\Lab`, "exists", "Gone", "REG_SZ", "", false},
		{"no key", `HKEY_LOCAL_MACHINE\SOFTWARE\Gone`, "notExists", "", "", "", true},
		{"key", `HKEY_LOCAL_MACHINE\SOFTWARE\Empty`, "exists", "", "", "", true},
		{"key above", `HKEY_LOCAL_MACHINE\SOFTWARE`, "exists", "", "", "", true},
		{"default value missing", `HKEY_LOCAL_MACHINE\SOFTWARE\Empty`, "exists", "", "REG_SZ", "", false},
		{"default value", `HKEY_CURRENT_USER\Default`, "exists", "", "REG_SZ", "", true},
		{"default value compared", `HKEY_CURRENT_USER\Default`, "equals", "", "REG_SZ", "MAIN", true},
		{"untyped text may expand", `HKLM\SOFTWARE\Lab`, "exists", "Ring", "REG_EXPAND_SZ", "", true},
		{"untyped number may be long", `HKLM\SOFTWARE\Lab`, "exists", "Count", "REG_QWORD", "", true},
		{"several texts", `HKLM\SOFTWARE\Lab`, "exists", "Multi", "REG_MULTI_SZ", "", true},
		{"several texts compared", `HKLM\SOFTWARE\Lab`, "equals", "Multi", "REG_MULTI_SZ", "one\r\nTWO", true},
		{"bytes", `HKLM\SOFTWARE\Lab`, "equals", "Bin", "REG_BINARY", "0A0B", true},
		{"variable in the data", `HKLM\SOFTWARE\Lab`, "equals", "Ring", "REG_SZ", "%Ring%", true},
		{"type is ignored", `HKLM\SOFTWARE\Lab`, "equals", "Ring", "REG_DWORD", "pilot", true},
		{"notEquals", `HKLM\SOFTWARE\Lab`, "notEquals", "Ring", "REG_SZ", "broad", true},
		{"notEquals of nothing", `HKLM\SOFTWARE\Lab`, "notEquals", "Gone", "REG_SZ", "x", false},
		{"numbers", `HKLM\SOFTWARE\Lab`, "less", "Count", "REG_DWORD", "10", true},
		{"numbers in text", `HKLM\SOFTWARE\Lab`, "lessEqual", "Text", "REG_SZ", "10", true},
		{"text", `HKLM\SOFTWARE\Lab`, "greater", "Text", "REG_SZ", "10.0", true},
		{"long number", `HKLM\SOFTWARE\Lab`, "equals", "Big", "REG_QWORD", "4294967296", true},
		{"zeros in front", `HKLM\SOFTWARE\Lab`, "less", "Count", "REG_DWORD", "010", true},
		{"hexadecimal", `HKLM\SOFTWARE\Lab`, "greaterEqual", "Count", "REG_DWORD", "0x9", true},
	} {
		t.Run("TS-73 "+c.name, func(t *testing.T) {
			v, _, err := evaluate(t, sheet, expression("Registry", "KeyPath", c.key, "Operator", c.operator, "Value", c.value, "Type", c.kind, "Data", c.data))
			require.NoError(t, err)
			require.Equal(t, c.want, v.Holds, v.Reason)
			require.NotEmpty(t, v.Reason)
		})
	}
	_, _, err := evaluate(t, sheet, expression("Registry", "KeyPath", `HKLM\A`, "Operator", "like"))
	require.Error(t, err)
	v, _, err := evaluate(t, sheet, expression("Registry", "KeyPath", `HKLM\SOFTWARE\Lab`, "Operator", "equals", "Value", "Ring", "Data", "x"))
	require.NoError(t, err)
	require.Equal(t, `HKLM\SOFTWARE\Lab\Ring is "Pilot"`, v.Reason)
}

// Every natural way to write a key is understood (docs/facts.md).
func TestRegistryShapes(t *testing.T) {
	for _, sheet := range []string{
		`registry: {'HKLM\SOFTWARE\Lab': {Ring: Pilot}}`,
		`registry: {'HKLM:\SOFTWARE\Lab\': {Ring: {type: REG_SZ, data: Pilot}}}`,
		`registry: {'Computer\HKEY_LOCAL_MACHINE\SOFTWARE\Lab': {Ring: {type: reg_sz, value: Pilot}}}`,
		`registry: {HKLM: {SOFTWARE: {Lab: {Ring: Pilot}}}}`,
		`registry: {'HKLM\SOFTWARE': {Lab: {Ring: {data: Pilot}}}}`,
		`registry: {'HKLM\SOFTWARE\Lab\Ring': Pilot}`,
		`registry: {'HKLM\SOFTWARE\Lab\Ring': {type: REG_SZ, data: Pilot}}`,
		`registry: {'HKLM\SOFTWARE\Lab': [{name: Ring, type: REG_SZ, data: Pilot}]}`,
		`registry: [{key: 'HKLM\SOFTWARE\Lab', value: Ring, type: REG_SZ, data: Pilot}]`,
		`registry: [{path: 'HKLM\SOFTWARE\Lab', name: Ring, data: Pilot}]`,
		`registry: [{key: 'HKLM\SOFTWARE\Lab', values: {Ring: Pilot}}]`,
	} {
		v, _, err := evaluate(t, sheet, expression("Registry", "KeyPath", `HKEY_LOCAL_MACHINE\SOFTWARE\Lab`, "Operator", "equals", "Value", "Ring", "Type", "REG_SZ", "Data", "Pilot"))
		require.NoError(t, err, sheet)
		require.True(t, v.Holds, "%s: %s", sheet, v.Reason)
	}
	for _, sheet := range []string{`registry: ['HKLM\SOFTWARE\Lab']`, `registry: {'HKLM\SOFTWARE\Lab': }`, `registry: {'HKLM\SOFTWARE\Lab': true}`, `registry: {'HKLM\SOFTWARE\Lab': {}}`, `registry: [{key: 'HKLM\SOFTWARE\Lab'}]`} {
		v, _, err := evaluate(t, sheet, expression("Registry", "KeyPath", `HKEY_LOCAL_MACHINE\SOFTWARE\Lab`, "Operator", "exists"))
		require.NoError(t, err, sheet)
		require.True(t, v.Holds, "%s: %s", sheet, v.Reason)
	}
}

func TestTS71Files(t *testing.T) {
	const sheet = `
variables: {OSDisk: 'D:'}
files:
  C:\Windows\explorer.exe: {version: 10.0.19041.1, modified: 2024-05-06T07:08:09Z, size: 5}
  d:/keep/: {date: 2024-05-06}
  '%ProgramFiles%\App\app.exe': 1.10
  \\server\share\a.txt: {folder: false}
  C:\No.txt: false
`
	for _, c := range []struct {
		name, kind string
		fields     []string
		want       bool
	}{
		{"file", "File", []string{"Path", `c:\WINDOWS\Explorer.exe`}, true},
		{"file with system variable", "File", []string{"Path", `%windir%\explorer.exe`}, true},
		{"file missing", "File", []string{"Path", `C:\no.txt`}, false},
		{"file is no folder", "Folder", []string{"Path", `C:\Windows\explorer.exe`}, false},
		{"folder above", "Folder", []string{"Path", `C:\Windows`}, true},
		{"folder with variable", "Folder", []string{"Path", `%OSDisk%\Keep`}, true},
		{"folder is no file", "File", []string{"Path", `D:\Keep`}, false},
		{"program files", "File", []string{"Path", `C:\Program Files\App\APP.exe`}, true},
		{"share", "File", []string{"Path", `\\Server\share\a.txt`}, true},
		{"version", "File", []string{"Path", `C:\Windows\explorer.exe`, "Version", "10.0.9999", "VersionOperator", "greater"}, true},
		{"version parts", "File", []string{"Path", `C:\Program Files\App\app.exe`, "Version", "1.9", "VersionOperator", "greaterEqual"}, true},
		{"version and date, one fails", "File", []string{"Path", `C:\Windows\explorer.exe`, "Version", "10", "VersionOperator", "greater", "DateTime", "20240506070809.000000+000", "DateTimeOperator", "less"}, false},
		{"date", "File", []string{"Path", `C:\Windows\explorer.exe`, "DateTime", "20240506070809.000000+000", "DateTimeOperator", "equals"}, true},
		{"folder's date", "Folder", []string{"Path", `D:\keep`, "DateTime", "20240507000000.000000+000", "DateTimeOperator", "less"}, true},
		{"no version is false", "File", []string{"Path", `\\server\share\a.txt`, "Version", "1", "VersionOperator", "notEquals"}, false},
		{"no time is false", "File", []string{"Path", `\\server\share\a.txt`, "DateTime", "20240506070809.000000+000", "DateTimeOperator", "notEquals"}, false},
		{"no folder's time is false", "Folder", []string{"Path", `C:\Windows`, "DateTime", "20240506070809.000000+000", "DateTimeOperator", "less"}, false},
		{"missing, notEquals", "File", []string{"Path", `C:\gone`, "Version", "1", "VersionOperator", "notEquals"}, false},
	} {
		t.Run("TS-71 "+c.name, func(t *testing.T) {
			v, _, err := evaluate(t, sheet, expression(c.kind, c.fields...))
			require.NoError(t, err)
			require.Equal(t, c.want, v.Holds, v.Reason)
		})
	}
	for _, sheet := range []string{`files: ['C:\a.txt']`, `files: [{path: 'C:\a.txt', version: 1.0}]`, `files: {'C:\a.txt': }`, `files: {'C:\a.txt': {}}`, `files: {'C:\a.txt': true}`, "files:\n- C:\\a.txt: {size: 1}", `files: [{path: 'C:\a.txt', exists: true}]`} {
		v, _, err := evaluate(t, sheet, expression("File", "Path", `C:\A.TXT`))
		require.NoError(t, err, sheet)
		require.True(t, v.Holds, sheet)
	}
	v, _, err := evaluate(t, `files: {'C:\a.txt': {exists: false}}`, expression("File", "Path", `C:\A.TXT`))
	require.NoError(t, err)
	require.False(t, v.Holds)
	for _, sheet := range []string{`files: ['C:\a\']`, `files: {'C:\a': {folder: true}}`, `files: {'C:\a': folder}`, `files: {'C:\a': {type: folder}}`, `folders: ['C:\a']`} {
		v, _, err := evaluate(t, sheet, expression("Folder", "Path", `C:\A`))
		require.NoError(t, err, sheet)
		require.True(t, v.Holds, sheet)
	}
}

func TestTS78Software(t *testing.T) {
	const a, b, c, u = "{11111111-2222-3333-4444-555555555555}", "{AAAAAAAA-2222-3333-4444-555555555555}", "{99999999-2222-3333-4444-555555555555}", "{BBBBBBBB-0000-0000-0000-000000000000}"
	for name, sheet := range map[string]string{
		"list": `software: [{productCode: '` + a + `', upgradeCode: '` + strings.ToLower(u) + `', name: Agent, version: 2.0}]`,
		"map":  `software: {'` + a + `': {upgradeCode: '` + u + `', name: Agent, version: 2.0}}`,
		"name": `software: {Agent: {product_code: '` + strings.Trim(a, "{}") + `', upgradeCode: '` + u + `', version: 2.0}}`,
	} {
		for _, x := range []struct {
			name, operator, product, upgrade string
			want                             bool
		}{
			{"this version", "ThisVersion", a, u, true}, {"another version", "ThisVersion", b, u, false}, {"any version", "anyversion", b, u, true},
			{"another product", "AnyVersion", b, c, false}, {"any version, product code only", "AnyVersion", a, "", true}, {"this version, upgrade code only", "ThisVersion", "", u, true},
		} {
			t.Run("TS-78 "+name+" "+x.name, func(t *testing.T) {
				v, _, err := evaluate(t, sheet, expression("Software", "Operator", x.operator, "ProductCode", x.product, "UpgradeCode", x.upgrade, "ProductName", "Agent"))
				require.NoError(t, err)
				require.Equal(t, x.want, v.Holds, v.Reason)
				require.Contains(t, v.Reason, "Agent")
			})
		}
	}
	v, _, err := evaluate(t, `software: ['`+a+`']`, expression("Software", "Operator", "ThisVersion", "ProductCode", a))
	require.NoError(t, err)
	require.True(t, v.Holds)
	_, _, err = evaluate(t, `software: []`, expression("Software", "Operator", "Newer", "ProductCode", a))
	require.Error(t, err)
}

func TestTS77OSVersion(t *testing.T) {
	seven := `wmi: {Win32_OperatingSystem: [{Version: 6.1.7601, ServicePackMajorVersion: 1, OSArchitecture: 64-bit}]}`
	ten := `wmi: {Win32_OperatingSystem: [{Version: 10.0.19045, ServicePackMajorVersion: 0}], Win32_Processor: [{AddressWidth: 64, Architecture: 9}]}`
	for _, c := range []struct {
		name, sheet, arch, operator, version string
		want                                 bool
	}{
		{"equals", seven, "X64", "equals", "6.10.7601.1", true}, {"architecture", seven, "X86", "equals", "6.10.7601.1", false},
		{"older service pack", seven, "x64", "greaterEqual", "6.10.7601.0", true}, {"newer", seven, "X64", "greaterEqual", "6.30.9600.0", false},
		{"10 is above 6", ten, "X64", "greaterEqual", "6.30.9600.0", true}, {"10 equals", ten, "X64", "equals", "10.00.19045.0", true},
		{"less", seven, "X64", "less", "10.00.10240.0", true}, {"notEquals", seven, "X64", "notEquals", "6.10.7601.1", false},
		{"notEquals by architecture", seven, "X86", "notEquals", "6.10.7601.1", true}, {"no architecture", ten, "", "greater", "10.00.10240.0", true},
	} {
		t.Run("TS-77 "+c.name, func(t *testing.T) {
			v, _, err := evaluate(t, c.sheet, expression("OS", "Architecture", c.arch, "Operator", c.operator, "Version", c.version))
			require.NoError(t, err)
			require.Equal(t, c.want, v.Holds, v.Reason)
			require.Contains(t, v.Reason, "X64")
		})
	}
	_, _, err := evaluate(t, seven, expression("OS", "Operator", "equals", "Version", "seven"))
	require.Error(t, err)
}

// The platform condition of Configuration Manager is "any of these WMI queries".
func TestTS79OSConditionGroup(t *testing.T) {
	query := func(where string) string {
		return `<osExpressionGroup name="p" type="and"><platformKey/>` + wmi(`root\cimv2`, "SELECT * FROM Win32_OperatingSystem WHERE "+where) + `</osExpressionGroup>`
	}
	group := `<osConditionGroup type="or">` + query("Version like '6.1%' AND OSType=18 AND ProductType=1") +
		query("((Version like '10.0.[1-9][0-9][0-9][0-9][0-9]' AND BuildNumber>='17763') OR (Version like '10.[1-9]%')) AND OSType=18 AND ProductType>1") + `</osConditionGroup>`
	for sheet, want := range map[string]bool{
		"Version: 10.0.20348, BuildNumber: 20348, OSType: 18, ProductType: 3": true, "Version: 10.0.19045, BuildNumber: 19045, OSType: 18, ProductType: 1": false,
		"Version: 6.1.7601, OSType: 18, ProductType: 1": true, "Version: 10.0.14393, BuildNumber: 14393, OSType: 18, ProductType: 2": false,
	} {
		v, _, err := evaluate(t, "wmi: {Win32_OperatingSystem: [{"+sheet+"}]}", group)
		require.NoError(t, err)
		require.Equal(t, want, v.Holds, sheet)
	}
}

// Every query in the corpus of real sequences is understood.
func TestTS74CorpusQueries(t *testing.T) {
	files := sequencetest.Corpus(t)
	queries := 0
	var walk func(file string, list []sequence.Operand)
	walk = func(file string, list []sequence.Operand) {
		for _, o := range list {
			if o.Expression == nil {
				walk(file, o.Operands)
			} else if q := o.Expression.Field("Query"); strings.EqualFold(o.Expression.ShortType(), "WMIConditionExpression") {
				queries++
				_, err := wql.Parse(q)
				require.NoError(t, err, "%s: %s", file, q)
			}
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		s, err := sequence.Parse(data)
		require.NoError(t, err)
		for _, n := range s.All() {
			if n.Condition != nil {
				walk(file, n.Condition.Operands)
			}
		}
	}
	require.Greater(t, queries, 30)
}

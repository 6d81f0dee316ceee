package winfact_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows/registry"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/variable"
	"github.com/bootyard/bootyard/tsengine/winfact"
)

func expression(kind string, fields ...string) *sequence.Condition {
	x := &sequence.Expression{Type: "SMS_TaskSequence_" + kind + "ConditionExpression"}
	for i := 0; i < len(fields); i += 2 {
		x.Fields = append(x.Fields, sequence.Variable{Name: fields[i], Value: fields[i+1]})
	}
	return &sequence.Condition{Operands: []sequence.Operand{{Expression: x}}}
}

// evaluator is one as the engine makes it, with variables set.
func evaluator(t *testing.T, variables ...string) (*condition.Evaluator, *[]string) {
	t.Helper()
	env := variable.New()
	for i := 0; i < len(variables); i += 2 {
		require.NoError(t, env.Set(variables[i], variables[i+1]))
	}
	var warnings []string
	return &condition.Evaluator{Variables: env, Files: condition.OS{}, Facts: winfact.Facts{Environment: machine.FullOS},
		Warn: func(w string) { warnings = append(warnings, w) }}, &warnings
}

func holds(t *testing.T, e *condition.Evaluator, c *sequence.Condition) bool {
	t.Helper()
	v, err := e.Evaluate(t.Context(), c)
	require.NoError(t, err)
	require.NotEmpty(t, v.Reason)
	return v.Holds
}

const testKey = `Software\bootyard-test`

func create(t *testing.T, root registry.Key, path string, view uint32) registry.Key {
	t.Helper()
	k, _, err := registry.CreateKey(root, path, registry.ALL_ACCESS|view)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = k.Close()
		if parent, err := registry.OpenKey(root, "", registry.ALL_ACCESS|view); err == nil {
			_ = registry.DeleteKey(parent, path)
			_ = parent.Close()
		}
	})
	return k
}

// TS-73 with a real registry.
func TestTS73Registry(t *testing.T) {
	k := create(t, registry.CURRENT_USER, testKey, 0)
	require.NoError(t, k.SetStringValue("Text", "Hello"))
	require.NoError(t, k.SetExpandStringValue("Path", `%SystemRoot%\x`))
	require.NoError(t, k.SetDWordValue("Number", 17))
	require.NoError(t, k.SetQWordValue("Big", 1<<40))
	require.NoError(t, k.SetStringsValue("Many", []string{"a", "b"}))
	require.NoError(t, k.SetBinaryValue("Bytes", []byte{1, 0xAB}))
	require.NoError(t, k.SetStringValue("", "the default"))
	e, _ := evaluator(t, "Name", "Text")
	const path = `HKEY_CURRENT_USER\` + testKey
	for name, c := range map[string]struct {
		fields []string
		want   bool
	}{
		"key":                 {[]string{"KeyPath", path, "Operator", "exists"}, true},
		"no key":              {[]string{"KeyPath", path + `\no`, "Operator", "exists"}, false},
		"no key, not exists":  {[]string{"KeyPath", path + `\no`, "Operator", "notExists"}, true},
		"value of its type":   {[]string{"KeyPath", path, "Value", "Text", "Type", "REG_SZ", "Operator", "exists"}, true},
		"value of other type": {[]string{"KeyPath", path, "Value", "Text", "Type", "REG_DWORD", "Operator", "exists"}, false},
		"default value":       {[]string{"KeyPath", path, "Type", "REG_SZ", "Operator", "exists"}, true},
		"default data":        {[]string{"KeyPath", path, "Operator", "equals", "Data", "the default"}, true},
		"text without case":   {[]string{"KeyPath", path, "Value", "%Name%", "Operator", "equals", "Data", "hello"}, true},
		"number":              {[]string{"KeyPath", path, "Value", "number", "Operator", "less", "Data", "100"}, true},
		"large number":        {[]string{"KeyPath", path, "Value", "Big", "Operator", "greaterEqual", "Data", "1099511627776"}, true},
		"several texts":       {[]string{"KeyPath", path, "Value", "Many", "Operator", "equals", "Data", "a\r\nb"}, true},
		"expandable":          {[]string{"KeyPath", path, "Value", "Path", "Type", "REG_EXPAND_SZ", "Operator", "exists"}, true},
		"binary":              {[]string{"KeyPath", path, "Value", "Bytes", "Operator", "equals", "Data", "01ab"}, true},
		"absent, not equals":  {[]string{"KeyPath", path, "Value", "None", "Operator", "notEquals", "Data", "1"}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, holds(t, e, expression("Registry", c.fields...))) })
	}
	_, err := e.Evaluate(t.Context(), expression("Registry", "KeyPath", `Software\x`, "Operator", "exists"))
	require.ErrorContains(t, err, "HKEY_LOCAL_MACHINE")
}

// TS-72: the 32-bit view is the usual one, the variable opens the other.
func TestTS72Views(t *testing.T) {
	require.NoError(t, create(t, registry.LOCAL_MACHINE, testKey, registry.WOW64_64KEY).SetStringValue("View", "64"))
	require.NoError(t, create(t, registry.LOCAL_MACHINE, testKey, registry.WOW64_32KEY).SetStringValue("View", "32"))
	is := func(view string) *sequence.Condition {
		return expression("Registry", "KeyPath", `HKEY_LOCAL_MACHINE\`+testKey, "Value", "View", "Operator", "equals", "Data", view)
	}
	e, _ := evaluator(t)
	require.True(t, holds(t, e, is("32")))
	e, _ = evaluator(t, "SMSTSDisableWow64Redirection", "true")
	require.True(t, holds(t, e, is("64")))

	root := os.Getenv("SystemRoot")
	if err := os.Mkdir(root+`\SysWOW64`, 0o755); err == nil {
		t.Cleanup(func() { _ = os.Remove(root + `\SysWOW64`) })
	}
	require.NoError(t, os.WriteFile(root+`\SysWOW64\byd32.txt`, nil, 0o644))
	t.Cleanup(func() { _ = os.Remove(root + `\SysWOW64\byd32.txt`) })
	file := expression("File", "Path", `%SystemRoot%\System32\byd32.txt`)
	require.False(t, holds(t, e, file))
	e, _ = evaluator(t)
	require.True(t, holds(t, e, file))
	require.True(t, holds(t, e, expression("Folder", "Path", `%windir%\Sysnative\drivers`)), "System32 by its other name")
}

// TS-71: the version of a library, as its resource has it.
func TestTS71FileVersion(t *testing.T) {
	e, warnings := evaluator(t, "SMSTSDisableWow64Redirection", "true")
	file := func(op, version string) *sequence.Condition {
		return expression("File", "Path", `%SystemRoot%\System32\kernel32.dll`, "VersionOperator", op, "Version", version)
	}
	require.True(t, holds(t, e, file("greaterEqual", "5.1")))
	require.False(t, holds(t, e, file("less", "5.1")))
	require.Empty(t, *warnings)
	require.False(t, holds(t, e, expression("File", "Path", `%SystemRoot%\win.ini`, "VersionOperator", "notEquals", "Version", "1")))
	require.Len(t, *warnings, 1)
}

// TS-74 with a real WMI.
func TestTS74WMI(t *testing.T) {
	e, warnings := evaluator(t)
	for query, want := range map[string]bool{
		"SELECT * FROM Win32_OperatingSystem WHERE OSType = 18":                      true,
		"SELECT * FROM Win32_OperatingSystem WHERE BuildNumber >= '10240'":           true,
		"select Name from win32_computersystem where Manufacturer like '%Nobody%'":   false,
		"SELECT * FROM Win32_Processor WHERE Architecture = 9 AND AddressWidth = 64": true,
		"SELECT * FROM Win32_NoSuchClassHere":                                        false,
	} {
		require.Equal(t, want, holds(t, e, expression("WMI", "Namespace", `root\cimv2`, "Query", query)), query)
	}
	_, err := e.Evaluate(t.Context(), expression("WMI", "Query", "this is no query"))
	require.ErrorContains(t, err, "WQL", "TS-23")
	_, err = e.Evaluate(t.Context(), expression("WMI", "Namespace", `root\no\such`, "Query", "SELECT * FROM X"))
	require.ErrorContains(t, err, "namespace", "TS-23")
	*warnings = nil
	e.Facts = winfact.Facts{Environment: machine.WinPE}
	require.False(t, holds(t, e, expression("WMI", "Namespace", `root\no\such`, "Query", "SELECT * FROM X")))
	require.Len(t, *warnings, 1)

	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err = winfact.Query(ctx, "", "SELECT * FROM Win32_OperatingSystem", 1)
	require.Error(t, err)
}

// TS-76: the sheet of a real Windows is read back by the simulator.
func TestTS76Gather(t *testing.T) {
	sheet := winfact.Gather(t.Context(), "fullos")
	data, err := sheet.YAML()
	require.NoError(t, err)
	back, err := fact.Parse(data)
	require.NoError(t, err, "%s", data)
	for _, name := range []string{"Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_Processor"} {
		require.NotNil(t, back.Class("", name), name)
		require.NotEmpty(t, back.Class("", name).Instances, name)
	}
	kind, _ := back.Class("", "Win32_OperatingSystem").Instances[0].Property("OSType")
	require.EqualValues(t, 18, kind)
}

// TS-77: MDT's expression.
func TestTS77OSVersion(t *testing.T) {
	e, _ := evaluator(t)
	require.True(t, holds(t, e, expression("OS", "Architecture", "X64", "Operator", "greaterEqual", "Version", "6.10.7601.1")))
	require.False(t, holds(t, e, expression("OS", "Architecture", "X86", "Operator", "equals", "Version", "6.10.7601.1")))
}

// squash writes a code as Windows Installer names its keys.
func squash(code string) string {
	groups := strings.Split(code, "-")
	var b strings.Builder
	for i, g := range groups {
		step := 2
		if i < 3 {
			step = len(g)
		}
		for ; g != ""; g = g[step:] {
			for n := step - 1; n >= 0; n-- {
				b.WriteByte(g[n])
			}
		}
	}
	return b.String()
}

// TS-78: products as Windows Installer's own keys have them.
func TestTS78Software(t *testing.T) {
	const product, upgrade, other = "0B0D0001-1111-2222-ABCD-0123456789AB", "0B0D0002-1111-2222-ABCD-0123456789AB", "0B0D0003-1111-2222-ABCD-0123456789AB"
	id := squash(product)
	create(t, registry.LOCAL_MACHINE, `Software\Classes\Installer\Products\`+id, registry.WOW64_64KEY)
	base := `Software\Microsoft\Windows\CurrentVersion\Installer\UserData\S-1-5-18\Products\` + id
	create(t, registry.LOCAL_MACHINE, base, registry.WOW64_64KEY)
	k := create(t, registry.LOCAL_MACHINE, base+`\InstallProperties`, registry.WOW64_64KEY)
	require.NoError(t, k.SetDWordValue("WindowsInstaller", 1))
	require.NoError(t, k.SetStringValue("DisplayVersion", "7.5"))
	for _, place := range []string{`Software\Classes\Installer\UpgradeCodes\`, `Software\Microsoft\Windows\CurrentVersion\Installer\UpgradeCodes\`} {
		require.NoError(t, create(t, registry.LOCAL_MACHINE, place+squash(upgrade), registry.WOW64_64KEY).SetStringValue(id, ""))
	}
	e, _ := evaluator(t)
	for name, c := range map[string]struct {
		operator, product, upgrade string
		want                       bool
	}{
		"this version":        {"ThisVersion", "{" + product + "}", "", true},
		"lower case":          {"ThisVersion", strings.ToLower(product), "", true},
		"other version":       {"ThisVersion", other, upgrade, false},
		"any version":         {"AnyVersion", other, upgrade, true},
		"any of another kind": {"AnyVersion", other, other, false},
		"only the family":     {"ThisVersion", "", upgrade, true},
		"garbage":             {"AnyVersion", "x", "y", false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, holds(t, e, expression("Software", "Operator", c.operator, "ProductCode", c.product, "UpgradeCode", c.upgrade)), fmt.Sprint(c))
		})
	}
}

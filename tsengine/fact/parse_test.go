package fact_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/fact"
)

const whole = `
environment: FullOS
variables: {OSDComputerName: PC-7, Build: 1.10, Flag: true, Empty: }
exitCodes:
  Install agent: 3010
  7: -1
  Setup: 0xC1900210
wmi:
  Win32_ComputerSystem:
    - {Manufacturer: Dell Inc., Model: Latitude 7420, TotalPhysicalMemory: 17179869184}
  win32_operatingsystem:
    Version: 10.0
    BuildNumber: 19045
    ProductType: 1
  Win32_Battery: []
  Win32_SystemEnclosure: [{ChassisTypes: [9, 10]}]
  root\CIMV2\Security\MicrosoftTpm:Win32_Tpm: [{IsEnabled_InitialValue: true}]
  root\wmi:
    Lenovo_BiosSetting: [{CurrentSetting: "WakeOnLAN,Enable"}]
registry:
  HKEY_LOCAL_MACHINE\SOFTWARE\Lab: {Ring: Pilot, Count: {type: REG_DWORD, data: 5}, "(Default)": root}
files: ['C:\Windows\explorer.exe']
software: [{productCode: '{11111111-2222-3333-4444-555555555555}', name: Agent, version: 2.10}]
`

func TestParseWholeSheet(t *testing.T) {
	s, err := fact.Parse([]byte(whole))
	require.NoError(t, err)
	require.Equal(t, "fullos", s.Environment)
	require.Equal(t, map[string]string{"OSDComputerName": "PC-7", "Build": "1.10", "Flag": "true", "Empty": ""}, s.Variables)
	require.Equal(t, map[string]uint32{"Install agent": 3010, "7": 4294967295, "Setup": 3247440400}, s.ExitCodes)
	system := s.Class(`ROOT\cimv2`, "WIN32_computersystem")
	require.Len(t, system.Instances, 1)
	memory, ok := system.Instances[0].Property("totalphysicalmemory")
	require.True(t, ok)
	require.Equal(t, int64(17179869184), memory)
	os := s.Class("", "Win32_OperatingSystem").Instances[0]
	version, _ := os.Property("Version")
	require.Equal(t, "10.0", version, "texts that look like numbers stay texts")
	build, _ := os.Property("BuildNumber")
	require.Equal(t, "19045", build)
	require.Empty(t, s.Class("", "Win32_Battery").Instances)
	require.Nil(t, s.Class("", "Win32_Tpm"), "it is in another namespace")
	require.NotNil(t, s.Class(`\\.\root\cimv2\security\microsofttpm`, "Win32_Tpm"))
	require.NotNil(t, s.Class("root/wmi", "Lenovo_BiosSetting"))
	require.Equal(t, "2.10", s.Software[0].Version)
}

func TestParseEmpty(t *testing.T) {
	for _, text := range []string{"", "\n# nothing\n", "---\n", "wmi:\nvariables:\nexitCodes:\n"} {
		s, err := fact.Parse([]byte(text))
		require.NoError(t, err, text)
		require.Empty(t, s.Classes)
		require.Nil(t, s.Files)
	}
}

// Every error names the line.
func TestParseErrors(t *testing.T) {
	for text, line := range map[string]int{
		"wmi: 5":                           1,
		"- a":                              1,
		"variables: {}\nmoon: 1":           2,
		"environment: dos":                 1,
		"variables:\n  A: 1\n  B: [1]":     3,
		"exitCodes:\n  A: x":               2,
		"exitCodes:\n  A: 4294967296":      2,
		"wmi:\n  Win32_A:\n    - 5":        3,
		"wmi:\n  A:\n    - {B: {C: {}}}":   3,
		"files:\n  - {version: 1}":         2,
		"files:\n  a: {when: 1}":           2,
		"files:\n  a: {date: yesterday}":   2,
		"software:\n  - {}":                2,
		"registry:\n  - {value: a}":        2,
		"variables: {A: *x}":               1,
		"variables:\n  A: 1\n B: 2":        3,
		"variables: {A: 1":                 1,
		"variables: {A: 1}\n---\nwmi: {}":  3,
		"software:\n  - {name: [a]}":       2,
		"wmi: {A: [[1]]}":                  1,
		"variables: {A: 1}\nvariables: 'x": 2,
	} {
		_, err := fact.Parse([]byte(text))
		var e *fact.Error
		require.ErrorAs(t, err, &e, text)
		require.Equal(t, line, e.Line, "%s: %v", text, err)
	}
}

// Names and exit codes may be a list: name and value, or step and code.
func TestParseNamesAsList(t *testing.T) {
	s, err := fact.Parse([]byte("variables:\n- {name: A, value: x}\nexitCodes:\n- {step: Install agent, code: 3010}\n- {step: 12, code: -1}\n- {name: Setup, value: 0xC1900210}\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "x"}, s.Variables)
	require.Equal(t, map[string]uint32{"Install agent": 3010, "12": 4294967295, "Setup": 3247440400}, s.ExitCodes)
	for _, text := range []string{"- {step: a}", "- {code: 1}", "- {step: a, code: x}", "- {step: a, kode: 1}"} {
		_, err := fact.Parse([]byte("exitCodes:\n" + text))
		var e *fact.Error
		require.ErrorAs(t, err, &e, text)
		require.Equal(t, 2, e.Line, text)
	}
}

func TestParseHostile(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := '1'; i <= '9'; i++ {
		one := "*a" + string(i-1)
		bomb += "a" + string(i) + ": &a" + string(i) + " [" + strings.Repeat(one+",", 9) + one + "]\n"
	}
	for name, text := range map[string]string{
		"aliases":  "variables:\n" + strings.ReplaceAll("\n"+bomb, "\na", "\n  a"),
		"brackets": strings.Repeat("[", 100_000), "braces": strings.Repeat("{a: ", 60_000), "dashes": strings.Repeat("- ", 100_000),
		"questions": strings.Repeat("? ", 100_000), "anchors": strings.Repeat("&a ", 90_000), "tags": strings.Repeat("!a ", 90_000),
		"large": "variables: {A: " + strings.Repeat("x", 2<<20) + "}", "text": "variables: {A: " + strings.Repeat("x", 20000) + "}",
		"self": "variables: &a {A: *a}",
		"steps": func() string {
			var b strings.Builder
			for i := range 1000 {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return b.String()
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := fact.Parse([]byte(text))
			var e *fact.Error
			require.ErrorAs(t, err, &e)
			require.Less(t, len(e.Text), 300)
			require.Less(t, time.Since(start), 10*time.Second)
		})
	}
}

func TestParseAnchors(t *testing.T) {
	s, err := fact.Parse([]byte("wmi:\n  A: &a [{X: 1}]\n  B: *a\n  C:\n    - &b {X: 1, Y: 2}\n    - {<<: *b, Y: 3}\n"))
	require.NoError(t, err)
	x, _ := s.Class("", "B").Instances[0].Property("x")
	require.EqualValues(t, 1, x)
	x, _ = s.Class("", "C").Instances[1].Property("x")
	require.EqualValues(t, 1, x)
	y, _ := s.Class("", "C").Instances[1].Property("y")
	require.EqualValues(t, 3, y)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("registry:\n- key: HKLM\\A\n  value: B\n  data: [a, b]\nfiles: {C:\\a: {date: 2024-01-01}}\nsoftware: [a]"))
	f.Add([]byte("wmi: {A: &a [{B: 0x10, C: ~, D: 1.5, E: !!str 5}], F: *a}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = fact.Parse(data)
	})
}

// A sheet saved by an editor of Windows begins with a mark; one in UTF-16 is refused with what to do; a variable that
// is given in two spellings has no value that could be relied on (TS-80).
func TestParseAsWindowsSaves(t *testing.T) {
	s, err := fact.Parse([]byte("\uFEFFexitCodes: {a: 3010}\r\nvariables: {A: x}\r\n"))
	require.NoError(t, err)
	require.Equal(t, uint32(3010), s.ExitCodes["a"])
	for text, want := range map[string]string{
		"\xff\xfee\x00n\x00":                 "UTF-8",
		"\xfe\xff\x00e\x00n":                 "UTF-8",
		"e\x00n\x00":                         "UTF-8",
		"variables:\n  Site: a\n  SITE: b\n": "line 3: variable SITE is given twice",
		"variables: [{name: a, value: 1}, {name: A, value: 2}]": "given twice",
	} {
		_, err := fact.Parse([]byte(text))
		require.ErrorContains(t, err, want, "%q", text)
	}
}

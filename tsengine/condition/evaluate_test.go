package condition_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/variable"
)

func environment(t testing.TB, pairs ...string) *variable.Environment {
	t.Helper()
	env := variable.New()
	for i := 0; i < len(pairs); i += 2 {
		require.NoError(t, env.Set(pairs[i], pairs[i+1]))
	}
	return env
}

func parse(t testing.TB, xml string) *sequence.Condition {
	t.Helper()
	s, err := sequence.Parse([]byte(`<sequence version="3.10"><group name="g"><condition>` + xml + `</condition></group></sequence>`))
	require.NoError(t, err)
	return s.All()[0].Condition
}

func test(name, operator, value string) string {
	return `<expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">` + operator +
		`</variable><variable name="Value">` + value + `</variable><variable name="Variable">` + name + `</variable></expression>`
}

// The operators of a variable expression, TS-64 to TS-70 and TS-33.
func TestTS64To70VariableOperators(t *testing.T) {
	env := environment(t, "Name", "Alpha", "Ten", "10", "Nine", "9", "Version", "10.0.19041", "Code", "3247440400", "Negative", "-1047526896", "Ref", "alpha", "_SMSTSInWinPE", "true")
	for _, c := range []struct {
		rule, name, operator, value string
		want                        bool
	}{
		{"TS-65", "Name", "exists", "", true},
		{"TS-65", "Gone", "exists", "", false},
		{"TS-65", "Gone", "notExists", "", true},
		{"TS-65", "Name", "NotExists", "", false},
		{"TS-68", "Name", "equals", "ALPHA", true},
		{"TS-64", "name", "Equals", "alpha", true},
		{"TS-68", "Name", "equals", "alpha ", false}, // no trimming
		{"TS-64", "Name", "notequals", "beta", true},
		{"TS-66", "Gone", "notEquals", "TRUE", true}, // TS-66
		{"TS-66", "Gone", "equals", "", true},
		{"TS-66", "Gone", "equals", "x", false},
		{"TS-66", "Gone", "less", "x", true},
		{"TS-67", "Ten", "greater", "9", true}, // numbers
		{"TS-67", "Ten", "greaterEqual", "10", true},
		{"TS-67", "Nine", "less", "10", true},
		{"TS-67", "Nine", "lessEqual", "8", false},
		{"TS-67", "Ten", "equals", "010", true},
		{"TS-67", "Version", "greaterEqual", "6", false}, // TS-67: text, "1" < "6"
		{"TS-67", "Version", "less", "6", true},
		{"TS-33", "Code", "equals", "-1047526896", true}, // TS-33
		{"TS-33", "Negative", "equals", "3247440400", true},
		{"TS-33", "Negative", "notEquals", "3247440400", false},
		{"TS-33", "Negative", "less", "0", true},
		{"TS-69", "Name", "like", "al*", true},
		{"TS-69", "Name", "like", "?lph?", true},
		{"TS-69", "Name", "like", "lph", false},
		{"TS-69", "Name", "notLike", "b*", true},
		{"TS-70", "Name", "equals", "%Ref%", true}, // TS-70
		{"TS-68", "_SMSTSInWinPE", "equals", "TRUE", true},
		{"TS-65", " Name ", "exists", "", true},
	} {
		t.Run(c.rule+" "+c.name+" "+c.operator+" "+c.value, func(t *testing.T) {
			e := &condition.Evaluator{Variables: env}
			v, err := e.Evaluate(t.Context(), parse(t, test(c.name, c.operator, c.value)))
			require.NoError(t, err)
			require.Equal(t, c.want, v.Holds, v.Reason)
			require.NotEmpty(t, v.Reason)
		})
	}
}

// Operators and empty lists, TS-60 to TS-62, TS-79.
func TestTS60To62Operators(t *testing.T) {
	yes, no := test("A", "exists", ""), test("B", "exists", "")
	for _, c := range []struct {
		name, xml string
		want      bool
	}{
		{"TS-62 empty", ``, true},
		{"TS-62 empty and", `<operator type="and"/>`, true},
		{"TS-62 empty or", `<operator type="or"/>`, false},
		{"TS-62 empty not", `<operator type="not"/>`, true},
		{"TS-79 side by side", yes + yes, true},
		{"TS-60 side by side, one false", yes + no, false},
		{"TS-61 or", `<operator type="or">` + no + yes + `</operator>`, true},
		{"TS-61 and", `<operator type="AND">` + yes + no + `</operator>`, false},
		{"TS-61 not is not any", `<operator type="not">` + yes + no + `</operator>`, false},
		{"TS-61 not of false ones", `<operator type="not">` + no + no + `</operator>`, true},
		{"TS-60 nested", `<operator type="and"><operator type="or">` + no + `<operator type="not">` + no + `</operator></operator>` + yes + `</operator>`, true},
		{"TS-79 os group", `<osConditionGroup type="or"><osExpressionGroup type="and" name="x"><platformKey arch="x64"/>` + no + `</osExpressionGroup><osExpressionGroup type="and">` + yes + `</osExpressionGroup></osConditionGroup>`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &condition.Evaluator{Variables: environment(t, "A", "1")}
			v, err := e.Evaluate(t.Context(), parse(t, c.xml))
			require.NoError(t, err)
			require.Equal(t, c.want, v.Holds, v.Reason)
		})
	}
	v, err := (&condition.Evaluator{Variables: environment(t)}).Evaluate(t.Context(), nil)
	require.NoError(t, err)
	require.True(t, v.Holds)
}

// TS-23: what cannot be evaluated is an error and not false.
func TestTS23Errors(t *testing.T) {
	for name, xml := range map[string]string{
		"unknown operator":   `<operator type="xor">` + test("A", "exists", "") + `</operator>`,
		"unknown comparison": test("A", "resembles", "x"),
		"no variable":        test("", "exists", ""),
		"unknown type":       `<expression type="SMS_TaskSequence_MoonConditionExpression"/>`,
		"unknown element":    `<moon/>`,
		"empty query":        `<expression type="SMS_TaskSequence_WMIConditionExpression"><variable name="Query"></variable></expression>`,
		"no product":         `<expression type="SMS_TaskSequence_SoftwareConditionExpression"><variable name="Operator">AnyVersion</variable></expression>`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := (&condition.Evaluator{Variables: environment(t, "A", "1")}).Evaluate(t.Context(), parse(t, xml))
			require.Error(t, err)
		})
	}
}

type facts struct {
	holds bool
	err   error
}

func (f facts) Holds(context.Context, *sequence.Expression) (condition.Verdict, error) {
	return condition.Verdict{Holds: f.holds}, f.err
}

// TS-74 to TS-76.
func TestTS74To76Facts(t *testing.T) {
	wmi := `<expression type="SMS_TaskSequence_WMIConditionExpression"><variable name="Namespace">root\cimv2</variable><variable name="Query">SELECT * FROM Win32_Battery</variable></expression>`
	plain := parse(t, wmi)
	var warnings []string
	warn := func(s string) { warnings = append(warnings, s) }
	for _, f := range []condition.Facts{nil, facts{err: condition.ErrUnknown}} {
		warnings = nil
		v, err := (&condition.Evaluator{Variables: environment(t), Facts: f, Warn: warn}).Evaluate(t.Context(), plain)
		require.NoError(t, err)
		require.False(t, v.Holds)
		require.Len(t, warnings, 1)
		require.Contains(t, warnings[0], "TS-76")
	}
	v, err := (&condition.Evaluator{Variables: environment(t), Facts: facts{holds: true}}).Evaluate(t.Context(), plain)
	require.NoError(t, err)
	require.True(t, v.Holds)
	bad := errors.New("bad query")
	_, err = (&condition.Evaluator{Variables: environment(t), Facts: facts{err: bad}}).Evaluate(t.Context(), plain)
	require.ErrorIs(t, err, bad)
	ignored := parse(t, `<expression type="SMS_TaskSequence_WMIConditionExpression" ignoreQueryFailure="true"><variable name="Query">SELECT</variable></expression>`)
	v, err = (&condition.Evaluator{Variables: environment(t), Facts: facts{err: bad}}).Evaluate(t.Context(), ignored)
	require.NoError(t, err)
	require.False(t, v.Holds)
}

// TS-71.
func TestTS71FileAndFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.txt")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	when := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	require.NoError(t, os.Chtimes(file, when, when))
	x := func(kind, path, more string) string {
		return `<expression type="SMS_TaskSequence_` + kind + `ConditionExpression"><variable name="Path">` + path + `</variable>` + more + `</expression>`
	}
	date := func(op, at string) string {
		return `<variable name="DateTimeOperator">` + op + `</variable><variable name="DateTime">` + at + `</variable>`
	}
	for _, c := range []struct {
		name, xml string
		want      bool
	}{
		{"file", x("File", "%Dir%/a.txt", ""), true},
		{"file missing", x("File", "%Dir%/b.txt", ""), false},
		{"folder is no file", x("File", "%Dir%", ""), false},
		{"folder", x("Folder", "%Dir%", ""), true},
		{"file is no folder", x("Folder", "%Dir%/a.txt", ""), false},
		{"date equals", x("File", file, date("equals", "20240506070809.000000+000")), true},
		{"date in another zone", x("File", file, date("equals", "20240506080809.000000+060")), true},
		{"date greater", x("File", file, date("greater", "20240506070808.000000+000")), true},
		{"date less", x("File", file, date("less", "20240506070808.000000+000")), false},
		{"missing is not notEquals", x("File", dir+"/none", date("notEquals", "20240506070808.000000+000")), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &condition.Evaluator{Variables: environment(t, "Dir", dir), Files: condition.OS{}}
			v, err := e.Evaluate(t.Context(), parse(t, c.xml))
			require.NoError(t, err)
			require.Equal(t, c.want, v.Holds, v.Reason)
		})
	}
	require.Equal(t, -1, condition.CompareVersions("10.0.9", "10.0.19041"))
	require.Equal(t, 0, condition.CompareVersions("10.0", "10.0.0.0"))
	require.Equal(t, 1, condition.CompareVersions("6.10", "6.9.9.9"))
}

// TS-96.
func TestTS96Rules(t *testing.T) {
	env := environment(t, "_SMSTSMake", "Acme Inc", "_SMSTSModel", "Box 12", "_SMSTSMacAddresses", "52:54:00:AA:BB:CC,02:00:00:00:00:01", "_SMSTSSerialNumber", "S1",
		"_SMSTSUUID", "00112233-4455-6677-8899-AABBCCDDEEFF", "_SMSTSAssetTag", "A7", "_SMSTSDefaultGateways", "10.0.0.1,fe80::1", "Site", "10.0.0.1")
	for _, c := range []struct {
		name, xml string
		want      bool
	}{
		{"make and model", `<expression type="SMS_TaskSequence_MakeModelConditionExpression"><variable name="Make">acme*</variable><variable name="Model">Box ??</variable></expression>`, true},
		{"other model", `<expression type="SMS_TaskSequence_MakeModelConditionExpression"><variable name="Make">acme*</variable><variable name="Model">Box ?</variable></expression>`, false},
		{"mac", `<expression type="SMS_TaskSequence_ComputerConditionExpression"><variable name="AssetTag"></variable><variable name="MACAddress">02-00-00-00-00-01</variable></expression>`, true},
		{"make only", rule("MakeModel", "Make", "Acme Inc", "Model", ""), true},
		{"other make", rule("MakeModel", "Make", "Other*", "Model", "*"), false},
		{"asset tag", rule("Computer", "AssetTag", "a7", "SerialNumber", "other"), true},
		{"serial number", rule("Computer", "AssetTag", "other", "SerialNumber", "s1"), true},
		{"UUID in braces", rule("Computer", "UUID", "{00112233-4455-6677-8899-aabbccddeeff}"), true},
		{"none of them", rule("Computer", "AssetTag", "x", "SerialNumber", "x", "UUID", "x", "MACAddress", "x"), false},
		{"gateway", rule("Location", "DefaultGateway", "10.0.0.1"), true},
		{"gateway by variable", rule("Location", "DefaultGateway", "%Site%"), true},
		{"gateway of IPv6", rule("Location", "DefaultGateway", "FE80::1"), true},
		{"one of several gateways", rule("Location", "DefaultGateway", "10.0.0.2, 10.0.0.1"), true},
		{"gateway is no prefix", rule("Location", "DefaultGateway", "10.0.0.10"), false},
		{"nothing given", `<expression type="SMS_TaskSequence_ComputerConditionExpression"><variable name="AssetTag"></variable></expression>`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := (&condition.Evaluator{Variables: env}).Evaluate(t.Context(), parse(t, c.xml))
			require.NoError(t, err)
			require.Equal(t, c.want, v.Holds, v.Reason)
		})
	}
}

func rule(kind string, fields ...string) string {
	text := `<expression type="SMS_TaskSequence_` + kind + `ConditionExpression">`
	for i := 0; i < len(fields); i += 2 {
		text += `<variable name="` + fields[i] + `">` + fields[i+1] + `</variable>`
	}
	return text + `</expression>`
}

// A shape that decides nothing else than what its operators say: TS-63 stops early, TS-79 needs no operator.
func TestTS63StopsEarly(t *testing.T) {
	bad := test("A", "resembles", "x")
	for name, xml := range map[string]string{
		"TS-63 or":  `<operator type="or">` + test("A", "exists", "") + bad + `</operator>`,
		"TS-63 not": `<operator type="not"><operator type="and">` + test("B", "exists", "") + bad + `</operator></operator>`,
		"TS-79 one": test("A", "equals", "1"),
	} {
		t.Run(name, func(t *testing.T) {
			v, err := (&condition.Evaluator{Variables: environment(t, "A", "1")}).Evaluate(t.Context(), parse(t, xml))
			require.NoError(t, err)
			require.True(t, v.Holds)
		})
	}
}

// A file whose system knows no versions, or a machine without files, gives false and a warning.
func TestTS71Unknown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	var warnings []string
	e := &condition.Evaluator{Variables: environment(t), Files: condition.OS{}, Warn: func(w string) { warnings = append(warnings, w) }}
	v, err := e.Evaluate(t.Context(), parse(t, rule("File", "Path", file, "Version", "1", "VersionOperator", "notEquals")))
	require.NoError(t, err)
	require.False(t, v.Holds)
	require.Len(t, warnings, 1)
}

func FuzzLike(f *testing.F) {
	f.Add("Alpha", "a*")
	f.Add("aaaaaaaaaaaaaaaaaaaaaa", "*a*a*a*a*a*b")
	f.Fuzz(func(t *testing.T, value, pattern string) {
		condition.Like(value, pattern)
		require.True(t, condition.Like(value, "*"))
		require.Equal(t, -condition.Compare(value, pattern), condition.Compare(pattern, value))
	})
}

func FuzzCondition(f *testing.F) {
	f.Add(test("A", "equals", "1"))
	f.Add(`<operator type="not"><operator type="or"/></operator>`)
	f.Fuzz(func(t *testing.T, xml string) {
		s, err := sequence.Parse([]byte(`<sequence version="3.10"><group name="g"><condition>` + xml + `</condition></group></sequence>`))
		if err != nil {
			return
		}
		for _, n := range s.All() {
			_, _ = (&condition.Evaluator{Variables: variable.New()}).Evaluate(t.Context(), n.Condition)
		}
	})
}

package conformance_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/conformance"
)

var update = flag.Bool("update", false, "write the golden files")

func rowsOf(t *testing.T) []conformance.Row {
	t.Helper()
	rows, err := conformance.ParseRows(strings.NewReader(`
Rows:
| row | seed says (short) | works when | check | rules |
|---|---|---|---|---|
| S-01 | One | w | c | - |
| S-02 | Two | w | c | - |
| S-03 | Three | w | c | - |
| S-04 | Four | w | c | - |
| S-05 | Five | w | c | - |
| S-100 | Hundred | w | c | - |
| S-101 | And one | w | c | - |
`))
	require.NoError(t, err)
	return rows
}

// stream is a call of go test: one package passes, one fails, one does not
// compile, one panics.
const stream = `go: downloading something
{"Action":"run","Package":"m/a","Test":"TestRows"}
{"Action":"run","Package":"m/a","Test":"TestRows/S-01"}
{"Action":"pass","Package":"m/a","Test":"TestRows/S-01"}
{"Action":"run","Package":"m/a","Test":"TestRows/S-02"}
{"Action":"output","Package":"m/a","Test":"TestRows/S-02","Output":"    x_test.go:1: conformance: partly: no media | yet\n"}
{"Action":"pass","Package":"m/a","Test":"TestRows/S-02"}
{"Action":"run","Package":"m/a","Test":"TestRows/S-03"}
{"Action":"skip","Package":"m/a","Test":"TestRows/S-03"}
{"Action":"run","Package":"m/a","Test":"TestRows/S-05"}
{"Action":"run","Package":"m/a","Test":"TestRows/S-05/machine"}
{"Action":"skip","Package":"m/a","Test":"TestRows/S-05/machine"}
{"Action":"pass","Package":"m/a","Test":"TestRows/S-05"}
{"Action":"run","Package":"m/a","Test":"TestRows/S-100/RRN-T1_never"}
{"Action":"pass","Package":"m/a","Test":"TestRows/S-100/RRN-T1_never"}
{"Action":"run","Package":"m/a","Test":"TestRows/S-100"}
{"Action":"pass","Package":"m/a","Test":"TestRows/S-100"}
{"Action":"pass","Package":"m/a","Test":"TestRows"}
{"Action":"pass","Package":"m/a"}
{"Action":"run","Package":"m/b","Test":"TestRows/S-02"}
{"Action":"skip","Package":"m/b","Test":"TestRows/S-02"}
{"Action":"run","Package":"m/b","Test":"TestRows/S-100"}
{"Action":"output","Package":"m/b","Test":"TestRows/S-100","Output":"conformance: partly: only here\n"}
{"Action":"pass","Package":"m/b","Test":"TestRows/S-100"}
{"Action":"run","Package":"m/b","Test":"TestRows/S-04/PXE-16"}
{"Action":"fail","Package":"m/b","Test":"TestRows/S-04/PXE-16"}
{"Action":"fail","Package":"m/b","Test":"TestRows/S-04"}
{"Action":"pass","Package":"m/c","Test":"TestRows/S-04"}
{"Action":"fail","Package":"m/b"}
{"Action":"build-output","Package":"","Output":"x.go:1: syntax error\n"}
{"Action":"fail","Package":"m/d"}
{"Action":"run","Package":"m/e","Test":"TestRows/S-101"}
{"Action":"fail","Package":"m/e"}
{"Action":"pass","Package":"m/c","Test":"TestDecide/PXE-16"}
{"Action":"pass","Package":"m/c","Test":"TestDecide/PXE-17a,_SCH-3:_both"}
{"Action":"pass","Package":"m/c","Test":"TestDecide/XPXE-1"}
`

func TestPage(t *testing.T) {
	ended, other := 0, bytes.Buffer{}
	results, err := conformance.ParseResults(strings.NewReader(stream), "m", &other, func(conformance.Test) { ended++ })
	require.NoError(t, err)
	require.Contains(t, other.String(), "go: downloading something")
	require.Contains(t, other.String(), "syntax error")
	require.Equal(t, []string{"d"}, results.Broken, "e has a test that never ended: that one failed")
	require.Equal(t, 16, ended)

	rules, err := conformance.ParseRules(strings.NewReader("- PXE-16 A rule\n- PXE-17a b\n* **TS-45** Text\n| PXE-18 | c |\n- SCH-3 d\ntext PXE-99 is none\n- XY 3\n"))
	require.NoError(t, err)
	var page bytes.Buffer
	gaps, err := conformance.ParseGaps(strings.NewReader("# why\nTS-45\tgap\tno | machine\nPXE-17a\tpartly\thalf of it\nS-02\tgap\tnot built\nS-01\tpartly\tproven anyway\n"))
	require.NoError(t, err)
	verdicts := conformance.WithGaps(conformance.Judge(rowsOf(t), results), gaps)
	require.NoError(t, conformance.WritePage(&page, verdicts, conformance.Cited(rules, results), conformance.JudgeRules("", rules, gaps, results)))
	golden := filepath.Join("testdata", "page.md")
	if *update {
		require.NoError(t, os.WriteFile(golden, page.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), page.String())
}

func TestJudge(t *testing.T) {
	row := conformance.Row{ID: "S-01", Text: "x"}
	test := func(pkg, name string, o conformance.Outcome, missing ...string) *conformance.Test {
		return &conformance.Test{Package: pkg, Name: name, Outcome: o, Missing: missing}
	}
	for name, c := range map[string]struct {
		tests []*conformance.Test
		want  conformance.State
	}{
		"no test":                    {nil, conformance.Missing},
		"skipped":                    {[]*conformance.Test{test("a", "TestRows/S-01", conformance.Skipped)}, conformance.Missing},
		"other row":                  {[]*conformance.Test{test("a", "TestRows/S-011", conformance.Passed)}, conformance.Missing},
		"name twice":                 {[]*conformance.Test{test("a", "TestRows/S-01#01", conformance.Passed)}, conformance.Proven},
		"partly":                     {[]*conformance.Test{test("a", "TestRows/S-01", conformance.Passed, "x")}, conformance.PartlyDone},
		"partly in a subtest":        {[]*conformance.Test{test("a", "TestRows/S-01", conformance.Passed), test("a", "TestRows/S-01/b", conformance.Passed, "x")}, conformance.PartlyDone},
		"full outweighs partly":      {[]*conformance.Test{test("a", "TestRows/S-01", conformance.Passed, "x"), test("b", "TestRows/S-01", conformance.Passed)}, conformance.Proven},
		"failure outweighs all":      {[]*conformance.Test{test("a", "TestRows/S-01", conformance.Passed), test("b", "TestRows/S-01", conformance.Failed)}, conformance.Broken},
		"skip beside a proof":        {[]*conformance.Test{test("a", "TestRows/S-01", conformance.Skipped), test("b", "TestRows/S-01", conformance.Passed)}, conformance.Proven},
		"a subtest of another suite": {[]*conformance.Test{test("a", "TestRows/S-01", conformance.Passed), test("b", "TestRows/S-01/x", conformance.Skipped)}, conformance.Proven},
	} {
		t.Run(name, func(t *testing.T) {
			v := conformance.Judge([]conformance.Row{row}, conformance.Results{Tests: c.tests})
			require.Equal(t, c.want, v[0].State)
		})
	}
}

func TestRowsOfThisProject(t *testing.T) {
	f, err := os.Open("../../docs/spec/seed-rows.md")
	require.NoError(t, err)
	defer f.Close()
	rows, err := conformance.ParseRows(f)
	require.NoError(t, err)
	require.Len(t, rows, 123)
	require.Equal(t, "S-01", rows[0].ID)
	require.Equal(t, "S-123", rows[122].ID)
	for _, bad := range []string{"", "| S-01 | a | b |\n| S-01 | a | b |\n", "| S-01 | | b |\n"} {
		_, err := conformance.ParseRows(strings.NewReader(bad))
		require.Error(t, err, bad)
	}
}

func TestDiscover(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	_, err := conformance.Discover(root)
	require.Error(t, err)
	write("a/x_test.go", "package a\nfunc TestRows(t *testing.T) {}\nfunc TestOther(t *testing.T) { t.Run(\"x\", f) }\n")
	write("b/c/x_test.go", "package c\nfunc TestDecide(t *testing.T) { for _, n := range []string{\"PXE-16 twice\"} { t.Run(n, f) } }\n")
	write("d/x_test.go", "package d\nfunc TestMessage(t *testing.T) { require.True(t, ok, \"PXE-16 says so\"); t.Run(\"x\", f) }\n")
	write("e/x_test.go", "package e\nfunc TestTS45Example(t *testing.T) {}\nfunc TestUpgradeTS124(t *testing.T) {}\nfunc TestTS60To62Operators(t *testing.T) {}\nfunc TestTS112aKilled(t *testing.T) {}\nfunc TestSums(t *testing.T) {}\n")
	write("g/x_windows_test.go", "package g\nfunc TestTS72Redirection(t *testing.T) {}\n")
	write("e/testdata/x_test.go", "package e\nfunc TestRows(t *testing.T) {}\n")
	p, err := conformance.Discover(root)
	require.NoError(t, err)
	require.Equal(t, []string{"./a", "./b/c", "./e", "./g"}, p.Packages)
	require.Equal(t, "^(TestDecide|TestRows|TestTS112aKilled|TestTS45Example|TestTS60To62Operators|TestTS72Redirection|TestUpgradeTS124)$", p.Pattern())
	named, err := conformance.Named(root)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"PXE-16": true, "TS-45": true, "TS-124": true, "TS-60": true, "TS-61": true, "TS-62": true, "TS-112a": true}, named)
	write("f/x_test.go", "no Go")
	_, err = conformance.Discover(root)
	require.Error(t, err)
}

// Every rule of the task sequence engine is carried by a test or stated as a gap, and none is both.
func TestEveryTaskSequenceRuleIsAccountedFor(t *testing.T) {
	f, err := os.Open("../../docs/spec/task-sequence.md")
	require.NoError(t, err)
	defer f.Close()
	rules, err := conformance.ParseRules(f)
	require.NoError(t, err)
	g, err := os.Open("../../docs/spec/gaps.tsv")
	require.NoError(t, err)
	defer g.Close()
	gaps, err := conformance.ParseGaps(g)
	require.NoError(t, err)
	named, err := conformance.Named("../..")
	require.NoError(t, err)
	require.Empty(t, conformance.Unaccounted("TS-", rules, gaps, named))
}

func TestUnaccounted(t *testing.T) {
	rules := []conformance.Rule{{ID: "TS-1"}, {ID: "TS-2"}, {ID: "TS-3"}, {ID: "TS-4"}, {ID: "TS-5"}, {ID: "PXE-1"}}
	gaps := []conformance.Gap{{ID: "TS-2", State: conformance.Stated}, {ID: "TS-3", State: conformance.PartlyDone}, {ID: "TS-4", State: conformance.PartlyDone}, {ID: "TS-9", State: conformance.Stated}, {ID: "S-81", State: conformance.Stated}}
	wrong := conformance.Unaccounted("TS-", rules, gaps, map[string]bool{"TS-1": true, "TS-2": true, "TS-3": true})
	require.Len(t, wrong, 4)
	for i, id := range []string{"TS-2", "TS-4", "TS-5", "TS-9"} {
		require.True(t, strings.HasPrefix(wrong[i], id+" "), wrong[i])
	}
	for _, bad := range []string{"TS-1 gap why", "TS-1\tmaybe\twhy", "TS-1\tgap\t ", "TS-1\tgap\tx\nTS-1\tgap\ty"} {
		_, err := conformance.ParseGaps(strings.NewReader(bad))
		require.Error(t, err, bad)
	}
}

func FuzzParseResults(f *testing.F) {
	f.Add(stream)
	f.Add(`{"Action":"fail","Test":"/S-01/"}`)
	f.Fuzz(func(t *testing.T, in string) {
		results, err := conformance.ParseResults(strings.NewReader(in), "m", io.Discard, nil)
		if err != nil {
			return
		}
		require.NoError(t, conformance.WritePage(io.Discard, conformance.Judge([]conformance.Row{{ID: "S-01"}}, results), conformance.Cited([]conformance.Rule{{ID: "PXE-16"}}, results), conformance.JudgeRules("PXE", []conformance.Rule{{ID: "PXE-16"}}, nil, results)))
	})
}

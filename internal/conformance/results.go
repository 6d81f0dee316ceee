package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Outcome is how a test ended.
type Outcome string

// The outcomes. A test that began and was never heard of again has failed.
const (
	Passed  Outcome = "pass"
	Failed  Outcome = "fail"
	Skipped Outcome = "skip"
)

const partlyMark = "conformance: partly: "

// Partly is the line by which a test says that it shows a part of its row only.
func Partly(missing string) string { return partlyMark + missing }

// Test is one test or subtest.
type Test struct {
	Package string // below the module
	Name    string
	Outcome Outcome
	Missing []string // what Partly named
	Output  string   // the end of what it wrote, at most maxOutput bytes
}

// Results are the tests of one call of go test, in the order in which they began.
type Results struct {
	Tests []*Test
	// Broken are packages that failed without a test that did: they do not
	// compile, or ended too early.
	Broken []string
}

const (
	// maxLine bounds one line of go test's output, maxOutput what is kept of a
	// test to explain a failure.
	maxLine   = 16 << 20
	maxOutput = 16 << 10
)

type event struct {
	Action, Package, Test, Output string
}

// ParseResults reads the output of go test -json. Lines that are no events are
// what the go command itself says; they go to other. Names of packages lose
// module in front. each, unless nil, is called whenever a test ends.
func ParseResults(r io.Reader, module string, other io.Writer, each func(Test)) (Results, error) {
	out := Results{}
	tests, broken := map[string]*Test{}, map[string]bool{}
	failures := map[string]bool{}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	for s.Scan() {
		var e event
		if len(s.Bytes()) == 0 {
			continue
		}
		if s.Bytes()[0] != '{' || json.Unmarshal(s.Bytes(), &e) != nil {
			fmt.Fprintln(other, s.Text())
			continue
		}
		pkg := strings.TrimPrefix(e.Package, module+"/")
		if e.Test == "" {
			switch e.Action {
			case "fail":
				broken[pkg] = true
			case "output", "build-output":
				if strings.HasPrefix(e.Output, "panic:") || e.Action == "build-output" {
					fmt.Fprint(other, e.Output)
				}
			}
			continue
		}
		key := pkg + " " + e.Test
		t := tests[key]
		if t == nil {
			t = &Test{Package: pkg, Name: e.Test, Outcome: Failed}
			tests[key] = t
			out.Tests = append(out.Tests, t)
		}
		switch e.Action {
		case "pass", "fail", "skip":
			t.Outcome = Outcome(e.Action)
			failures[pkg] = failures[pkg] || t.Outcome == Failed
			if each != nil {
				each(*t)
			}
		case "output":
			t.Output += e.Output
			t.Output = t.Output[max(0, len(t.Output)-maxOutput):]
			if _, missing, ok := strings.Cut(e.Output, partlyMark); ok {
				t.Missing = append(t.Missing, strings.TrimSpace(missing))
			}
		}
	}
	if err := s.Err(); err != nil {
		return out, fmt.Errorf("read the results of go test: %w", err)
	}
	for _, t := range out.Tests {
		failures[t.Package] = failures[t.Package] || t.Outcome == Failed
	}
	for pkg := range broken {
		if !failures[pkg] {
			out.Broken = append(out.Broken, pkg)
		}
	}
	return out, nil
}

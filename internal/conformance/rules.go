package conformance

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Stated is the state of a rule without a test, of which somebody said why.
const Stated State = "gap"

// Gap says what of a rule or a row is not shown, and why.
type Gap struct {
	ID     string
	State  State // PartlyDone beside tests, or Stated without any
	Reason string
}

// ParseGaps reads docs/spec/gaps.tsv: rule or row, partly or gap, reason.
// Lines that begin with # are comments.
func ParseGaps(r io.Reader) ([]Gap, error) {
	gaps, seen := []Gap{}, map[string]bool{}
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "\t")
		if len(cells) != 3 || strings.TrimSpace(cells[2]) == "" {
			return nil, fmt.Errorf("gaps, line %d: rule, state and reason are expected, with tabs between them", n)
		}
		g := Gap{ID: cells[0], State: State(cells[1]), Reason: strings.TrimSpace(cells[2])}
		if g.State != PartlyDone && g.State != Stated {
			return nil, fmt.Errorf("gaps, line %d: state %q; %s and %s exist", n, g.State, PartlyDone, Stated)
		}
		if seen[g.ID] {
			return nil, fmt.Errorf("gaps, line %d: %s is there twice", n, g.ID)
		}
		seen[g.ID] = true
		gaps = append(gaps, g)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read gaps: %w", err)
	}
	return gaps, nil
}

// RuleVerdict is what the tests and the stated gaps say of a rule.
type RuleVerdict struct {
	Rule
	State  State
	Proofs []string // tests that passed, or that failed when State is Broken
	Open   string   // the stated gap
}

// JudgeRules gives the rules whose ids begin with prefix their verdicts.
func JudgeRules(prefix string, rules []Rule, gaps []Gap, results Results) []RuleVerdict {
	passed, failed := map[string][]string{}, map[string][]string{}
	for _, t := range results.Tests {
		for _, id := range rulesIn(t.Name) {
			switch t.Outcome {
			case Passed:
				passed[id] = append(passed[id], shortest(t, id))
			case Failed:
				failed[id] = append(failed[id], shortest(t, id))
			}
		}
	}
	out := []RuleVerdict{}
	for _, rule := range rules {
		if !strings.HasPrefix(rule.ID, prefix) {
			continue
		}
		v := RuleVerdict{Rule: rule, State: Missing, Proofs: unique(passed[rule.ID])}
		if len(v.Proofs) > 0 {
			v.State = Proven
		}
		if i := slices.IndexFunc(gaps, func(g Gap) bool { return g.ID == rule.ID }); i >= 0 {
			v.Open = gaps[i].Reason
			if gaps[i].State == Stated || len(v.Proofs) > 0 {
				v.State = gaps[i].State
			}
		}
		if len(failed[rule.ID]) > 0 {
			v.State, v.Proofs = Broken, unique(failed[rule.ID])
		}
		out = append(out, v)
	}
	return out
}

// Unaccounted names what is wrong between rules that must be accounted for,
// the stated gaps, and the rules that named tests carry: a rule with neither
// test nor gap, one with both although the gap says that there is no test, a
// gap of something that is no rule.
func Unaccounted(prefix string, rules []Rule, gaps []Gap, named map[string]bool) []string {
	wrong, known := []string{}, map[string]bool{}
	state := map[string]State{}
	for _, g := range gaps {
		state[g.ID] = g.State
	}
	for _, r := range rules {
		known[r.ID] = true
		if !strings.HasPrefix(r.ID, prefix) {
			continue
		}
		switch {
		case state[r.ID] == "" && !named[r.ID]:
			wrong = append(wrong, r.ID+" has neither a test that carries its id nor a stated gap")
		case state[r.ID] == Stated && named[r.ID]:
			wrong = append(wrong, r.ID+" is a stated gap and a test carries its id: say partly, or take the line away")
		case state[r.ID] == PartlyDone && !named[r.ID]:
			wrong = append(wrong, r.ID+" is said to be partly proven and no test carries its id")
		}
	}
	for _, g := range gaps {
		if !known[g.ID] && !rowID.MatchString(g.ID) {
			wrong = append(wrong, g.ID+" has a stated gap and is no rule")
		}
	}
	return wrong
}

// shortest is the package and the name of a test up to where the rule is named.
func shortest(t *Test, id string) string {
	elements := strings.Split(t.Name, "/")
	for i := range elements {
		name := strings.Join(elements[:i+1], "/")
		if slices.Contains(rulesIn(name), id) {
			return t.Package + " " + name
		}
	}
	return t.Package + " " + t.Name
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// WithGaps adds the stated gaps to rows that are not proven.
func WithGaps(verdicts []Verdict, gaps []Gap) []Verdict {
	for i, v := range verdicts {
		for _, g := range gaps {
			if g.ID == v.ID && (v.State == PartlyDone || v.State == Missing) {
				verdicts[i].Open = append(v.Open, g.Reason)
			}
		}
	}
	return verdicts
}

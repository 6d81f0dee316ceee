package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// State is how well a row is proven.
type State string

// The states of a row.
const (
	Proven     State = "proven"
	PartlyDone State = "partly"
	Missing    State = "missing"
	Broken     State = "failed"
)

// Verdict is what the tests say of a row.
type Verdict struct {
	Row
	State  State
	Proofs []string // tests that passed, or that failed when State is Broken
	Open   []string // what is missing, with State PartlyDone or Missing
}

// Judge gives every row its verdict. One full proof is enough, and one failure
// outweighs it. A test with a part that was skipped proves a part.
func Judge(rows []Row, results Results) []Verdict {
	proofs := map[string][]proof{}
	for _, t := range results.Tests {
		for _, element := range strings.Split(t.Name, "/") {
			id, _, _ := strings.Cut(element, "#") // go test numbers names that are there twice
			if !rowID.MatchString(id) {
				continue
			}
			proofs[id] = add(proofs[id], t, strings.HasSuffix(t.Name, "/"+element))
		}
	}
	verdicts := make([]Verdict, 0, len(rows))
	for _, row := range rows {
		verdicts = append(verdicts, judge(row, proofs[row.ID]))
	}
	return verdicts
}

// proof is the test of a row with all its subtests.
type proof struct {
	test    string // package and name
	outcome Outcome
	missing []string
}

// add puts a test, or a subtest of one that is there, to the proofs of a row.
func add(list []proof, t *Test, own bool) []proof {
	name := t.Package + " " + t.Name
	if own {
		return append(list, proof{test: name, outcome: t.Outcome, missing: slices.Clone(t.Missing)})
	}
	for i := range list {
		if strings.HasPrefix(name, list[i].test+"/") {
			list[i].missing = append(list[i].missing, t.Missing...)
			if t.Outcome == Skipped {
				list[i].missing = append(list[i].missing, "skipped: "+t.Name)
			}
		}
	}
	return list
}

func judge(row Row, proofs []proof) Verdict {
	v := Verdict{Row: row, State: Missing}
	slices.SortStableFunc(proofs, func(a, b proof) int { return cmp.Compare(a.test, b.test) })
	rank := []State{Missing, PartlyDone, Proven, Broken}
	for _, p := range proofs {
		state := Proven
		switch {
		case p.outcome == Failed:
			state = Broken
		case p.outcome == Skipped:
			state = Missing
			p.missing = []string{fmt.Sprintf("skipped: %s", p.test)}
		case len(p.missing) > 0:
			state = PartlyDone
		}
		if slices.Index(rank, state) > slices.Index(rank, v.State) {
			v.State = state
		}
		if p.outcome != Skipped {
			v.Proofs = append(v.Proofs, p.test)
		}
		v.Open = append(v.Open, p.missing...)
	}
	if v.State == Proven || v.State == Broken {
		v.Open = nil
	}
	if v.State == Broken {
		v.Proofs = nil
		for _, p := range proofs {
			if p.outcome == Failed {
				v.Proofs = append(v.Proofs, p.test)
			}
		}
	}
	return v
}

// Family counts the rules that begin with the same letters.
type Family struct {
	Name  string
	Rules int
	Cited []string
}

// Cited counts the rules that the name of a passed test contains, by family.
// Only ids in rules are rules.
func Cited(rules []Rule, results Results) []Family {
	order, seen := []Family{}, map[string]bool{}
	cited := map[string]bool{}
	for _, t := range results.Tests {
		if t.Outcome == Passed {
			for _, id := range rulesIn(t.Name) {
				cited[id] = true
			}
		}
	}
	for _, rule := range rules {
		id := rule.ID
		if seen[id] {
			continue
		}
		seen[id] = true
		name, _, _ := strings.Cut(id, "-")
		i := slices.IndexFunc(order, func(f Family) bool { return f.Name == name })
		if i < 0 {
			i = len(order)
			order = append(order, Family{Name: name})
		}
		order[i].Rules++
		if cited[id] {
			order[i].Cited = append(order[i].Cited, id)
		}
	}
	return order
}

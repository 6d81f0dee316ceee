package tsengine

import (
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/step"
)

// Check finds what would go wrong with a sequence: its own problems, those of its children (TSV-4), references between
// sequences that cannot be followed, and enabled steps this version cannot run. Problems with severity sequence.Blocks
// stand in the way of a deployment. With exists nil, references to packages are not checked.
func Check(s *sequence.Sequence, children map[string]*sequence.Sequence, exists sequence.Exists) []sequence.Problem {
	out := s.Problems(exists)
	if _, err := compile(s, children, children == nil); err != nil {
		out = append(out, sequence.Problem{Severity: sequence.Blocks, Rule: "TS-120", Text: err.Error(), Remedy: "import the child, break the circle or disable the step"})
	}
	out = append(out, unsupported(s)...)
	for _, id := range childIDs(s, children, map[string]bool{}) {
		out = append(out, children[id].Problems(exists)...)
		out = append(out, unsupported(children[id])...)
	}
	return out
}

func unsupported(s *sequence.Sequence) []sequence.Problem {
	var out []sequence.Problem
	for _, n := range s.All() {
		if n.Kind != sequence.Step || !n.Enabled() {
			continue
		}
		if _, no := step.Find(n).(step.Unsupported); no {
			out = append(out, sequence.Problem{Severity: sequence.Warns, Rule: "TS-4", Node: n, Text: "step type " + n.ShortType() + " cannot be run by this version and fails", Remedy: "disable it or replace it by a Run Command Line step"})
		}
	}
	return out
}

func childIDs(s *sequence.Sequence, children map[string]*sequence.Sequence, seen map[string]bool) []string {
	var out []string
	for _, r := range s.References() {
		if r.Kind != sequence.SequenceReference || seen[r.ID] || children[r.ID] == nil {
			continue
		}
		seen[r.ID] = true
		out = append(append(out, r.ID), childIDs(children[r.ID], children, seen)...)
	}
	return out
}

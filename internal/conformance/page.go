package conformance

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

const head = `# Conformance

Written by ` + "`make conformance`" + `; do not edit. It runs the tests named TestRows, and those whose names carry the id of a rule,
with the race detector, and holds them against ` + "`docs/spec/seed-rows.md`" + `. Tests that boot virtual machines run when the
command runs as root and QEMU is there (` + "`BOOTYARD_VM=0`" + ` leaves them out); a test that was skipped proves nothing.

proven: a test does what the row's check says and passed. partly: it does a part of it; what is missing is said. missing: no
test, or it was skipped. failed: a test of the row failed.

`

// WritePage writes docs/conformance.md. The same verdicts give the same bytes.
func WritePage(w io.Writer, verdicts []Verdict, families []Family, rules []RuleVerdict) error {
	var b strings.Builder
	b.WriteString(head)
	count := map[State]int{}
	for _, v := range verdicts {
		count[v.State]++
	}
	fmt.Fprintf(&b, "## Rows\n\n%d rows: %d proven, %d partly, %d missing, %d failed.\n\n", len(verdicts), count[Proven], count[PartlyDone], count[Missing], count[Broken])
	b.WriteString("| row | the seed page says | state | test | missing |\n|---|---|---|---|---|\n")
	for _, v := range verdicts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", v.ID, v.Text, v.State, cell(v.Proofs), cell(v.Open))
	}
	b.WriteString("\n## Rules\n\nA rule counts as cited when the name of a passed test contains its id.\n\n| family | rules | cited | which |\n|---|---|---|---|\n")
	all, cited := 0, 0
	for _, f := range families {
		all, cited = all+f.Rules, cited+len(f.Cited)
		fmt.Fprintf(&b, "| %s | %d | %d | %s |\n", f.Name, f.Rules, len(f.Cited), strings.Join(f.Cited, " "))
	}
	fmt.Fprintf(&b, "| all | %d | %d | |\n", all, cited)
	writeRules(&b, rules)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func writeRules(b *strings.Builder, rules []RuleVerdict) {
	count := map[State]int{}
	for _, v := range rules {
		count[v.State]++
	}
	fmt.Fprintf(b, "\n## Task sequence rules\n\n%d rules of docs/spec/task-sequence.md: %d proven, %d partly, %d gaps, %d missing, %d failed. A gap is stated with its reason in docs/spec/gaps.tsv;\nmissing is a rule that nobody accounted for.\n\n",
		len(rules), count[Proven], count[PartlyDone], count[Stated], count[Missing], count[Broken])
	b.WriteString("| rule | about | state | tests | gap |\n|---|---|---|---|---|\n")
	for _, v := range rules {
		proofs := v.Proofs
		if len(proofs) > maxProofs {
			proofs = append(slices.Clone(proofs[:maxProofs]), fmt.Sprintf("%d more", len(v.Proofs)-maxProofs))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", v.ID, v.Text, v.State, cell(proofs), cell([]string{v.Open}))
	}
}

// maxProofs is how many tests of a rule the page names.
const maxProofs = 4

func cell(list []string) string {
	return strings.NewReplacer("|", "/", "\n", " ").Replace(strings.Join(list, "; "))
}

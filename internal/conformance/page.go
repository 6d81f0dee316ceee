package conformance

import (
	"fmt"
	"io"
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
func WritePage(w io.Writer, verdicts []Verdict, families []Family) error {
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
	rules, cited := 0, 0
	for _, f := range families {
		rules, cited = rules+f.Rules, cited+len(f.Cited)
		fmt.Fprintf(&b, "| %s | %d | %d | %s |\n", f.Name, f.Rules, len(f.Cited), strings.Join(f.Cited, " "))
	}
	fmt.Fprintf(&b, "| all | %d | %d | |\n", rules, cited)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func cell(list []string) string {
	return strings.NewReplacer("|", "/", "\n", " ").Replace(strings.Join(list, "; "))
}

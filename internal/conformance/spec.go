package conformance

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Row is one line of docs/spec/seed-rows.md.
type Row struct {
	ID   string // S-01 to S-123
	Text string // what the seed page says, short
}

var rowID = regexp.MustCompile(`^S-\d{2,3}$`)

// ParseRows reads the table of rows in its order. A row that is there twice, or
// that has no text, is an error.
func ParseRows(r io.Reader) ([]Row, error) {
	rows, seen := []Row{}, map[string]bool{}
	s := bufio.NewScanner(r)
	for s.Scan() {
		cells := strings.Split(s.Text(), "|")
		if len(cells) < 4 || !rowID.MatchString(strings.TrimSpace(cells[1])) {
			continue
		}
		row := Row{ID: strings.TrimSpace(cells[1]), Text: strings.TrimSpace(cells[2])}
		if seen[row.ID] || row.Text == "" {
			return nil, fmt.Errorf("row %s is there twice or has no text", row.ID)
		}
		seen[row.ID] = true
		rows = append(rows, row)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no rows in the table")
	}
	return rows, nil
}

// Rule is one rule of docs/spec.
type Rule struct {
	ID   string // such as TS-112a
	Text string // how it begins, for a person who looks for it
}

var (
	ruleDefined = regexp.MustCompile(`^(?:- |\| |\* \*\*)([A-Z]{2,4}-T?\d+[a-z]?)(?:[ |]|\*\*)(.*)`)
	ruleNamed   = regexp.MustCompile(`(?:^|[^A-Za-z0-9-])([A-Z]{2,4}-T?\d+[a-z]?)\b`)
	// Names of functions have no dash: TestTS45Example, TestUpgradeTS124, TestTS60To62Operators.
	ruleInName = regexp.MustCompile(`(?:^Test|[a-z0-9])([A-Z]{2,4})(\d+[a-z]?)(?:To(\d+))?(?:[A-Z_]|$)`)
	marks      = regexp.MustCompile(`\[[A-Z][A-Za-z-]*\]`)
)

// maxText and maxRange bound the text that is kept of a rule and the rules that one name can stand for.
const (
	maxText  = 90
	maxRange = 20
)

// ParseRules reads the rules that a page of docs/spec defines: at the start of
// a list item or in the first cell of a table.
func ParseRules(r io.Reader) ([]Rule, error) {
	rules := []Rule{}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if m := ruleDefined.FindStringSubmatch(s.Text()); m != nil {
			rules = append(rules, Rule{ID: m[1], Text: beginning(m[2])})
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return rules, nil
}

// beginning is the first sentence, or as many words of it as fit.
func beginning(text string) string {
	text = strings.Trim(marks.ReplaceAllString(strings.ReplaceAll(text, "**", ""), ""), " |")
	text, _, _ = strings.Cut(text, ". ")
	out := ""
	for i, word := range strings.Fields(strings.ReplaceAll(text, "|", "/")) {
		if i > 0 && len(out)+len(word) > maxText {
			return out + " ..."
		}
		out = strings.TrimSpace(out + " " + word)
	}
	return strings.TrimSuffix(out, ".")
}

// rulesIn lists what a test's name calls a rule. Go writes blanks in names as
// underscores, which count as letters to \b.
func rulesIn(name string) []string {
	ids := []string{}
	for _, m := range ruleNamed.FindAllStringSubmatch(strings.ReplaceAll(name, "_", " "), -1) {
		ids = append(ids, m[1])
	}
	function, _, _ := strings.Cut(name, "/")
	for _, m := range ruleInName.FindAllStringSubmatch(function, -1) {
		ids = append(ids, m[1]+"-"+m[2])
		first, _ := strconv.Atoi(m[2])
		last, _ := strconv.Atoi(m[3])
		for n := first + 1; n <= last && n < first+maxRange; n++ {
			ids = append(ids, fmt.Sprintf("%s-%d", m[1], n))
		}
	}
	return ids
}

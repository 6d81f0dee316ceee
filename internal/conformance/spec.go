package conformance

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
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

var (
	ruleDefined = regexp.MustCompile(`^(?:- |\| |\* \*\*)([A-Z]{2,4}-T?\d+[a-z]?)(?:[ |]|\*\*)`)
	ruleNamed   = regexp.MustCompile(`(?:^|[^A-Za-z0-9-])([A-Z]{2,4}-T?\d+[a-z]?)\b`)
)

// ParseRules reads the ids of the rules that a page of docs/spec defines: at
// the start of a list item or in the first cell of a table.
func ParseRules(r io.Reader) ([]string, error) {
	rules := []string{}
	s := bufio.NewScanner(r)
	for s.Scan() {
		if m := ruleDefined.FindStringSubmatch(s.Text()); m != nil {
			rules = append(rules, m[1])
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return rules, nil
}

// rulesIn lists what a test's name calls a rule. Go writes blanks in names as
// underscores, which count as letters to \b.
func rulesIn(name string) []string {
	ids := []string{}
	for _, m := range ruleNamed.FindAllStringSubmatch(strings.ReplaceAll(name, "_", " "), -1) {
		ids = append(ids, m[1])
	}
	return ids
}

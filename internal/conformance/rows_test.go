package conformance_test

import "testing"

// row is the test of one row of docs/spec/seed-rows.md.
type row struct {
	id    string
	check func(*testing.T)
}

// TestRows holds the rows that need no machine; those that boot one are in
// internal/e2e. Each does what the row's check says, from outside.
func TestRows(t *testing.T) {
	for _, page := range [][]row{general(), settings(), scheduling(), reruns(), experience(), options(), highRisk(), nextSteps()} {
		for _, r := range page {
			t.Run(r.id, func(t *testing.T) {
				t.Parallel()
				r.check(t)
			})
		}
	}
}

package evaluate_test

import (
	"testing"
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
)

// BenchmarkEvaluate is one device and one deployment with a weekly assignment that began years ago, an ASAP entry and two
// recurring windows.
func BenchmarkEvaluate(b *testing.B) {
	in := base(b)
	a := weekly(b)
	a.Start = local(b, "2016-01-01 10:00")
	in.Deployment.Assignments = []evaluate.Assignment{a, {Kind: evaluate.ASAP}}
	in.Windows = []evaluate.Window{
		{Length: 3 * time.Hour, Schedule: evaluate.Assignment{Kind: evaluate.Interval, Start: local(b, "2016-01-01 01:00"), Days: 1}},
		{Length: time.Hour, Schedule: evaluate.Assignment{Kind: evaluate.MonthlyByWeekday, Start: local(b, "2016-01-01 22:00"), Weekday: 3, Week: 2}},
	}
	b.ReportAllocs()
	for b.Loop() {
		evaluate.Evaluate(in)
	}
}

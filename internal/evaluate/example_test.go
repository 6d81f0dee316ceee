package evaluate_test

import (
	"fmt"
	"time"

	"github.com/bootyard/bootyard/internal/evaluate"
)

func ExampleEvaluate() {
	amsterdam, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		fmt.Println(err)
		return
	}
	night := time.Date(2026, 3, 28, 2, 30, 0, 0, time.UTC) // a reading of the clock, not an instant: UTC is not set
	v := evaluate.Evaluate(evaluate.Input{
		Deployment: evaluate.Deployment{
			ID: "BYD20001", Sequence: "BYD00001", Purpose: evaluate.Required, MakeAvailableTo: evaluate.Clients,
			Assignments: []evaluate.Assignment{{Kind: evaluate.Interval, Days: 1, Start: evaluate.Moment{At: night}}},
			CreatedAt:   time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC),
		},
		Environment: evaluate.FullOS, Zone: amsterdam, Now: time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC),
	})
	fmt.Println(v.State, v.Reasons)
	for _, next := range v.NextDue[:3] {
		fmt.Println(next)
	}
	// Output:
	// Waiting [{SCH-9 next due at 2026-03-28 02:30 CET}]
	// 2026-03-28 02:30:00 +0100 CET
	// 2026-03-29 03:00:00 +0200 CEST
	// 2026-03-30 02:30:00 +0200 CEST
}

package evaluate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/bootyard/bootyard/internal/evaluate"
)

var (
	zones      = []string{"Europe/Amsterdam", "America/New_York", "UTC", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"}
	kinds      = []evaluate.Kind{evaluate.Once, evaluate.Interval, evaluate.Weekly, evaluate.MonthlyByDate, evaluate.MonthlyByWeekday}
	yearOfBoth = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // has both changes of the clock in every zone that has any
)

func drawMoment(t *rapid.T) evaluate.Moment {
	minutes := rapid.IntRange(0, 365*24*60).Draw(t, "minutes")
	return evaluate.Moment{At: yearOfBoth.Add(time.Duration(minutes) * time.Minute), UTC: rapid.Bool().Draw(t, "utc")}
}

func drawAssignment(t *rapid.T) evaluate.Assignment {
	return evaluate.Assignment{
		Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Start: drawMoment(t),
		Days: rapid.IntRange(0, 31).Draw(t, "days"), Hours: rapid.IntRange(0, 23).Draw(t, "hours"), Minutes: rapid.IntRange(1, 59).Draw(t, "mins"),
		Weekday: rapid.IntRange(1, 7).Draw(t, "weekday"), Day: rapid.IntRange(0, 31).Draw(t, "day"), Week: rapid.IntRange(0, 4).Draw(t, "week"),
		Every: rapid.IntRange(0, 4).Draw(t, "every"), Offset: rapid.IntRange(0, 31).Draw(t, "offset"),
	}
}

func TestPropertyOccurrences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAssignment(t)
		z, _ := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		all := a.Next(time.Time{}, z, 40)
		assert.NotEmpty(t, all)
		assert.False(t, all[0].Before(a.Start.In(z)), "none before the start")
		for i, at := range all {
			if i > 0 {
				assert.True(t, at.After(all[i-1]), "rising")
			}
			// Wherever the search begins, it finds the same occurrences.
			got, ok := a.Last(at, z)
			assert.True(t, ok && got.Equal(at))
			if rest := a.Next(at.Add(-1), z, 3); len(rest) > 0 {
				assert.True(t, rest[0].Equal(at))
			}
			start := a.Start.At
			if clock := at.In(zoneOfStart(a, z)); a.Kind != evaluate.Interval && (clock.Hour() != start.Hour() || clock.Minute() != start.Minute()) {
				// Only a gap moves the reading, and then to the first instant behind it.
				_, before := at.Add(-time.Second).In(z).Zone()
				_, after := at.In(z).Zone()
				assert.Greater(t, after, before, "%v is not behind a gap", clock)
			}
		}
	})
}

func zoneOfStart(a evaluate.Assignment, z *time.Location) *time.Location {
	if a.Start.UTC {
		return time.UTC
	}
	return z
}

// TestPropertyRRN13 runs 24 hours of virtual time after a PXE run: nothing runs again but a later occurrence.
func TestPropertyRRN13(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, _ := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		created := yearOfBoth.Add(time.Duration(rapid.IntRange(0, 300*24*60).Draw(t, "created")) * time.Minute)
		started := created.Add(time.Duration(rapid.IntRange(0, 72*60).Draw(t, "started")) * time.Minute)
		ended := started.Add(time.Duration(rapid.IntRange(1, 180).Draw(t, "length")) * time.Minute)
		d := evaluate.Deployment{ID: "BYD20001", Sequence: "BYD00001", Purpose: evaluate.Required, MakeAvailableTo: evaluate.ClientsMediaAndPXE,
			Rerun: evaluate.Always, CreatedAt: created, Assignments: []evaluate.Assignment{{Kind: evaluate.ASAP}}}
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			d.Assignments = append(d.Assignments, drawAssignment(t))
		}
		if rapid.Bool().Draw(t, "later available") {
			m := drawMoment(t)
			d.Available = &m
		}
		in := evaluate.Input{Deployment: d, Zone: z, Environment: evaluate.FullOS, PolicyArrived: ended.Add(5 * time.Minute),
			History: []evaluate.RunRecord{{Deployment: d.ID, Sequence: d.Sequence, Started: started, Ended: ended, Succeeded: rapid.Bool().Draw(t, "ok")}}}
		for in.Now = in.PolicyArrived; in.Now.Before(ended.Add(24 * time.Hour)); in.Now = in.Now.Add(7 * time.Minute) {
			if !evaluate.Evaluate(in).Due {
				continue
			}
			later := slices.ContainsFunc(d.Assignments, func(a evaluate.Assignment) bool {
				last, ok := a.Last(in.Now, z)
				return ok && last.After(ended)
			})
			if !later {
				t.Fatalf("due again at %v though the run by PXE ended at %v and no occurrence came since", in.Now, ended)
			}
			return
		}
	})
}

// TestPropertyEachOccurrenceRunsOnce lets an agent that is off now and then live through weeks: every run answers a due time
// of its own, and in the end no due time is left without a run.
func TestPropertyEachOccurrenceRunsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, _ := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		created := yearOfBoth.Add(time.Duration(rapid.IntRange(0, 300*24*60).Draw(t, "created")) * time.Minute)
		d := evaluate.Deployment{ID: "BYD20001", Sequence: "BYD00001", Purpose: evaluate.Required, CreatedAt: created}
		for range rapid.IntRange(1, 3).Draw(t, "assignments") {
			d.Assignments = append(d.Assignments, drawAssignment(t))
		}
		in := evaluate.Input{Deployment: d, Zone: z, Environment: evaluate.FullOS, Now: created}
		end := created.Add(21 * 24 * time.Hour)
		for in.Now.Before(end) {
			v := evaluate.Evaluate(in)
			if v.Due {
				if v.DueSince.After(in.Now) {
					t.Fatalf("due since %v at %v", v.DueSince, in.Now)
				}
				if n := len(in.History); n > 0 && !v.DueSince.After(in.History[n-1].Ended) {
					t.Fatalf("due since %v, which the run that ended at %v satisfied", v.DueSince, in.History[n-1].Ended)
				}
				started := in.Now
				in.Now = in.Now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "run")) * time.Minute)
				in.History = append(in.History, evaluate.RunRecord{Deployment: d.ID, Sequence: d.Sequence, Started: started, Ended: in.Now, Succeeded: true})
				continue
			}
			in.Now = in.Now.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "off")) * time.Minute)
		}
		var lastRun time.Time
		if n := len(in.History); n > 0 {
			lastRun = in.History[n-1].Ended
		}
		v := evaluate.Evaluate(in)
		for _, a := range d.Assignments {
			if last, ok := a.Last(in.Now, z); ok && !last.Before(created) && last.After(lastRun) && !v.Due {
				t.Fatalf("occurrence %v had no run and is not due", last)
			}
		}
	})
}

func TestPropertyNeverDueOutsideItsTimesAndWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, _ := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		available, expire := drawMoment(t), drawMoment(t)
		now := yearOfBoth.Add(time.Duration(rapid.IntRange(0, 400*24*60).Draw(t, "now")) * time.Minute)
		w := evaluate.Window{Schedule: drawAssignment(t), Length: time.Duration(rapid.IntRange(5, 1440).Draw(t, "length")) * time.Minute}
		in := evaluate.Input{Zone: z, Environment: evaluate.FullOS, Now: now, Windows: []evaluate.Window{w}, Deployment: evaluate.Deployment{
			ID: "BYD20001", Sequence: "BYD00001", Purpose: evaluate.Required, CreatedAt: yearOfBoth, Available: &available, Expire: &expire,
			Assignments: []evaluate.Assignment{drawAssignment(t), {Kind: evaluate.ASAP}},
			MaxRunTime:  time.Duration(rapid.IntRange(0, 300).Draw(t, "max")) * time.Minute,
		}}
		v := evaluate.Evaluate(in)
		if v.Offered && (now.Before(available.In(z)) || !now.Before(expire.In(z))) {
			t.Fatalf("offered at %v, available %v, expires %v", now, available.In(z), expire.In(z))
		}
		for _, next := range v.NextDue {
			if !next.After(now) || next.Before(available.In(z)) || !next.Before(expire.In(z)) {
				t.Fatalf("next due %v", next)
			}
		}
		if v.Due {
			opened, ok := w.Schedule.Last(now, z)
			if !ok || !now.Before(opened.Add(w.Length)) && w.Schedule.Kind != evaluate.Interval {
				t.Fatalf("due at %v outside the window of %v", now, opened)
			}
		}
		if v.State == evaluate.StateWaitingForWindow {
			in.Now = v.WindowOpens
			if again := evaluate.Evaluate(in); !again.Due && again.State != evaluate.StateExpired {
				t.Fatalf("window was to open at %v, but then: %+v", in.Now, again)
			}
		}
	})
}

// TestPropertyFarYears has starts and clocks anywhere in time, as a broken clock or a hostile policy may.
func TestPropertyFarYears(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAssignment(t)
		a.Start.At = time.Date(rapid.IntRange(2, 9999).Draw(t, "year"), 5, 6, 7, 8, 9, 0, time.UTC)
		now := time.Date(rapid.IntRange(-300, 20000).Draw(t, "now"), 6, 7, 8, 9, 10, 0, time.UTC)
		z, _ := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		in := evaluate.Input{Zone: z, Environment: evaluate.FullOS, Now: now, Windows: []evaluate.Window{{Schedule: a, Length: time.Hour}},
			Deployment: evaluate.Deployment{ID: "BYD20001", Sequence: "BYD00001", Purpose: evaluate.Required, WakeUp: true, Option: evaluate.AllBefore,
				Assignments: []evaluate.Assignment{a, {Kind: evaluate.ASAP}}}}
		v := evaluate.Evaluate(in)
		for _, next := range v.NextDue {
			assert.True(t, next.After(now))
		}
		evaluate.NextWake(in, now, now.Add(time.Hour))
	})
}

func TestAStartLongAgoCostsNothing(t *testing.T) {
	for _, a := range []evaluate.Assignment{
		{Kind: evaluate.Interval, Minutes: 1}, {Kind: evaluate.Weekly, Weekday: 1}, {Kind: evaluate.MonthlyByDate, Day: 31},
	} {
		a.Start = evaluate.Moment{At: time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)}
		// A thousand million minutes, or a hundred thousand Sundays, one after the other would be noticed here.
		allocations := testing.AllocsPerRun(1, func() {
			began := time.Now()
			assert.Len(t, a.Next(at(t, "2026-01-01 00:00Z"), time.UTC, 10), 10)
			assert.Less(t, time.Since(began), 5*time.Second, a.Kind)
		})
		assert.Less(t, allocations, 5000.0, a.Kind)
	}
}

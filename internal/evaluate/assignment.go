package evaluate

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the kind of an assignment (SCH-9). The values are those of the wire protocol.
type Kind string

// The kinds of SCH-9.
const (
	Once             Kind = "once"
	Interval         Kind = "interval"
	Weekly           Kind = "weekly"
	MonthlyByDate    Kind = "monthlyByDate"
	MonthlyByWeekday Kind = "monthlyByWeekday"
	ASAP             Kind = "asap"
	LogOn            Kind = "logOn"
	LogOff           Kind = "logOff"
)

// MaxTimed is how many assignments with a time one deployment may have (SCH-10).
const MaxTimed = 15

// Assignment is one schedule entry (SCH-9); also the recurrence of a maintenance window. Fields that the kind does not use
// are ignored.
//
// A recurring one occurs for the first time on the first matching day at or after Start, at Start's time of day, and from
// there every so many weeks or months.
type Assignment struct {
	Kind Kind
	// Start is required for all kinds with a time.
	Start Moment
	// Days (0-31), Hours (0-23) and Minutes (0-59) are the period of an interval, counted on the clock on the wall.
	Days, Hours, Minutes int
	// Weekday is 1 (Sunday) to 7 (Saturday): weekly and monthly by weekday.
	Weekday int
	// Day is 1 to 31, or 0 for the last day of the month: monthly by date. In shorter months it is the last day (SCH-14).
	Day int
	// Week is 1 to 4, or 0 for the last: monthly by weekday.
	Week int
	// Every is 1-4 weeks or 1-12 months; 0 means 1.
	Every int
	// Offset is added in days to a monthly weekday, but never leaves the month (SCH-14): 0-31.
	Offset int
}

// Timed says whether the assignment has times, rather than being an event.
func (a Assignment) Timed() bool {
	return a.Kind != ASAP && a.Kind != LogOn && a.Kind != LogOff
}

// Recurring says whether it can occur more than once by the clock.
func (a Assignment) Recurring() bool { return a.Timed() && a.Kind != Once }

// Validate checks the ranges of SCH-9. The error names the field; each of several stands on a line of its own.
func (a Assignment) Validate() error {
	if a.Timed() && a.Start.At.IsZero() {
		return fmt.Errorf("an assignment of kind %q needs a start", a.Kind)
	}
	inRange := func(field string, value, low, high int) error {
		if value < low || value > high {
			return fmt.Errorf("%s assignment: %s is %d, and %d to %d is possible", a.Kind, field, value, low, high)
		}
		return nil
	}
	switch a.Kind {
	case Once, ASAP, LogOn, LogOff:
		return nil
	case Interval:
		if a.Days == 0 && a.Hours == 0 && a.Minutes == 0 {
			return errors.New("interval assignment: one of days, hours and minutes must be more than 0")
		}
		return errors.Join(inRange("days", a.Days, 0, 31), inRange("hours", a.Hours, 0, 23), inRange("minutes", a.Minutes, 0, 59))
	case Weekly:
		return errors.Join(inRange("weekday", a.Weekday, 1, 7), inRange("every", a.Every, 0, 4))
	case MonthlyByDate:
		return errors.Join(inRange("day", a.Day, 0, 31), inRange("every", a.Every, 0, 12))
	case MonthlyByWeekday:
		return errors.Join(inRange("weekday", a.Weekday, 1, 7), inRange("week", a.Week, 0, 4), inRange("every", a.Every, 0, 12),
			inRange("offset", a.Offset, 0, 31))
	default:
		return fmt.Errorf("%q is no kind of assignment", a.Kind)
	}
}

// Next returns up to n occurrences after the given instant on a device in zone, in order. Events and invalid assignments
// have none.
func (a Assignment) Next(after time.Time, zone *time.Location, n int) []time.Time {
	var next []time.Time
	if n <= 0 {
		return nil
	}
	for t := range a.occurrences(zone, after) {
		if t.After(after) {
			if next = append(next, t); len(next) == n {
				break
			}
		}
	}
	return next
}

// Last returns the latest occurrence at or before the given instant, and whether there is one.
func (a Assignment) Last(at time.Time, zone *time.Location) (last time.Time, ok bool) {
	for t := range a.occurrences(zone, at) {
		if t.After(at) {
			break
		}
		last, ok = t, true
	}
	return last, ok
}

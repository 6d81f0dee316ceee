package evaluate

import (
	"iter"
	"time"

	"github.com/teambition/rrule-go"
)

// This file is the only one that knows rrule-go. It is used on floating times only (UTC), because in a zone with summer
// time it gives whatever time.Date gives for readings that are left out or occur twice; resolve decides those.

// lastYear ends every recurrence, so that no search can run for ever.
const lastYear = 9999

// occurrences yields the assignment's instants in strictly rising order. It begins with the first one, or, to spare the
// caller the years in between, somewhat before the last one at or before near.
func (a Assignment) occurrences(zone *time.Location, near time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		if !a.Timed() || a.Validate() != nil {
			return
		}
		in := a.Start.zoneOf(zone)
		start := a.Start.wall().Truncate(time.Second)
		// Two days cover the difference between instants and readings, and any move by resolve.
		seek := floating(near.In(in)).Add(-48 * time.Hour)
		var last time.Time
		for wall := range a.walls(start, seek) {
			if wall.Year() > lastYear {
				return
			}
			t := resolve(wall, in)
			if !last.IsZero() && !t.After(last) {
				continue // two readings in one gap are one instant
			}
			last = t
			if !yield(t.In(zone)) {
				return
			}
		}
	}
}

// walls yields floating times, beginning at the latest with the last one at or before seek.
func (a Assignment) walls(start, seek time.Time) iter.Seq[time.Time] {
	switch a.Kind {
	case Interval:
		return a.intervalWalls(start, seek)
	case Weekly:
		return a.weeklyWalls(start, seek)
	case MonthlyByDate, MonthlyByWeekday:
		return a.monthlyWalls(start, seek)
	default:
		return func(yield func(time.Time) bool) { yield(start) }
	}
}

func (a Assignment) every() int { return max(a.Every, 1) }

func (a Assignment) intervalWalls(start, seek time.Time) iter.Seq[time.Time] {
	period := time.Duration(a.Days)*24*time.Hour + time.Duration(a.Hours)*time.Hour + time.Duration(a.Minutes)*time.Minute
	return func(yield func(time.Time) bool) {
		for wall := skip(start, seek, period); wall.Year() <= lastYear && yield(wall); {
			wall = wall.Add(period)
		}
	}
}

// skip goes from first by whole periods to the one before the last that is not after seek. It counts in seconds, because a
// time.Duration ends at 292 years and a start may lie further back, by mistake or by malice.
func skip(first, seek time.Time, period time.Duration) time.Time {
	seconds := int64(period / time.Second)
	periods := (seek.Unix()-first.Unix())/seconds - 1
	if periods <= 0 {
		return first
	}
	return time.Unix(first.Unix()+periods*seconds, 0).UTC()
}

var weekdays = [...]rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}

func (a Assignment) weeklyWalls(start, seek time.Time) iter.Seq[time.Time] {
	first := start.AddDate(0, 0, (a.Weekday-1-int(start.Weekday())+7)%7)
	period := time.Duration(a.every()) * 7 * 24 * time.Hour
	first = skip(first, seek, period)
	return ruleWalls(rrule.ROption{Freq: rrule.WEEKLY, Interval: a.every(), Dtstart: first, Byweekday: []rrule.Weekday{weekdays[a.Weekday-1]}})
}

func (a Assignment) monthlyWalls(start, seek time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		// The first matching day at or after start says in which month the count begins.
		first := monthStart(start)
		for wall := range ruleWalls(a.monthRule(first, 1)) {
			if !a.shift(wall).Before(start) {
				first = monthStart(wall)
				break
			}
		}
		if behind := (monthNumber(seek) - monthNumber(first)) / a.every(); behind > 1 {
			first = first.AddDate(0, (behind-1)*a.every(), 0)
		}
		for wall := range ruleWalls(a.monthRule(first, a.every())) {
			if !yield(a.shift(wall)) {
				return
			}
		}
	}
}

// monthStart is the first day of t's month at t's time of day.
func monthStart(t time.Time) time.Time { return t.AddDate(0, 0, 1-t.Day()) }

func monthNumber(t time.Time) int { return t.Year()*12 + int(t.Month()) }

// monthRule is the rule without the offset, which RFC 5545 cannot express.
func (a Assignment) monthRule(first time.Time, every int) rrule.ROption {
	option := rrule.ROption{Freq: rrule.MONTHLY, Interval: every, Dtstart: first}
	switch {
	case a.Kind == MonthlyByWeekday && a.Week == 0:
		option.Byweekday = []rrule.Weekday{weekdays[a.Weekday-1].Nth(-1)}
	case a.Kind == MonthlyByWeekday:
		option.Byweekday = []rrule.Weekday{weekdays[a.Weekday-1].Nth(a.Week)}
	case a.Day == 0:
		option.Bymonthday = []int{-1}
	default:
		// The last of the days up to the wanted one that the month has (SCH-14).
		for day := min(a.Day, 28); day <= a.Day; day++ {
			option.Bymonthday = append(option.Bymonthday, day)
		}
		option.Bysetpos = []int{-1}
	}
	return option
}

// shift adds the offset and stays in the month (SCH-14).
func (a Assignment) shift(wall time.Time) time.Time {
	if a.Kind != MonthlyByWeekday || a.Offset == 0 {
		return wall
	}
	lastDay := monthStart(wall).AddDate(0, 1, -1).Day()
	return wall.AddDate(0, 0, min(a.Offset, lastDay-wall.Day()))
}

func ruleWalls(option rrule.ROption) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		rule, err := rrule.NewRRule(option)
		if err != nil {
			return // ranges were validated, so this is never reached
		}
		for next := rule.Iterator(); ; {
			wall, ok := next()
			if !ok || !yield(wall) {
				return
			}
		}
	}
}

package evaluate

import "time"

// Moment is a point in time as an administrator sets it (SCH-4).
type Moment struct {
	// At is the instant when UTC is set. Otherwise only its wall-clock reading counts, which each device takes for its own
	// zone.
	At  time.Time
	UTC bool
}

// In returns the instant that m means on a device in zone (SCH-15 for the changes of the clock).
func (m Moment) In(zone *time.Location) time.Time {
	if m.UTC {
		return m.At.UTC()
	}
	return resolve(m.wall(), zone)
}

// wall returns m's reading as a floating time: a time.Time in UTC whose fields are what the clock on the wall shows.
func (m Moment) wall() time.Time {
	if m.UTC {
		return m.At.UTC()
	}
	return floating(m.At)
}

// zoneOf is the zone in which m's reading counts.
func (m Moment) zoneOf(device *time.Location) *time.Location {
	if m.UTC {
		return time.UTC
	}
	return device
}

// floating keeps what the clock shows at t and drops the zone.
func floating(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// resolve returns the instant at which the clocks of zone show wall (a floating time). A reading that occurs twice means
// its first occurrence; one that is left out means the first instant after the gap (SCH-15). time.Date promises neither.
func resolve(wall time.Time, zone *time.Location) time.Time {
	// Zones lie between -12 and +14 hours, so a day to either side is before and after any change near wall.
	before := offsetAt(wall.Add(-24*time.Hour), zone)
	after := offsetAt(wall.Add(24*time.Hour), zone)
	var first time.Time
	for _, offset := range []time.Duration{before, offsetAt(wall, zone), after} {
		t := wall.Add(-offset)
		if offsetAt(t, zone) == offset && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if !first.IsZero() {
		return first.In(zone)
	}
	// Read with the offset from before the gap, wall lies behind it, in the period that the gap begins.
	start, _ := wall.Add(-before).In(zone).ZoneBounds()
	return start.In(zone)
}

func offsetAt(t time.Time, zone *time.Location) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

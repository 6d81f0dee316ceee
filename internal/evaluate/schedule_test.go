package evaluate_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones of the rules' vectors, on any machine

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/evaluate"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

// at reads "2026-03-29 02:30" as a wall clock without zone, or with "Z" behind it as UTC.
func at(t testing.TB, text string) time.Time {
	t.Helper()
	layout := "2006-01-02 15:04"
	if text[len(text)-1] == 'Z' {
		layout += "Z"
	}
	v, err := time.Parse(layout, text)
	require.NoError(t, err)
	return v
}

func local(t testing.TB, text string) evaluate.Moment { return evaluate.Moment{At: at(t, text)} }
func utc(t testing.TB, text string) evaluate.Moment {
	return evaluate.Moment{At: at(t, text), UTC: true}
}

// texts shows instants in UTC.
func texts(times []time.Time) []string {
	var s []string
	for _, t := range times {
		s = append(s, t.UTC().Format("2006-01-02 15:04Z"))
	}
	return s
}

func TestSCH19Vectors(t *testing.T) { // and SCH-4
	amsterdam, newYork := zone(t, "Europe/Amsterdam"), zone(t, "America/New_York")
	assert.Equal(t, at(t, "2026-01-15 09:00Z"), local(t, "2026-01-15 10:00").In(amsterdam).UTC())
	assert.Equal(t, at(t, "2026-01-15 10:00Z"), utc(t, "2026-01-15 10:00").In(amsterdam).UTC())
	assert.Equal(t, 11, utc(t, "2026-01-15 10:00").In(amsterdam).In(amsterdam).Hour())
	assert.Equal(t, at(t, "2026-01-15 15:00Z"), local(t, "2026-01-15 10:00").In(newYork).UTC())
	assert.Equal(t, at(t, "2026-01-15 10:00Z"), utc(t, "2026-01-15 10:00").In(newYork).UTC())
	// The wall clock counts, in whatever zone the administrator's program sent it.
	sent := evaluate.Moment{At: time.Date(2026, 1, 15, 10, 0, 0, 0, newYork)}
	assert.Equal(t, at(t, "2026-01-15 09:00Z"), sent.In(amsterdam).UTC())
}

func TestSCH15ChangesOfTheClock(t *testing.T) {
	for name, test := range map[string]struct{ zone, wall, want string }{
		"Amsterdam before the gap":     {"Europe/Amsterdam", "2026-03-29 01:59", "2026-03-29 00:59Z"},
		"Amsterdam in the gap":         {"Europe/Amsterdam", "2026-03-29 02:30", "2026-03-29 01:00Z"},
		"Amsterdam start of the gap":   {"Europe/Amsterdam", "2026-03-29 02:00", "2026-03-29 01:00Z"},
		"Amsterdam after the gap":      {"Europe/Amsterdam", "2026-03-29 03:00", "2026-03-29 01:00Z"},
		"Amsterdam twice: first":       {"Europe/Amsterdam", "2026-10-25 02:30", "2026-10-25 00:30Z"},
		"Amsterdam after the fold":     {"Europe/Amsterdam", "2026-10-25 03:00", "2026-10-25 02:00Z"},
		"New York in the gap":          {"America/New_York", "2026-03-08 02:30", "2026-03-08 07:00Z"},
		"New York twice: first":        {"America/New_York", "2026-11-01 01:30", "2026-11-01 05:30Z"},
		"New York after the fold":      {"America/New_York", "2026-11-01 02:00", "2026-11-01 07:00Z"},
		"half an hour, Lord Howe":      {"Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30Z"},
		"a day left out, Apia":         {"Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00Z"},
		"midnight left out, Sao Paulo": {"America/Sao_Paulo", "2018-11-04 00:30", "2018-11-04 03:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, at(t, test.want), local(t, test.wall).In(zone(t, test.zone)).UTC())
		})
	}
}

func TestSCH9Kinds(t *testing.T) {
	for name, test := range map[string]struct {
		a    evaluate.Assignment
		zone string
		from string
		want []string
	}{
		"once": {a: evaluate.Assignment{Kind: evaluate.Once, Start: local(t, "2026-02-01 10:00")},
			want: []string{"2026-02-01 10:00Z"}},
		"interval of days": {a: evaluate.Assignment{Kind: evaluate.Interval, Start: local(t, "2026-01-30 10:00"), Days: 2},
			want: []string{"2026-01-30 10:00Z", "2026-02-01 10:00Z", "2026-02-03 10:00Z"}},
		"interval mixed": {a: evaluate.Assignment{Kind: evaluate.Interval, Start: local(t, "2026-01-30 10:00"), Days: 1, Hours: 12, Minutes: 30},
			want: []string{"2026-01-30 10:00Z", "2026-01-31 22:30Z", "2026-02-02 11:00Z"}},
		"interval years later": {a: evaluate.Assignment{Kind: evaluate.Interval, Start: local(t, "2001-01-01 00:00"), Minutes: 7}, from: "2026-01-01 00:00Z",
			want: []string{"2026-01-01 00:06Z", "2026-01-01 00:13Z"}},
		"weekly, same day": {a: evaluate.Assignment{Kind: evaluate.Weekly, Start: local(t, "2026-01-05 10:00"), Weekday: 2},
			want: []string{"2026-01-05 10:00Z", "2026-01-12 10:00Z"}},
		"every second Sunday": {a: evaluate.Assignment{Kind: evaluate.Weekly, Start: local(t, "2026-01-05 10:00"), Weekday: 1, Every: 2},
			want: []string{"2026-01-11 10:00Z", "2026-01-25 10:00Z", "2026-02-08 10:00Z"}},
		"every fourth Saturday, years later": {a: evaluate.Assignment{Kind: evaluate.Weekly, Start: local(t, "2020-01-01 10:00"), Weekday: 7, Every: 4}, from: "2026-01-01 00:00Z",
			want: []string{"2026-01-24 10:00Z", "2026-02-21 10:00Z"}},
		"day of the month": {a: evaluate.Assignment{Kind: evaluate.MonthlyByDate, Start: local(t, "2026-01-20 10:00"), Day: 15},
			want: []string{"2026-02-15 10:00Z", "2026-03-15 10:00Z"}},
		"SCH-14 day 31": {a: evaluate.Assignment{Kind: evaluate.MonthlyByDate, Start: local(t, "2026-01-01 10:00"), Day: 31},
			want: []string{"2026-01-31 10:00Z", "2026-02-28 10:00Z", "2026-03-31 10:00Z", "2026-04-30 10:00Z"}},
		"SCH-14 day 29 in a leap year": {a: evaluate.Assignment{Kind: evaluate.MonthlyByDate, Start: local(t, "2027-12-30 10:00"), Day: 29},
			want: []string{"2028-01-29 10:00Z", "2028-02-29 10:00Z", "2028-03-29 10:00Z"}},
		"SCH-14 day 30 every February": {a: evaluate.Assignment{Kind: evaluate.MonthlyByDate, Start: local(t, "2026-02-01 10:00"), Day: 30, Every: 12},
			want: []string{"2026-02-28 10:00Z", "2027-02-28 10:00Z", "2028-02-29 10:00Z"}},
		"last day": {a: evaluate.Assignment{Kind: evaluate.MonthlyByDate, Start: local(t, "2026-01-01 10:00")},
			want: []string{"2026-01-31 10:00Z", "2026-02-28 10:00Z"}},
		"every third month from the first match": {a: evaluate.Assignment{Kind: evaluate.MonthlyByDate, Start: local(t, "2026-03-10 10:00"), Day: 5, Every: 3},
			want: []string{"2026-04-05 10:00Z", "2026-07-05 10:00Z"}},
		"second Tuesday": {a: evaluate.Assignment{Kind: evaluate.MonthlyByWeekday, Start: local(t, "2026-01-01 10:00"), Weekday: 3, Week: 2},
			want: []string{"2026-01-13 10:00Z", "2026-02-10 10:00Z", "2026-03-10 10:00Z"}},
		"last Friday": {a: evaluate.Assignment{Kind: evaluate.MonthlyByWeekday, Start: local(t, "2026-01-01 10:00"), Weekday: 6},
			want: []string{"2026-01-30 10:00Z", "2026-02-27 10:00Z"}},
		"second Tuesday and four days": {a: evaluate.Assignment{Kind: evaluate.MonthlyByWeekday, Start: local(t, "2026-01-15 10:00"), Weekday: 3, Week: 2, Offset: 4},
			want: []string{"2026-01-17 10:00Z", "2026-02-14 10:00Z"}},
		"SCH-14 offset stays in the month": {a: evaluate.Assignment{Kind: evaluate.MonthlyByWeekday, Start: local(t, "2026-01-01 10:00"), Weekday: 6, Offset: 9},
			want: []string{"2026-01-31 10:00Z", "2026-02-28 10:00Z"}},
		"second Tuesday every sixth month, years later": {a: evaluate.Assignment{Kind: evaluate.MonthlyByWeekday, Start: local(t, "2001-03-14 10:00"), Weekday: 3, Week: 2, Every: 6}, from: "2026-01-01 00:00Z",
			want: []string{"2026-04-14 10:00Z", "2026-10-13 10:00Z"}},
		"SCH-15 nightly over the gap": {a: evaluate.Assignment{Kind: evaluate.Interval, Start: local(t, "2026-03-28 02:30"), Days: 1}, zone: "Europe/Amsterdam",
			want: []string{"2026-03-28 01:30Z", "2026-03-29 01:00Z", "2026-03-30 00:30Z"}},
		"SCH-15 nightly over the fold": {a: evaluate.Assignment{Kind: evaluate.Interval, Start: local(t, "2026-10-24 02:30"), Days: 1}, zone: "Europe/Amsterdam",
			want: []string{"2026-10-24 00:30Z", "2026-10-25 00:30Z", "2026-10-26 01:30Z"}},
		"SCH-15 weekly in New York over the gap": {a: evaluate.Assignment{Kind: evaluate.Weekly, Start: local(t, "2026-03-01 02:30"), Weekday: 1}, zone: "America/New_York",
			want: []string{"2026-03-01 07:30Z", "2026-03-08 07:00Z", "2026-03-15 06:30Z"}},
		"SCH-15 weekly in New York over the fold": {a: evaluate.Assignment{Kind: evaluate.Weekly, Start: local(t, "2026-10-25 01:30"), Weekday: 1}, zone: "America/New_York",
			want: []string{"2026-10-25 05:30Z", "2026-11-01 05:30Z", "2026-11-08 06:30Z"}},
		"SCH-15 half-hourly has one occurrence for the gap": {a: evaluate.Assignment{Kind: evaluate.Interval, Start: local(t, "2026-03-29 01:30"), Minutes: 30}, zone: "Europe/Amsterdam",
			want: []string{"2026-03-29 00:30Z", "2026-03-29 01:00Z", "2026-03-29 01:30Z"}},
		"SCH-4 UTC does not move": {a: evaluate.Assignment{Kind: evaluate.Interval, Start: utc(t, "2026-03-28 02:30"), Days: 1}, zone: "Europe/Amsterdam",
			want: []string{"2026-03-28 02:30Z", "2026-03-29 02:30Z", "2026-03-30 02:30Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.zone == "" {
				test.zone = "UTC"
			}
			from := time.Time{}
			if test.from != "" {
				from = at(t, test.from)
			}
			require.NoError(t, test.a.Validate())
			z := zone(t, test.zone)
			assert.Equal(t, test.want, texts(test.a.Next(from, z, len(test.want))))
			// Last agrees with Next at and around each occurrence.
			for i, want := range test.want {
				got, ok := test.a.Last(at(t, want), z)
				require.True(t, ok)
				assert.Equal(t, want, texts([]time.Time{got})[0])
				if i > 0 {
					got, ok = test.a.Last(at(t, want).Add(-1), z)
					require.True(t, ok)
					assert.Equal(t, test.want[i-1], texts([]time.Time{got})[0])
				}
			}
		})
	}
}

func TestSCH9Ranges(t *testing.T) {
	start := local(t, "2026-01-01 10:00")
	for name, a := range map[string]evaluate.Assignment{
		"no start":        {Kind: evaluate.Once},
		"unknown":         {Kind: "yearly", Start: start},
		"empty interval":  {Kind: evaluate.Interval, Start: start},
		"days":            {Kind: evaluate.Interval, Start: start, Days: 32},
		"hours":           {Kind: evaluate.Interval, Start: start, Hours: 24},
		"minutes":         {Kind: evaluate.Interval, Start: start, Minutes: 60},
		"negative":        {Kind: evaluate.Interval, Start: start, Days: 1, Minutes: -5},
		"weekday 0":       {Kind: evaluate.Weekly, Start: start},
		"weekday 8":       {Kind: evaluate.Weekly, Start: start, Weekday: 8},
		"weeks":           {Kind: evaluate.Weekly, Start: start, Weekday: 1, Every: 5},
		"day":             {Kind: evaluate.MonthlyByDate, Start: start, Day: 32},
		"months":          {Kind: evaluate.MonthlyByDate, Start: start, Every: 13},
		"week":            {Kind: evaluate.MonthlyByWeekday, Start: start, Weekday: 1, Week: 5},
		"negative offset": {Kind: evaluate.MonthlyByWeekday, Start: start, Weekday: 1, Offset: -1},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Error(t, a.Validate())
			assert.Empty(t, a.Next(time.Time{}, time.UTC, 10))
			_, ok := a.Last(at(t, "2030-01-01 00:00Z"), time.UTC)
			assert.False(t, ok)
		})
	}
}

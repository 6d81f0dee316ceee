package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

type recurrence struct {
	kind   wire.AssignmentKind
	fields []string
	help   string
}

// recurrences are the kinds of SCH-9 that --recur takes, each with its fields.
var recurrences = []recurrence{
	{wire.Interval, []string{"start", "days", "hours", "minutes"}, "every so many days, hours and minutes"},
	{wire.Weekly, []string{"start", "weekday", "every"}, "on a day of every, or every 2nd to 4th, week"},
	{wire.MonthlyByDate, []string{"start", "day", "every"}, "on a date, or the last day, of every so many months"},
	{wire.MonthlyByWeekday, []string{"start", "week", "weekday", "every", "offset"}, "on a weekday of every so many months"},
	{wire.LogOn, nil, "when somebody logs on"},
	{wire.LogOff, nil, "when somebody logs off"},
}

// weekdays and weeks are counted as in SCH-9: Sunday is 1; 0 is the last week.
var (
	weekdays = []string{"", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	weeks    = []string{"last", "first", "second", "third", "fourth"}
)

const recurSyntax = "write KIND,FIELD=VALUE,..., as in weekly,start=2027-03-01T02:00,weekday=Sunday,every=2"

// parseRecurrence reads one --recur. Ranges are the appliance's to check.
func parseRecurrence(text string) (wire.Assignment, error) {
	kind, rest, more := strings.Cut(text, ",")
	i := slices.IndexFunc(recurrences, func(r recurrence) bool { return strings.EqualFold(string(r.kind), kind) })
	if i < 0 {
		return wire.Assignment{}, fmt.Errorf("%q is not interval, weekly, monthlyByDate, monthlyByWeekday, logOn or logOff: %s", kind, recurSyntax)
	}
	a := wire.Assignment{Kind: recurrences[i].kind}
	given := map[string]bool{}
	for more {
		var field string
		field, rest, more = strings.Cut(rest, ",")
		name, value, _ := strings.Cut(field, "=")
		if !slices.Contains(recurrences[i].fields, name) {
			return a, fmt.Errorf("%s has no field %q, only %s: %s", a.Kind, name, orNone(recurrences[i].fields), recurSyntax)
		}
		if given[name] {
			return a, fmt.Errorf("%s is given twice in --recur %s", name, text)
		}
		given[name] = true
		if err := setField(&a, name, value); err != nil {
			return a, err
		}
	}
	for _, name := range []string{"start", "weekday", "day", "week"} {
		if slices.Contains(recurrences[i].fields, name) && !given[name] {
			return a, fmt.Errorf("--recur %s needs %s=: %s", a.Kind, name, recurSyntax)
		}
	}
	return a, nil
}

func setField(a *wire.Assignment, name, value string) (err error) {
	switch name {
	case "start":
		if value == "" {
			return fmt.Errorf("start is empty: %s", recurSyntax)
		}
		a.Start, err = parseMoment(value)
		return err
	case "weekday":
		a.Weekday, err = choice(name, value, weekdays)
		return err
	case "week":
		a.Week, err = choice(name, value, weeks)
		return err
	}
	if name == "day" && strings.EqualFold(value, "last") {
		return nil // 0
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("%s=%s is not a number: %s", name, value, recurSyntax)
	}
	*map[string]*int{"days": &a.Days, "hours": &a.Hours, "minutes": &a.Minutes, "day": &a.Day, "every": &a.Every, "offset": &a.Offset}[name] = n
	return nil
}

// choice reads a word of the list, or its number.
func choice(name, value string, words []string) (int, error) {
	for n, word := range words {
		if word != "" && (strings.EqualFold(word, value) || strconv.Itoa(n) == value) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s=%s is not one of %s", name, value, strings.TrimPrefix(strings.Join(words, ", "), ", "))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// assignmentText says an assignment for people, in the words of --recur.
func assignmentText(a wire.Assignment) string {
	text := []string{string(a.Kind)}
	word := func(list []string, n int) string {
		if n >= 0 && n < len(list) {
			return list[n]
		}
		return strconv.Itoa(n)
	}
	count := func(n int, what string) {
		if n != 0 {
			text = append(text, fmt.Sprintf("%s=%d", what, n))
		}
	}
	switch a.Kind {
	case wire.Interval:
		count(a.Days, "days")
		count(a.Hours, "hours")
		count(a.Minutes, "minutes")
	case wire.Weekly:
		text = append(text, "weekday="+word(weekdays, a.Weekday))
	case wire.MonthlyByDate:
		if a.Day == 0 {
			text = append(text, "day=last")
		}
		count(a.Day, "day")
	case wire.MonthlyByWeekday:
		text = append(text, "week="+word(weeks, a.Week), "weekday="+word(weekdays, a.Weekday))
		count(a.Offset, "offset")
	}
	count(a.Every, "every")
	if a.Start != nil {
		if a.Kind != wire.Once {
			text = append(text, "from")
		}
		text = append(text, moment(a.Start))
	}
	return strings.Join(text, " ")
}

// completeRecurrence offers kinds, then the fields that are not given yet.
func completeRecurrence(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	const more = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	var out []string
	kind, _, fields := strings.Cut(typed, ",")
	for _, r := range recurrences {
		if !fields {
			end := ","
			if r.fields == nil {
				end = ""
			}
			out = append(out, string(r.kind)+end+"\t"+r.help)
			continue
		}
		if string(r.kind) != kind {
			continue
		}
		before := typed[:strings.LastIndex(typed, ",")+1]
		for _, name := range r.fields {
			switch {
			case strings.Contains(before, ","+name+"="):
			case name == "weekday":
				out = append(out, prefixed(before+name+"=", weekdays[1:])...)
			case name == "week":
				out = append(out, prefixed(before+name+"=", weeks)...)
			default:
				out = append(out, before+name+"=")
			}
		}
	}
	return out, more
}

func prefixed(before string, words []string) (out []string) {
	for _, w := range words {
		out = append(out, before+w)
	}
	return out
}

package evaluate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bootyard/bootyard/internal/evaluate"
)

// once returns a window that opens once, on 20 January 2026, device's time.
func once(t testing.TB, start string, length time.Duration, applies evaluate.AppliesTo) evaluate.Window {
	return evaluate.Window{Name: start, Length: length, AppliesTo: applies,
		Schedule: evaluate.Assignment{Kind: evaluate.Once, Start: local(t, "2026-01-20 "+start)}}
}

// The base input asks at 10:00 local time on 20 January, the minute in which the deployment comes due.
func TestMaintenanceWindows(t *testing.T) {
	nightly := evaluate.Window{Name: "night", Length: 3 * time.Hour,
		Schedule: evaluate.Assignment{Kind: evaluate.Interval, Start: local(t, "2026-01-01 01:00"), Days: 1}}
	opens := func(want string) func(*testing.T, evaluate.Verdict) {
		return func(t *testing.T, v evaluate.Verdict) {
			assert.Equal(t, want, texts([]time.Time{v.WindowOpens})[0])
			assert.True(t, v.UserMayStart, "MWN-19: users are not held up")
		}
	}
	alert := func(want bool) func(*testing.T, evaluate.Verdict) {
		return func(t *testing.T, v evaluate.Verdict) { assert.Equal(t, want, v.Alert) }
	}
	set := func(run time.Duration, windows ...evaluate.Window) func(*testing.T, *evaluate.Input) {
		return func(_ *testing.T, in *evaluate.Input) { in.Windows, in.Deployment.MaxRunTime = windows, run }
	}
	runCases(t, map[string]testCase{
		"MWN-7 no window":           {change: set(time.Hour), state: evaluate.StateDue, due: true, rule: "MWN-7"},
		"open":                      {change: set(time.Hour, once(t, "09:00", 3*time.Hour, "")), state: evaluate.StateDue, due: true, rule: "MWN-9"},
		"opens this minute":         {change: set(time.Hour, once(t, "10:00", time.Hour, "")), state: evaluate.StateDue, due: true},
		"closed this minute":        {change: set(0, once(t, "09:00", time.Hour, "")), state: evaluate.StateNeverFits, check: alert(false)},
		"MWN-9 later":               {change: set(time.Hour, nightly), state: evaluate.StateWaitingForWindow, check: opens("2026-01-21 00:00Z"), rule: "MWN-9"},
		"MWN-9 not enough left":     {change: set(time.Hour, once(t, "09:00", 90*time.Minute, ""), nightly), state: evaluate.StateWaitingForWindow, check: opens("2026-01-21 00:00Z")},
		"MWN-9 with an alert":       {change: set(time.Hour, once(t, "09:00", 90*time.Minute, ""), nightly), state: evaluate.StateWaitingForWindow, check: alert(true)},
		"waiting alone is no alert": {change: set(time.Hour, nightly), state: evaluate.StateWaitingForWindow, check: alert(false)},
		"MWN-9 skips one that is too short": {change: set(2*time.Hour, once(t, "11:00", time.Hour, ""), once(t, "15:00", 2*time.Hour, "")),
			state: evaluate.StateWaitingForWindow, check: opens("2026-01-20 14:00Z")},
		"MWN-10 unlimited run starts in the last minute": {change: set(0, once(t, "09:01", time.Hour, "")), state: evaluate.StateDue, due: true},
		"MWN-10 longer than every window":                {change: set(4*time.Hour, nightly), state: evaluate.StateNeverFits, rule: "MWN-10", check: alert(true)},
		"MWN-5 overlapping windows merge": {change: set(2*time.Hour, once(t, "09:00", 90*time.Minute, ""), once(t, "10:15", 2*time.Hour, "")),
			state: evaluate.StateDue, due: true},
		"MWN-5 touching windows merge": {change: set(2*time.Hour, once(t, "09:00", 90*time.Minute, ""), once(t, "10:30", 2*time.Hour, "")),
			state: evaluate.StateDue, due: true},
		"MWN-5 separate windows stay separate": {change: set(2*time.Hour, once(t, "09:00", 90*time.Minute, ""), once(t, "10:31", 2*time.Hour, "")),
			state: evaluate.StateWaitingForWindow, check: opens("2026-01-20 09:31Z")},
		"MWN-6 windows for task sequences hide the others": {change: set(time.Hour, once(t, "09:00", 3*time.Hour, evaluate.AllDeployments),
			once(t, "20:00", time.Hour, evaluate.TaskSequences)), state: evaluate.StateWaitingForWindow, check: opens("2026-01-20 19:00Z")},
		"MWN-6 unless the client setting is on": {change: func(t *testing.T, in *evaluate.Input) {
			set(time.Hour, once(t, "09:00", 3*time.Hour, evaluate.AllDeployments), once(t, "20:00", time.Hour, evaluate.TaskSequences))(t, in)
			in.AllWindowsToo = true
		}, state: evaluate.StateDue, due: true},
		"MWN-3 windows for updates do not count": {change: set(time.Hour, once(t, "20:00", time.Hour, evaluate.SoftwareUpdates)), state: evaluate.StateDue, due: true, rule: "MWN-7"},
		"MWN-12 outside windows": {change: func(t *testing.T, in *evaluate.Input) {
			set(time.Hour, nightly)(t, in)
			in.Deployment.InstallOutsideWindow = true
		}, state: evaluate.StateDue, due: true, rule: "MWN-12"},
		"MWN-12 but not before its time": {change: func(t *testing.T, in *evaluate.Input) {
			set(time.Hour, nightly)(t, in)
			in.Deployment.InstallOutsideWindow, in.Now = true, at(t, "2026-01-20 08:59Z")
		}, state: evaluate.StateWaiting},
		"MWN-11 a started run goes on": {change: func(t *testing.T, in *evaluate.Input) {
			set(time.Hour, nightly)(t, in)
			in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-20 02:00Z", "", false)}
		}, state: evaluate.StateRunning},
		"MWN-8 content does not wait": {change: func(t *testing.T, in *evaluate.Input) {
			set(time.Hour, nightly)(t, in)
			in.Deployment.Option = evaluate.AllBefore
		}, state: evaluate.StateWaitingForWindow, check: func(t *testing.T, v evaluate.Verdict) {
			assert.Equal(t, at(t, "2026-01-10 00:00Z"), v.StartsContentDownloadAt.UTC())
		}},
		"once a year": {change: set(time.Hour, evaluate.Window{Length: time.Hour, Schedule: evaluate.Assignment{
			Kind: evaluate.MonthlyByDate, Start: local(t, "2020-01-15 01:00"), Day: 15, Every: 12}}),
			state: evaluate.StateWaitingForWindow, check: opens("2027-01-15 00:00Z")},
		"MWN-2 a window that is not valid is left out, and said": {change: set(time.Hour, once(t, "20:00", time.Minute, "")), state: evaluate.StateDue, due: true, rule: "MWN-1"},
		"over the night that lacks an hour": {change: func(t *testing.T, in *evaluate.Input) {
			set(3*time.Hour, nightly)(t, in)
			in.Now = at(t, "2026-03-28 12:00Z")
		}, state: evaluate.StateWaitingForWindow, check: opens("2026-03-29 00:00Z")},
	})
}

func TestMWN18WindowsInTheBootEnvironment(t *testing.T) {
	in := base(t)
	in.Environment, in.Windows = evaluate.WinPE, []evaluate.Window{once(t, "20:00", time.Hour, "")}
	v := evaluate.Evaluate(in)
	assert.False(t, v.Offered || v.Due)
	assert.Equal(t, evaluate.StateWaitingForWindow, v.State)
	assert.Contains(t, rules(v), "MWN-18")
	assert.Equal(t, "2026-01-20 19:00Z", texts([]time.Time{v.WindowOpens})[0])

	inside := in
	inside.Now = at(t, "2026-01-20 19:30Z")
	inside.Deployment.MaxRunTime = 2 * time.Hour
	assert.True(t, evaluate.Evaluate(inside).Due)
	switchedOff := in
	switchedOff.IgnoreWindowsInWinPE = true
	assert.True(t, evaluate.Evaluate(switchedOff).Due)
	outside := in
	outside.Deployment.InstallOutsideWindow = true
	assert.True(t, evaluate.Evaluate(outside).Due)
	chosen := in
	chosen.Deployment.Purpose = evaluate.Available
	assert.True(t, evaluate.Evaluate(chosen).Offered, "Available ones are always offered")
}

func TestMWN13Restarts(t *testing.T) {
	in := base(t)
	allowed, _, _ := evaluate.MayRestart(in)
	assert.True(t, allowed, "no window, no restriction")
	in.Windows = []evaluate.Window{once(t, "20:00", time.Hour, "")}
	in.Deployment.InstallOutsideWindow = true
	allowed, opens, reason := evaluate.MayRestart(in)
	assert.False(t, allowed, "installing outside windows is another setting")
	assert.Equal(t, "2026-01-20 19:00Z", texts([]time.Time{opens})[0])
	assert.Equal(t, "MWN-13", reason.Rule)
	in.Deployment.RestartOutsideWindow = true
	allowed, _, _ = evaluate.MayRestart(in)
	assert.True(t, allowed)
	in.Deployment.RestartOutsideWindow, in.Environment = false, evaluate.WinPE
	allowed, _, _ = evaluate.MayRestart(in)
	assert.True(t, allowed)
}

func TestMWN2Lengths(t *testing.T) {
	for length, ok := range map[time.Duration]bool{
		4 * time.Minute: false, 5 * time.Minute: true, 24 * time.Hour: true, 24*time.Hour + 1: false,
	} {
		assert.Equal(t, ok, once(t, "20:00", length, "").Validate() == nil, length)
	}
	w := once(t, "20:00", time.Hour, "weekends")
	assert.ErrorContains(t, w.Validate(), "MWN-3")
	w = once(t, "20:00", time.Hour, "")
	w.Schedule.Kind = evaluate.LogOn
	assert.ErrorContains(t, w.Validate(), "MWN-1")
}

package evaluate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bootyard/bootyard/internal/evaluate"
)

// base is a Required deployment of 10 January 2026 that is due on 20 January 10:00 local time on a device in Amsterdam.
func base(t testing.TB) evaluate.Input {
	return evaluate.Input{
		Deployment: evaluate.Deployment{
			ID: "BYD20001", Sequence: "BYD00001", Purpose: evaluate.Required, MakeAvailableTo: evaluate.ClientsMediaAndPXE,
			Assignments: []evaluate.Assignment{{Kind: evaluate.Once, Start: local(t, "2026-01-20 10:00")}},
			CreatedAt:   at(t, "2026-01-10 00:00Z"),
		},
		Now:         at(t, "2026-01-20 09:00Z"),
		Zone:        zone(t, "Europe/Amsterdam"),
		Environment: evaluate.FullOS,
	}
}

func weekly(t testing.TB) evaluate.Assignment { // Mondays 10:00
	return evaluate.Assignment{Kind: evaluate.Weekly, Start: local(t, "2026-01-12 10:00"), Weekday: 2}
}

func ran(t testing.TB, in evaluate.Input, started, ended string, ok bool) evaluate.RunRecord {
	r := evaluate.RunRecord{Deployment: in.Deployment.ID, Sequence: in.Deployment.Sequence, Started: at(t, started), Succeeded: ok}
	if ended != "" {
		r.Ended = at(t, ended)
	}
	return r
}

func rules(v evaluate.Verdict) []string {
	var ids []string
	for _, r := range v.Reasons {
		ids = append(ids, r.Rule)
	}
	return ids
}

// A case changes the base input and says what must come out.
type testCase struct {
	change func(t *testing.T, in *evaluate.Input)
	state  evaluate.State
	due    bool
	since  string
	rule   string
	check  func(t *testing.T, v evaluate.Verdict)
}

func runCases(t *testing.T, cases map[string]testCase) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			in := base(t)
			test.change(t, &in)
			v := evaluate.Evaluate(in)
			assert.Equal(t, test.state, v.State, v.Reasons)
			assert.Equal(t, test.due, v.Due)
			if test.since != "" {
				assert.Equal(t, test.since, v.DueSince.UTC().Format("2006-01-02 15:04Z"))
			}
			if test.rule != "" {
				assert.Contains(t, rules(v), test.rule)
			}
			if test.check != nil {
				test.check(t, v)
			}
		})
	}
}

func TestSchedules(t *testing.T) {
	runCases(t, map[string]testCase{
		"SCH-9 once, the minute before": {
			change: func(t *testing.T, in *evaluate.Input) { in.Now = at(t, "2026-01-20 08:59Z") },
			state:  evaluate.StateWaiting,
			check: func(t *testing.T, v evaluate.Verdict) {
				assert.Equal(t, []string{"2026-01-20 09:00Z"}, texts(v.NextDue))
				assert.True(t, v.Offered && v.Listed && v.UserMayStart, "UX-2: may be started before the deadline")
			},
		},
		"SCH-9 once, at the minute": {
			change: func(*testing.T, *evaluate.Input) {}, state: evaluate.StateDue, due: true, since: "2026-01-20 09:00Z", rule: "SCH-9",
		},
		"SCH-4 UTC flag": {
			change: func(t *testing.T, in *evaluate.Input) { in.Deployment.Assignments[0].Start.UTC = true },
			state:  evaluate.StateWaiting,
			check: func(t *testing.T, v evaluate.Verdict) {
				assert.Equal(t, []string{"2026-01-20 10:00Z"}, texts(v.NextDue))
			},
		},
		"SCH-4 the same local time comes six hours later in New York": {
			change: func(t *testing.T, in *evaluate.Input) { in.Zone = zone(t, "America/New_York") },
			state:  evaluate.StateWaiting,
			check: func(t *testing.T, v evaluate.Verdict) {
				assert.Equal(t, []string{"2026-01-20 15:00Z"}, texts(v.NextDue))
			},
		},
		"SCH-3 not yet available": {
			change: func(t *testing.T, in *evaluate.Input) {
				m := local(t, "2026-01-21 10:00")
				in.Deployment.Available = &m
			},
			state: evaluate.StateNotYetAvailable, rule: "SCH-3",
			check: func(t *testing.T, v evaluate.Verdict) {
				assert.False(t, v.Offered || v.Listed || v.UserMayStart)
				assert.Equal(t, []string{"2026-01-21 09:00Z"}, texts(v.NextDue), "SCH-8: due when it becomes available")
			},
		},
		"SCH-8 assignment earlier than available": {
			change: func(t *testing.T, in *evaluate.Input) {
				m := local(t, "2026-01-21 10:00")
				in.Deployment.Available, in.Now = &m, at(t, "2026-01-21 09:00Z")
			},
			state: evaluate.StateDue, due: true, since: "2026-01-21 09:00Z", rule: "SCH-8",
		},
		"SCH-5 expired": {
			change: func(t *testing.T, in *evaluate.Input) {
				m := local(t, "2026-01-20 10:00")
				in.Deployment.Expire = &m
			},
			state: evaluate.StateExpired, rule: "SCH-5",
			check: func(t *testing.T, v evaluate.Verdict) { assert.False(t, v.Offered || v.Listed || len(v.NextDue) > 0) },
		},
		"SCH-5 not yet expired": {
			change: func(t *testing.T, in *evaluate.Input) {
				m := local(t, "2026-01-20 10:01")
				in.Deployment.Expire = &m
			},
			state: evaluate.StateDue, due: true,
		},
		"SCH-5 UTC expiry is later": {
			change: func(t *testing.T, in *evaluate.Input) {
				m := utc(t, "2026-01-20 10:00")
				in.Deployment.Expire = &m
			},
			state: evaluate.StateDue, due: true,
		},
		"SCH-6 a started run finishes": {
			change: func(t *testing.T, in *evaluate.Input) {
				m := local(t, "2026-01-20 10:00")
				in.Deployment.Expire = &m
				in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-20 08:00Z", "", false)}
			},
			state: evaluate.StateRunning, rule: "SCH-6",
		},
		"SCH-10 several, an event among them": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = append(in.Deployment.Assignments, weekly(t), evaluate.Assignment{Kind: evaluate.LogOn})
				in.Now = at(t, "2026-01-11 00:00Z")
			},
			state: evaluate.StateWaiting,
			check: func(t *testing.T, v evaluate.Verdict) {
				assert.Len(t, v.NextDue, evaluate.NextCount)
				assert.Equal(t, []string{"2026-01-12 09:00Z", "2026-01-19 09:00Z", "2026-01-20 09:00Z", "2026-01-26 09:00Z"}, texts(v.NextDue)[:4])
			},
		},
		"SCH-11 ASAP with policy": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.ASAP}}
				in.PolicyArrived = at(t, "2026-01-20 08:55Z")
			},
			state: evaluate.StateDue, due: true, since: "2026-01-20 08:55Z", rule: "SCH-11",
		},
		"SCH-11 ASAP waits for available": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.ASAP}}
				m := local(t, "2026-01-20 11:00")
				in.Deployment.Available = &m
			},
			state: evaluate.StateNotYetAvailable,
			check: func(t *testing.T, v evaluate.Verdict) {
				assert.Equal(t, []string{"2026-01-20 10:00Z"}, texts(v.NextDue))
			},
		},
		"SCH-12 no sign-in yet": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.LogOn}}
				in.Events = []evaluate.Event{{Kind: evaluate.LogOff, At: at(t, "2026-01-20 08:00Z")}}
			},
			state: evaluate.StateWaiting, rule: "SCH-12",
		},
		"SCH-12 sign-in": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.LogOn}}
				in.Events = []evaluate.Event{{Kind: evaluate.LogOn, At: at(t, "2026-01-20 08:00Z")}}
			},
			state: evaluate.StateDue, due: true, since: "2026-01-20 08:00Z", rule: "SCH-12",
		},
		"SCH-12 a sign-in before it was available does not count": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.LogOn}}
				in.Events = []evaluate.Event{{Kind: evaluate.LogOn, At: at(t, "2026-01-20 07:59Z")}}
				m := local(t, "2026-01-20 09:00")
				in.Deployment.Available = &m
			},
			state: evaluate.StateWaiting,
		},
		"SCH-12 sign-off after the run for the last one": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.LogOff}}
				in.Events = []evaluate.Event{{Kind: evaluate.LogOff, At: at(t, "2026-01-20 08:00Z")}, {Kind: evaluate.LogOff, At: at(t, "2026-01-20 08:30Z")}}
				in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-20 08:01Z", "2026-01-20 08:20Z", true)}
			},
			state: evaluate.StateDue, due: true, since: "2026-01-20 08:30Z",
		},
		"SCH-12 the run for it was": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.LogOff}}
				in.Events = []evaluate.Event{{Kind: evaluate.LogOff, At: at(t, "2026-01-20 08:00Z")}}
				in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-20 08:01Z", "2026-01-20 08:20Z", true)}
			},
			state: evaluate.StateWaiting,
		},
		"SCH-13 five missed occurrences are one": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{weekly(t)}
				in.Now = at(t, "2026-02-12 12:00Z")
			},
			state: evaluate.StateDue, due: true, since: "2026-02-09 09:00Z",
		},
		"SCH-13 and once carried out, none is left": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments = []evaluate.Assignment{weekly(t)}
				in.Now = at(t, "2026-02-12 14:00Z")
				in.History = []evaluate.RunRecord{ran(t, *in, "2026-02-12 12:00Z", "2026-02-12 13:00Z", true)}
			},
			state: evaluate.StateWaiting,
			check: func(t *testing.T, v evaluate.Verdict) {
				assert.Equal(t, "2026-02-16 09:00Z", texts(v.NextDue)[0])
			},
		},
		"SCH-13 a time that had passed at creation is due at once": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments[0].Start = local(t, "2025-06-01 10:00")
			},
			state: evaluate.StateDue, due: true, since: "2026-01-10 00:00Z",
		},
		"SCH-13 available and deadline had passed at creation": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Assignments[0].Start = local(t, "2025-06-01 10:00")
				m := local(t, "2025-05-01 10:00")
				in.Deployment.Available = &m
			},
			state: evaluate.StateDue, due: true, since: "2026-01-10 00:00Z",
		},
		"another deployment's run is under way": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-20 08:00Z", "", false)}
				in.History[0].Deployment = "BYD20009"
			},
			state: evaluate.StateDue, due: true,
		},
		"SCH-13 occurrences from before creation were not missed": {
			change: func(t *testing.T, in *evaluate.Input) {
				a := weekly(t)
				a.Start = local(t, "2025-06-01 10:00")
				in.Deployment.Assignments = []evaluate.Assignment{a}
				in.Now = at(t, "2026-01-11 00:00Z")
			},
			state: evaluate.StateWaiting,
		},
		"no assignment that is valid": {
			change: func(_ *testing.T, in *evaluate.Input) { in.Deployment.Assignments[0].Kind = "whenever" },
			state:  evaluate.StateDone, rule: "SCH-9",
		},
		"DEP-9 media and PXE only": {
			change: func(_ *testing.T, in *evaluate.Input) { in.Deployment.MakeAvailableTo = evaluate.MediaAndPXE },
			state:  evaluate.StateNotHere, rule: "DEP-9",
		},
		"RRN-4 Available is never due by itself": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.Purpose, in.Deployment.Rerun = evaluate.Available, evaluate.Never
				in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-15 08:01Z", "2026-01-15 08:20Z", true)}
			},
			state: evaluate.StateAvailable, rule: "RRN-4",
			check: func(t *testing.T, v evaluate.Verdict) { assert.True(t, v.UserMayStart) },
		},
		"UX-3 not independent": {
			change: func(t *testing.T, in *evaluate.Input) {
				in.Deployment.NotIndependent, in.Now = true, at(t, "2026-01-19 09:00Z")
			},
			state: evaluate.StateWaiting,
			check: func(t *testing.T, v evaluate.Verdict) { assert.True(t, v.Listed && !v.UserMayStart) },
		},
		"UX-5 two users": {
			change: func(_ *testing.T, in *evaluate.Input) { in.SignedInUsers = 2 },
			state:  evaluate.StateDue, due: true, rule: "UX-5",
			check: func(t *testing.T, v evaluate.Verdict) { assert.False(t, v.Listed) },
		},
	})
}

func TestSCH1BootEnvironmentLooksAtNoSchedule(t *testing.T) {
	early, late := local(t, "2026-01-01 10:00"), local(t, "2027-01-01 10:00")
	for name, change := range map[string]func(*evaluate.Deployment){
		"expired":              func(d *evaluate.Deployment) { d.Expire = &early },
		"not yet available":    func(d *evaluate.Deployment) { d.Available = &late },
		"deadline lies ahead":  func(d *evaluate.Deployment) { d.Assignments[0].Start = late },
		"no assignment":        func(d *evaluate.Deployment) { d.Assignments = nil },
		"rerun Never (RRN-11)": func(d *evaluate.Deployment) { d.Rerun = evaluate.Never },
	} {
		t.Run(name, func(t *testing.T) {
			in := base(t)
			in.Environment = evaluate.WinPE
			in.History = []evaluate.RunRecord{ran(t, in, "2026-01-15 08:01Z", "2026-01-15 08:20Z", true)}
			change(&in.Deployment)
			v := evaluate.Evaluate(in)
			assert.True(t, v.Offered && v.Listed && v.Due, "SCH-20")
			assert.Empty(t, v.NextDue)
			assert.Contains(t, rules(v), "SCH-1")

			in.Deployment.Purpose = evaluate.Available
			v = evaluate.Evaluate(in)
			assert.True(t, v.Offered && v.Listed && !v.Due)

			in.Deployment.MakeAvailableTo = evaluate.MediaAndPXEHidden
			v = evaluate.Evaluate(in)
			assert.True(t, v.Offered && !v.Listed, "DEP-50")

			in.Deployment.MakeAvailableTo = evaluate.Clients
			assert.False(t, evaluate.Evaluate(in).Offered, "PXE-14")
		})
	}
}

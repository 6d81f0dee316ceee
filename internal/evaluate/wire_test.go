package evaluate_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/wire"
)

// The names of the protocol and of this package must stay the same words.
func TestWireValues(t *testing.T) {
	assert.EqualValues(t, wire.Required, evaluate.Required)
	assert.EqualValues(t, wire.Available, evaluate.Available)
	assert.Equal(t, []wire.Availability{wire.Clients, wire.ClientsMediaAndPXE, wire.MediaAndPXE, wire.MediaAndPXEHidden},
		[]wire.Availability{wire.Availability(evaluate.Clients), wire.Availability(evaluate.ClientsMediaAndPXE), wire.Availability(evaluate.MediaAndPXE), wire.Availability(evaluate.MediaAndPXEHidden)})
	assert.Equal(t, []wire.Option{wire.AsNeeded, wire.AllBefore, wire.DirectFromDP},
		[]wire.Option{wire.Option(evaluate.AsNeeded), wire.Option(evaluate.AllBefore), wire.Option(evaluate.DirectFromDP)})
	assert.Equal(t, []wire.Rerun{wire.RerunNever, wire.RerunAlways, wire.RerunIfFailed, wire.RerunIfSucceeded},
		[]wire.Rerun{wire.Rerun(evaluate.Never), wire.Rerun(evaluate.Always), wire.Rerun(evaluate.IfFailed), wire.Rerun(evaluate.IfSucceeded)})
	for from, to := range map[wire.AssignmentKind]evaluate.Kind{
		wire.Once: evaluate.Once, wire.Interval: evaluate.Interval, wire.Weekly: evaluate.Weekly, wire.MonthlyByDate: evaluate.MonthlyByDate,
		wire.MonthlyByWeekday: evaluate.MonthlyByWeekday, wire.ASAP: evaluate.ASAP, wire.LogOn: evaluate.LogOn, wire.LogOff: evaluate.LogOff,
	} {
		assert.EqualValues(t, from, to)
	}
	assert.EqualValues(t, wire.WinPE, evaluate.WinPE)
	assert.EqualValues(t, wire.FullOS, evaluate.FullOS)
}

func TestFromCandidateLeavesNothingOut(t *testing.T) {
	moment := wire.Moment{At: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), UTC: true}
	c := wire.Candidate{
		Deployment: "BYD20001", Sequence: "BYD00001", Purpose: wire.Required, Availability: wire.Clients, Option: wire.AllBefore,
		Available: &moment, Expire: &moment, Rerun: wire.RerunIfFailed, InstallOutsideWindow: true, RestartOutsideWindow: true, MaxRunMinutes: 90,
		Assignments: []wire.Assignment{{Kind: wire.Weekly, Start: &moment, Days: 1, Hours: 2, Minutes: 3, Weekday: 4, Day: 5, Week: 2, Every: 3, Offset: 6}},
		Created:     moment.At,
	}
	d := evaluate.FromCandidate(c)
	full := wire.Deployment{ID: c.Deployment, Created: c.Created, DeploymentSpec: wire.DeploymentSpec{
		TaskSequence: c.Sequence, Purpose: c.Purpose, MakeAvailableTo: c.Availability, DeploymentOption: c.Option, Available: c.Available, Expire: c.Expire,
		Rerun: c.Rerun, InstallOutsideWindow: true, RestartOutsideWindow: true, Assignments: c.Assignments, Independent: new(bool),
	}}
	assert.Equal(t, d, evaluate.FromDeployment(full, 90*time.Minute))

	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "WakeUp", "Precache": // not part of what an agent gets
		default:
			assert.False(t, v.Field(i).IsZero(), name)
		}
	}
	assert.Equal(t, evaluate.Assignment{Kind: evaluate.Weekly, Start: evaluate.Moment(moment), Days: 1, Hours: 2, Minutes: 3, Weekday: 4, Day: 5, Week: 2, Every: 3, Offset: 6}, d.Assignments[0])
	c.Independent = true
	assert.False(t, evaluate.FromCandidate(c).NotIndependent)
	c.Independent, c.Purpose = false, wire.Available
	assert.False(t, evaluate.FromCandidate(c).NotIndependent, "DEP-41: always on for Available")
}

func TestFromWindowsAndHistory(t *testing.T) {
	var windows []wire.Window
	require.NoError(t, json.Unmarshal([]byte(`[{"name":"night","lengthMinutes":180,"appliesTo":"taskSequences",
		"schedule":{"kind":"weekly","weekday":1,"start":{"at":"2026-01-01T01:00:00Z"}}}]`), &windows))
	got := evaluate.FromWindows(windows)
	require.NoError(t, got[0].Validate())
	assert.Equal(t, 3*time.Hour, got[0].Length)
	assert.Equal(t, evaluate.TaskSequences, got[0].AppliesTo)

	ended := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	runs := evaluate.FromHistory([]wire.RunRecord{{Deployment: "D", Sequence: "S", Started: ended, Ended: &ended, Succeeded: true}, {Deployment: "E"}})
	assert.Equal(t, evaluate.RunRecord{Deployment: "D", Sequence: "S", Started: ended, Ended: ended, Succeeded: true}, runs[0])
	assert.True(t, runs[1].Ended.IsZero())

	v := evaluate.Verdict{Reasons: []evaluate.Reason{{Rule: "SCH-1", Text: "x"}}}
	assert.Equal(t, []wire.Reason{{Rule: "SCH-1", Text: "x"}}, v.Wire())
}

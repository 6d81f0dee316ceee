package evaluate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bootyard/bootyard/internal/evaluate"
)

func TestNextWake(t *testing.T) {
	for name, test := range map[string]struct {
		change func(in *evaluate.Input)
		want   []string
	}{
		"WOL-1 at the deadline":   {func(*evaluate.Input) {}, []string{"2026-01-20 09:00Z"}},
		"WOL-1 off":               {func(in *evaluate.Input) { in.Deployment.WakeUp = false }, nil},
		"WOL-1 Available":         {func(in *evaluate.Input) { in.Deployment.Purpose = evaluate.Available }, nil},
		"the device's own zone":   {func(in *evaluate.Input) { in.Zone = zone(t, "America/New_York") }, []string{"2026-01-20 15:00Z"}},
		"for the boot menu alike": {func(in *evaluate.Input) { in.Deployment.MakeAvailableTo = evaluate.MediaAndPXE }, []string{"2026-01-20 09:00Z"}},
		"WOL-11 each occurrence": {func(in *evaluate.Input) { in.Deployment.Assignments = []evaluate.Assignment{weekly(t)} },
			[]string{"2026-01-12 09:00Z", "2026-01-19 09:00Z", "2026-01-26 09:00Z"}},
		"WOL-11 events": {func(in *evaluate.Input) {
			in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.LogOn}, {Kind: evaluate.LogOff}}
		}, nil},
		"WOL-11 ASAP at creation": {func(in *evaluate.Input) {
			in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.ASAP}}
			in.PolicyArrived = at(t, "2026-01-11 00:00Z")
		}, []string{"2026-01-10 00:00Z"}},
		"ASAP when it becomes available": {func(in *evaluate.Input) {
			m := local(t, "2026-01-15 08:00")
			in.Deployment.Available, in.Deployment.Assignments = &m, []evaluate.Assignment{{Kind: evaluate.ASAP}}
		}, []string{"2026-01-15 07:00Z"}},
		"SCH-8 when it becomes available": {func(in *evaluate.Input) {
			m := local(t, "2026-01-25 08:00")
			in.Deployment.Available = &m
		}, []string{"2026-01-25 07:00Z"}},
		"passed at creation": {func(in *evaluate.Input) { in.Deployment.Assignments[0].Start = local(t, "2025-01-01 10:00") },
			[]string{"2026-01-10 00:00Z"}},
		"SCH-5 not after expiry": {func(in *evaluate.Input) {
			m := local(t, "2026-01-19 10:00")
			in.Deployment.Expire, in.Deployment.Assignments = &m, []evaluate.Assignment{weekly(t)}
		}, []string{"2026-01-12 09:00Z"}},
		"WOL-12 the rerun behaviour forbids it": {func(in *evaluate.Input) {
			in.Deployment.Rerun = evaluate.IfFailed
			in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-09 01:00Z", "2026-01-09 02:00Z", true)}
		}, nil},
		"RRN-13 satisfied by a run": {func(in *evaluate.Input) {
			in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.ASAP}, weekly(t)}
			in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-19 08:00Z", "2026-01-19 09:30Z", true)}
		}, []string{"2026-01-26 09:00Z"}},
		"a run is under way": {func(in *evaluate.Input) {
			in.History = []evaluate.RunRecord{ran(t, *in, "2026-01-19 08:00Z", "", false)}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := base(t)
			in.Deployment.WakeUp = true
			test.change(&in)
			var got []time.Time
			keys := map[string]bool{}
			for _, w := range evaluate.NextWake(in, at(t, "2026-01-10 00:00Z"), at(t, "2026-02-01 00:00Z")) {
				got = append(got, w.At)
				keys[w.Key()] = true
			}
			assert.Equal(t, test.want, texts(got))
			assert.Len(t, keys, len(got))
		})
	}
}

func TestNextWakeInPiecesMissesAndRepeatsNothing(t *testing.T) {
	in := base(t)
	in.Deployment.WakeUp = true
	in.Deployment.Assignments = []evaluate.Assignment{
		{Kind: evaluate.ASAP}, weekly(t), {Kind: evaluate.Interval, Start: local(t, "2026-01-11 02:30"), Hours: 5}, {Kind: evaluate.Once, Start: utc(t, "2026-01-12 09:00")},
	}
	from, until := at(t, "2026-01-10 00:00Z"), at(t, "2026-02-01 00:00Z")
	whole := evaluate.NextWake(in, from, until)
	var pieces []evaluate.Wake
	for ; from.Before(until); from = from.Add(37 * time.Minute) {
		end := from.Add(37 * time.Minute)
		if end.After(until) {
			end = until
		}
		pieces = append(pieces, evaluate.NextWake(in, from, end)...)
	}
	assert.Equal(t, whole, pieces)
	assert.Greater(t, len(whole), 80)
}

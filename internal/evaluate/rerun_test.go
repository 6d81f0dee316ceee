package evaluate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bootyard/bootyard/internal/evaluate"
)

func TestRerunRules(t *testing.T) {
	// Rows RRN-T1 to T4, columns: never ran, last run failed, last run succeeded.
	for rule, test := range map[string]struct {
		rerun evaluate.Rerun
		runs  [3]bool
	}{
		"RRN-T1": {evaluate.Never, [3]bool{true, false, false}},
		"RRN-T2": {evaluate.Always, [3]bool{true, true, true}},
		"RRN-T3": {evaluate.IfFailed, [3]bool{true, true, false}},
		"RRN-T4": {evaluate.IfSucceeded, [3]bool{true, false, true}},
		"RRN-3":  {"", [3]bool{true, true, true}},
	} {
		for column, want := range test.runs {
			in := base(t)
			in.Deployment.Rerun = test.rerun
			if column > 0 {
				// RRN-7, RRN-8: by another deployment of the same sequence, or by a user.
				r := ran(t, in, "2026-01-15 08:01Z", "2026-01-15 08:20Z", column == 2)
				r.Deployment = "BYD20009"
				older := ran(t, in, "2026-01-14 08:01Z", "2026-01-14 08:20Z", column != 2)
				other := ran(t, in, "2026-01-16 08:01Z", "2026-01-16 08:20Z", column != 2)
				other.Sequence, other.Deployment = "BYD00002", "BYD20008"
				in.History = []evaluate.RunRecord{other, r, older}
			}
			v := evaluate.Evaluate(in)
			assert.Equal(t, want, v.Due, "%s column %d: %v", rule, column, v.Reasons)
			if !want {
				assert.Equal(t, evaluate.StateWillNotRerun, v.State, "RRN-9")
				assert.Contains(t, rules(v), rule)
			}
		}
	}
}

func TestRRN8UserRunBeforeTheDeadline(t *testing.T) {
	in := base(t)
	in.History = []evaluate.RunRecord{ran(t, in, "2026-01-20 07:00Z", "2026-01-20 08:00Z", true)}
	assert.True(t, evaluate.Evaluate(in).Due, "Always runs again at the deadline")
	in.Deployment.Rerun = evaluate.IfFailed
	assert.Equal(t, evaluate.StateWillNotRerun, evaluate.Evaluate(in).State)
	in.Deployment.Rerun = evaluate.Always
	in.History[0].Ended = at(t, "2026-01-20 09:30Z")
	in.Now = at(t, "2026-01-20 10:00Z")
	assert.Equal(t, evaluate.StateDone, evaluate.Evaluate(in).State, "a run that lasts past the deadline satisfies it")
}

func TestHandledSkipIsDecidedOnce(t *testing.T) {
	in := base(t)
	in.Deployment.Rerun = evaluate.IfFailed
	other := ran(t, in, "2026-01-15 08:01Z", "2026-01-15 08:20Z", true)
	other.Deployment = "BYD20009"
	in.History = []evaluate.RunRecord{other}
	assert.Equal(t, evaluate.StateWillNotRerun, evaluate.Evaluate(in).State)
	// The agent notes the skip; later another deployment's run of the sequence fails.
	in.Handled = in.Now
	failed := other
	failed.Started, failed.Ended, failed.Succeeded = at(t, "2026-01-20 11:00Z"), at(t, "2026-01-20 12:00Z"), false
	in.History = append(in.History, failed)
	in.Now = at(t, "2026-01-20 13:00Z")
	assert.Equal(t, evaluate.StateDone, evaluate.Evaluate(in).State)
}

func TestSCH16ContentTiming(t *testing.T) {
	available := local(t, "2026-01-15 10:00")
	for name, test := range map[string]struct {
		change func(in *evaluate.Input)
		want   string
		rule   string
	}{
		"Available, AllBefore": {func(in *evaluate.Input) { in.Deployment.Purpose = evaluate.Available }, "", ""},
		"Available, precache": {func(in *evaluate.Input) {
			in.Deployment.Purpose, in.Deployment.Precache = evaluate.Available, true
		}, "2026-01-15 09:00Z", "SCH-16"},
		"Available, precache, policy later": {func(in *evaluate.Input) {
			in.Deployment.Purpose, in.Deployment.Precache = evaluate.Available, true
			in.PolicyArrived = at(t, "2026-01-18 09:00Z")
		}, "2026-01-18 09:00Z", "SCH-16"},
		"SCH-7 Required, AllBefore": {func(*evaluate.Input) {}, "2026-01-15 09:00Z", "SCH-7"},
		"SCH-8 assignment earlier than available": {func(in *evaluate.Input) {
			in.Deployment.Assignments[0].Start = local(t, "2026-01-13 10:00")
		}, "2026-01-13 09:00Z", "SCH-8"},
		"ASAP": {func(in *evaluate.Input) {
			in.Deployment.Assignments = []evaluate.Assignment{{Kind: evaluate.ASAP}}
			in.PolicyArrived = at(t, "2026-01-12 09:00Z")
		}, "2026-01-12 09:00Z", "SCH-8"},
		"Required, AsNeeded": {func(in *evaluate.Input) { in.Deployment.Option = evaluate.AsNeeded }, "", ""},
		"direct":             {func(in *evaluate.Input) { in.Deployment.Option = evaluate.DirectFromDP }, "", "SCH-16"},
	} {
		t.Run(name, func(t *testing.T) {
			in := base(t)
			in.Now = at(t, "2026-01-12 00:00Z")
			in.Deployment.Option, in.Deployment.Available = evaluate.AllBefore, &available
			test.change(&in)
			v := evaluate.Evaluate(in)
			if test.want == "" {
				assert.True(t, v.StartsContentDownloadAt.IsZero())
			} else {
				assert.Equal(t, test.want, texts([]time.Time{v.StartsContentDownloadAt})[0])
			}
			if test.rule != "" {
				assert.Contains(t, rules(v), test.rule)
			}
		})
	}
}

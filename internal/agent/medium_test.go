package agent_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

const question = "Press Enter to go on\r\n"

// attended is a machine started from a medium that is not unattended; the appliance wants a confirmation as the real one.
func attended(t *testing.T, keys *typed) *bench {
	b := newBench(t)
	b.config.Boot.Token = ""
	b.config.Boot.Media = &wire.Media{ID: "m1", Token: "media-secret", Label: "Hall 3", Variables: map[string]string{"SMSTSPreferredAdvertID": "byd20007"}}
	b.config.Keys = keys
	b.run.SequenceXML = sequenceOf(command("first", "echo one"))
	b.policy = func(r wire.PolicyRequest) wire.Policy {
		p := wire.Policy{Action: wire.ActionMenu, Deployment: "BYD20007",
			Candidates: []wire.Candidate{{Deployment: "BYD20007", SequenceName: "Debian", Availability: wire.MediaAndPXEHidden}}}
		if r.Chosen == "BYD20007" {
			p.Action = wire.ActionRun
		}
		return p
	}
	return b
}

func TestAttendedMediumStartsNothingWithoutAPerson(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	// Enter pressed while the machine came up is no answer.
	b := attended(t, &typed{early: []string{""}, asked: leave})
	require.ErrorIs(t, b.boot(ctx), context.Canceled)
	require.Contains(t, b.screen.String(), question)
	require.Contains(t, b.screen.String(), `"Hall 3"`)
	require.Contains(t, b.screen.String(), "deployment BYD20007 (Debian)")
	require.Empty(t, b.claims, "MED-1, S-37")
	require.Empty(t, b.commands.All())

	b = attended(t, nil)
	b.config.Keys = nil
	require.ErrorContains(t, b.boot(context.Background()), "MED-1")
	require.Empty(t, b.claims)
}

func TestAttendedMediumGoesOnByEnter(t *testing.T) {
	b := attended(t, &typed{lines: []string{""}})
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, []string{"echo one"}, b.commands.All())
	require.Len(t, b.policies, 2, "asked again after the wait")

	// A required deployment of an attended medium waits as well, and so does a menu.
	b = attended(t, &typed{lines: []string{"", "1"}})
	b.config.Boot.Media.Variables = nil
	b.policy = func(r wire.PolicyRequest) wire.Policy {
		if r.Chosen != "" {
			return wire.Policy{Action: wire.ActionRun, Deployment: r.Chosen}
		}
		return wire.Policy{Action: wire.ActionMenu, Candidates: []wire.Candidate{{Deployment: "BYD20001", SequenceName: "Alpha"}}}
	}
	require.NoError(t, b.boot(context.Background()))
	require.Contains(t, b.screen.String(), question)
	require.Equal(t, "BYD20001", b.policies[len(b.policies)-1].Chosen)
}

func TestAttendedMediumDoesNotHangARun(t *testing.T) {
	b := attended(t, &typed{})
	b.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionLocal, Reasons: []wire.Reason{{Rule: "MED-25", Text: "was just deployed"}}}
	}
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, 1, b.machine.Restarts)
	require.NotContains(t, b.screen.String(), question)

	b = attended(t, &typed{})
	b.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionResume, ActiveRun: b.run.ID}
	}
	require.NoError(t, b.boot(context.Background()))
	require.NotContains(t, b.screen.String(), question)
}

func TestChoiceOfTheLoadersMenuIsNoSecondQuestion(t *testing.T) {
	b := newBench(t)
	b.config.Boot.Pick = "BYD20002"
	b.config.Keys = &typed{}
	b.run.SequenceXML = sequenceOf(command("first", "echo one"))
	b.policy = func(r wire.PolicyRequest) wire.Policy {
		if r.Chosen == "BYD20002" {
			return wire.Policy{Action: wire.ActionRun, Deployment: r.Chosen}
		}
		return wire.Policy{Action: wire.ActionMenu, Candidates: []wire.Candidate{{Deployment: "BYD20001"}, {Deployment: "BYD20002"}}}
	}
	require.NoError(t, b.boot(context.Background()))
	require.NotContains(t, b.screen.String(), "Which task sequence?")
	require.NotContains(t, b.screen.String(), question)
	require.True(t, b.finish.Succeeded)
}

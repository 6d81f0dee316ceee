package site_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

const password = "correct horse battery"

func (m machine) locked() site.Session {
	m.t.Helper()
	s := m.session()
	require.True(m.t, s.Locked)
	return s
}

// PXE-23: a password at machines that start from the network, and only there.
func TestPXE23Password(t *testing.T) {
	s := sitetest.New(t)
	s.Device("lab-01", 1)
	m := machine{s, t, 1}
	require.False(t, m.session().Locked, "no password, no question")
	before := m.session()
	for _, bad := range []string{"short", strings.Repeat("x", 129), " blank before", "tab\there really"} {
		require.Equal(t, "PXE-23", problem(t, s.SetPXEPassword(s.Ctx, bad)).Rule, bad)
	}
	require.NoError(t, s.SetPXEPassword(s.Ctx, password))
	set, err := s.Settings(s.Ctx)
	require.NoError(t, err)
	require.True(t, set.PXEPassword)
	require.NoError(t, s.SetSettings(s.Ctx, set), "changing other settings keeps it")

	nonce := strings.Repeat("a1", 32)
	token := m.token()
	opened, err := m.openWith(token, "10.0.0.9", nonce)
	require.NoError(t, err)
	require.True(t, opened.PasswordNeeded)
	who, err := s.Authenticate(s.Ctx, opened.Token)
	require.NoError(t, err)
	require.Equal(t, 403, problem(t, s.Unlock(s.Ctx, who, "wrong horse", "10.0.0.9")).Status)
	require.Equal(t, 403, problem(t, s.Unlock(s.Ctx, who, strings.Repeat("x", 5000), "10.0.0.9")).Status)
	require.NoError(t, s.Unlock(s.Ctx, who, password, "10.0.0.9"))
	who, err = s.Authenticate(s.Ctx, opened.Token)
	require.NoError(t, err)
	require.False(t, who.Locked)
	require.True(t, who.Unlocked)
	again, err := m.openWith(token, "10.0.0.9", nonce)
	require.NoError(t, err)
	require.False(t, again.PasswordNeeded, "asked once in a boot")
	require.False(t, before.Locked, "who has a session is not asked")

	require.True(t, m.session().Locked, "the next boot is asked again, also in the middle of a run")
	alerts, err := s.Alerts(s.Ctx)
	require.NoError(t, err)
	require.Len(t, alerts, 1)
	require.Contains(t, alerts[0].Text, "wrong PXE password was given at lab-01")
	for _, hidden := range []string{password, "wrong horse"} {
		require.NotContains(t, s.Log.String(), hidden)
		require.NotContains(t, alerts[0].Text, hidden)
	}
	require.NoError(t, s.SetPXEPassword(s.Ctx, ""))
	require.False(t, m.session().Locked)
}

func TestPXE23GuessesAreLimited(t *testing.T) {
	s := sitetest.New(t)
	s.Device("lab-01", 1)
	s.Device("lab-02", 2)
	require.NoError(t, s.SetPXEPassword(s.Ctx, password))
	m, other := machine{s, t, 1}, machine{s, t, 2}
	who := m.locked()
	status := 0
	for i := range 20 {
		status = problem(t, s.Unlock(s.Ctx, who, "wrong horse", "10.0.0.9")).Status
		if status == 429 {
			require.Greater(t, i, 4)
			break
		}
	}
	require.Equal(t, 429, status)
	require.Equal(t, 429, problem(t, s.Unlock(s.Ctx, who, password, "10.0.0.9")).Status, "also the right one")
	require.Equal(t, 429, problem(t, s.Unlock(s.Ctx, m.locked(), password, "10.0.0.10")).Status, "a restart and another address do not help")
	require.Equal(t, 429, problem(t, s.Unlock(s.Ctx, other.locked(), password, "10.0.0.9")).Status, "nor another machine at the same address")
	require.NoError(t, s.Unlock(s.Ctx, other.locked(), password, "10.0.0.77"))
	s.Clock.Advance(time.Minute + time.Second)
	require.NoError(t, s.Unlock(s.Ctx, m.locked(), password, "10.0.0.9"))
}

// One machine that tries a list does not keep all others from giving the password.
func TestPXE23GuessesOfOneDoNotStopOthers(t *testing.T) {
	s := sitetest.New(t)
	s.Device("lab-01", 1)
	s.Device("lab-02", 2)
	require.NoError(t, s.SetPXEPassword(s.Ctx, password))
	m, other := machine{s, t, 1}, machine{s, t, 2}
	who := m.locked()
	for range 200 {
		require.Contains(t, []int{403, 429}, problem(t, s.Unlock(s.Ctx, who, "wrong horse", "10.0.0.9")).Status)
	}
	require.NoError(t, s.Unlock(s.Ctx, other.locked(), password, "10.0.0.77"))
}

// DESIGN, trust: a run's secrets go only to an approved device, after a PXE
// password, or to a medium with its own key.
func TestPXE23SecretsAfterThePassword(t *testing.T) {
	for name, tc := range map[string]struct{ approved, password, want bool }{
		"neither":                 {false, false, false},
		"approved":                {true, false, true},
		"password":                {false, true, true},
		"approved, with password": {true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := sitetest.New(t)
			d := s.Device("lab-01", 1)
			_, err := s.ApproveDevice(s.Ctx, d.ID, tc.approved)
			require.NoError(t, err)
			require.NoError(t, s.SetVariable(s.Ctx, "device", d.ID, wire.Variable{Name: "JoinPassword", Value: "s3", Hidden: true}))
			dep := s.Deploy(wire.DeploymentSpec{TaskSequence: s.Sequence("os", true).ID, Collection: s.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
			if tc.password {
				require.NoError(t, s.SetPXEPassword(s.Ctx, password))
			}
			m := machine{s, t, 1}
			r, err := m.open(m.token(), "10.0.0.9")
			require.NoError(t, err)
			who, err := s.Authenticate(s.Ctx, r.Token)
			require.NoError(t, err)
			if tc.password {
				require.NoError(t, s.Unlock(s.Ctx, who, password, "10.0.0.9"))
				who, err = s.Authenticate(s.Ctx, r.Token)
				require.NoError(t, err)
			}
			run := m.run(who, dep.ID, "k")
			_, got := run.Variables["JoinPassword"]
			require.Equal(t, tc.want, got)
			// The password is removed in the middle: who imitates the machine gets nothing.
			require.NoError(t, s.SetPXEPassword(s.Ctx, ""))
			again, err := s.Run(s.Ctx, m.session(), run.ID)
			require.NoError(t, err)
			_, got = again.Variables["JoinPassword"]
			require.Equal(t, tc.approved, got)
		})
	}
}

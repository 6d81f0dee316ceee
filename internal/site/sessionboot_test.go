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

func (m machine) openWith(token, from, nonce string) (wire.SessionResponse, error) {
	return m.OpenSession(m.Ctx, wire.SessionRequest{Protocol: wire.Protocol, Environment: wire.WinPE, LaunchMode: wire.LaunchPXE, BootToken: token,
		Nonce: nonce, Identity: sitetest.Identity(m.n)}, from)
}

// An answer that was lost is asked for again by the same agent, and by nobody else.
func TestLostSessionIsGivenAgain(t *testing.T) {
	s := sitetest.New(t)
	s.Device("lab-01", 1)
	s.Device("lab-02", 2)
	m, other := machine{s, t, 1}, machine{s, t, 2}
	mine, theirs := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	token := m.token()
	first, err := m.openWith(token, "10.0.0.9", mine)
	require.NoError(t, err)
	s.Clock.Advance(time.Minute)
	again, err := m.openWith(token, "10.0.0.9", mine)
	require.NoError(t, err)
	require.Equal(t, first.Token, again.Token, "the same session")
	require.Equal(t, first.DeviceID, again.DeviceID)
	_, err = s.Authenticate(s.Ctx, first.Token)
	require.NoError(t, err)
	alerts, err := s.Alerts(s.Ctx)
	require.NoError(t, err)
	require.Empty(t, alerts)

	for name, try := range map[string]func() error{
		"another nonce":   func() error { _, err := m.openWith(token, "10.0.0.9", theirs); return err },
		"no nonce":        func() error { _, err := m.open(token, "10.0.0.9"); return err },
		"another address": func() error { _, err := m.openWith(token, "10.0.0.10", mine); return err },
		"another machine": func() error { _, err := other.openWith(token, "10.0.0.9", mine); return err },
	} {
		require.Equal(t, 401, problem(t, try()).Status, name)
	}
	alerts, err = s.Alerts(s.Ctx)
	require.NoError(t, err)
	require.Len(t, alerts, 2, "second use, and binding")
	_, err = m.openWith(token, "10.0.0.9", "short")
	require.Equal(t, 422, problem(t, err).Status)

	s.Clock.Advance(15 * time.Minute)
	_, err = m.openWith(token, "10.0.0.9", mine)
	require.Equal(t, 401, problem(t, err).Status, "its minutes are over")

	// An agent of an older boot image sends none: once, as ever.
	token = m.token()
	_, err = m.open(token, "10.0.0.9")
	require.NoError(t, err)
	_, err = m.openWith(token, "10.0.0.9", mine)
	require.Equal(t, 401, problem(t, err).Status)
}

// The last boot script counts; a token that was used is not touched by it.
func TestNewBootTokenEndsTheEarlierOnes(t *testing.T) {
	s := sitetest.New(t)
	s.Device("lab-01", 1)
	s.Device("lab-02", 2)
	m, other := machine{s, t, 1}, machine{s, t, 2}
	nonce := strings.Repeat("a1", 32)
	used, theirs := m.token(), other.token()
	_, err := m.openWith(used, "10.0.0.9", nonce)
	require.NoError(t, err)
	early, late := m.token(), m.token()
	_, err = m.openWith(early, "10.0.0.9", nonce)
	require.Equal(t, 401, problem(t, err).Status)
	require.Contains(t, problem(t, err).Detail, "another boot script was handed out")
	alerts, err := s.Alerts(s.Ctx)
	require.NoError(t, err)
	require.Len(t, alerts, 1)
	require.Equal(t, "warning", alerts[0].Severity)
	_, err = m.openWith(late, "10.0.0.9", nonce)
	require.NoError(t, err)
	_, err = m.openWith(used, "10.0.0.9", nonce)
	require.NoError(t, err, "its agent may still wait for the answer")
	_, err = other.open(theirs, "10.0.0.9")
	require.NoError(t, err, "another machine's")
}

// Somebody else who asks in a machine's name does not stop it: the tokens of each address stand alone.
func TestTokenOfAnotherAddressEndsNone(t *testing.T) {
	s := sitetest.New(t)
	s.Device("lab-01", 1)
	m := machine{s, t, 1}
	mine := m.token()
	_, err := s.IssueBootToken(s.Ctx, site.BootBinding{UUID: sitetest.UUID(1), MAC: sitetest.MAC(1), Address: "10.0.0.66", LaunchMode: wire.LaunchPXE})
	require.NoError(t, err)
	_, err = m.open(mine, "10.0.0.9")
	require.NoError(t, err)
}

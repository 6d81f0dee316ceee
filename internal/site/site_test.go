package site_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

func problem(t *testing.T, err error) *wire.Problem {
	t.Helper()
	var p *wire.Problem
	require.ErrorAs(t, err, &p)
	require.NotEmpty(t, p.Detail)
	return p
}

func (m machine) firmware() wire.Decision {
	m.t.Helper()
	d, err := m.Decide(m.Ctx, site.Asker{Identity: sitetest.Identity(m.n), Environment: wire.WinPE, Stage: wire.StageDHCP})
	require.NoError(m.t, err)
	return d
}

// machine is machine n of a site.
type machine struct {
	*sitetest.Site
	t *testing.T
	n int
}

func (m machine) token() string {
	m.t.Helper()
	boot, err := m.RecordBoot(m.Ctx, site.BootSign{Identity: sitetest.Identity(m.n), BootAnswer: wire.BootAnswer{Stage: wire.StageScript, Protocol: "http", Answer: "script"}})
	require.NoError(m.t, err)
	token, err := m.IssueBootToken(m.Ctx, site.BootBinding{Boot: boot, UUID: sitetest.UUID(m.n), MAC: sitetest.MAC(m.n), Address: "10.0.0.9", LaunchMode: wire.LaunchPXE})
	require.NoError(m.t, err)
	return token
}

func (m machine) open(token, from string) (wire.SessionResponse, error) {
	return m.OpenSession(m.Ctx, wire.SessionRequest{Protocol: wire.Protocol, Environment: wire.WinPE, LaunchMode: wire.LaunchPXE, BootToken: token, Identity: sitetest.Identity(m.n)}, from)
}

func (m machine) session() site.Session {
	m.t.Helper()
	r, err := m.open(m.token(), "10.0.0.9")
	require.NoError(m.t, err)
	s, err := m.Authenticate(m.Ctx, r.Token)
	require.NoError(m.t, err)
	return s
}

func (m machine) run(who site.Session, deployment, key string) wire.Run {
	m.t.Helper()
	r, err := m.Claim(m.Ctx, who, wire.ClaimRequest{Deployment: deployment, Key: key, Environment: wire.WinPE})
	require.NoError(m.t, err)
	return r
}

func TestBootTokenIsSingleUseAndBound(t *testing.T) {
	s := sitetest.New(t)
	s.Device("lab-01", 1)
	s.Device("lab-02", 2)
	m, other := machine{s, t, 1}, machine{s, t, 2}
	token := m.token()
	_, err := other.open(token, "10.0.0.9")
	require.Equal(t, 401, problem(t, err).Status, "another machine")
	_, err = m.open(token, "10.0.0.10")
	require.Equal(t, 401, problem(t, err).Status, "another address")
	_, err = m.open(token, "10.0.0.9")
	require.NoError(t, err)
	_, err = m.open(token, "10.0.0.9")
	require.Equal(t, 401, problem(t, err).Status, "a second use")
	alerts, err := s.Alerts(s.Ctx)
	require.NoError(t, err)
	require.Len(t, alerts, 2)

	late := m.token()
	s.Clock.Advance(16 * time.Minute)
	_, err = m.open(late, "10.0.0.9")
	require.Equal(t, 401, problem(t, err).Status, "after 15 minutes")
}

// PXE-16a: the offer is repeated until the claim, in every protocol.
func TestOfferIsRepeatedUntilTheClaim(t *testing.T) {
	s := sitetest.New(t)
	d := s.Device("lab-01", 1)
	dep := s.Deploy(wire.DeploymentSpec{TaskSequence: s.Sequence("os", true).ID, Collection: s.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	for range 5 {
		require.Equal(t, wire.ActionRun, m.firmware().Action)
	}
	who := m.session()
	require.Equal(t, wire.ActionRun, m.firmware().Action, "a session is no claim")
	run := m.run(who, dep.ID, "k")
	require.Equal(t, wire.ActionResume, m.firmware().Action)
	require.NoError(t, s.Finish(s.Ctx, who, run.ID, wire.Finish{Succeeded: false, Step: "Apply", ExitCode: 5, Message: "disk full"}))
	require.Equal(t, "PXE-16", m.firmware().Rule, "a failed run is not repeated by itself")
	_, err := s.Claim(s.Ctx, who, wire.ClaimRequest{Deployment: dep.ID, Key: "k2", Environment: wire.WinPE})
	require.Equal(t, "PXE-16", problem(t, err).Rule)

	s.Clock.Advance(time.Second)
	_, err = s.Retry(s.Ctx, "lab-01", "")
	require.NoError(t, err)
	again := m.firmware()
	require.Equal(t, wire.ActionRun, again.Action)
	require.Contains(t, again.Reason, "was asked for once more")
	s.Clock.Advance(time.Second)
	run = m.run(m.session(), dep.ID, "k3")
	require.NotEmpty(t, run.ID)
	_, err = s.Cancel(s.Ctx, "lab-01")
	require.NoError(t, err)
	require.Equal(t, "PXE-16", m.firmware().Rule)
	n, err := s.ClearPXE(s.Ctx, "", "lab")
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.Equal(t, wire.ActionRun, m.firmware().Action, "PXE-17")
}

func TestConcurrentClaimsMakeOneRun(t *testing.T) {
	s := sitetest.New(t)
	d := s.Device("lab-01", 1)
	seq, col := s.Sequence("os", true), s.Collection("lab", d)
	dep := s.Deploy(wire.DeploymentSpec{TaskSequence: seq.ID, Collection: col.ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	who := m.session()
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids, refused := map[string]int{}, 0
	for i := range 40 {
		wg.Go(func() {
			r, err := s.Claim(s.Ctx, who, wire.ClaimRequest{Deployment: dep.ID, Key: fmt.Sprintf("key-%d", i%4), Environment: wire.WinPE})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused++
				return
			}
			ids[r.ID]++
		})
	}
	wg.Wait()
	require.Len(t, ids, 1, "one active run, whatever the races are")
	require.Equal(t, 30, refused, "the three other keys are refused")
	runs, err := s.Runs(s.Ctx, "lab-01", "", 0)
	require.NoError(t, err)
	require.Len(t, runs, 1)
}

// PXE-19: an unknown machine's ledger ends; PXE-37: after the OS it is a device.
func TestUnknownMachine(t *testing.T) {
	s := sitetest.New(t)
	m := machine{s, t, 7}
	seq := s.Sequence("os", true)
	dep := s.Deploy(wire.DeploymentSpec{TaskSequence: seq.ID, Collection: wire.AllUnknownComputers, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	require.Equal(t, "PXE-13", m.firmware().Rule, "off by default")
	set := site.DefaultSettings()
	set.UnknownComputers = true
	require.NoError(t, s.SetSettings(s.Ctx, set))
	require.Equal(t, wire.ActionRun, m.firmware().Action)

	who := m.session()
	run := m.run(who, dep.ID, "k")
	require.NoError(t, s.Finish(s.Ctx, who, run.ID, wire.Finish{}))
	require.Equal(t, "PXE-16", m.firmware().Rule)
	s.Clock.Advance(61 * time.Minute)
	require.Equal(t, wire.ActionRun, m.firmware().Action, "PXE-19")

	run = m.run(m.session(), dep.ID, "k2")
	require.NoError(t, s.Checkpoint(s.Ctx, who, run.ID, wire.Checkpoint{Number: 1, Awaits: wire.FullOS}))
	resume, err := s.ResumeToken(s.Ctx, who, run.ID)
	require.NoError(t, err)
	_, err = s.OpenSession(s.Ctx, wire.SessionRequest{Protocol: 1, Environment: wire.FullOS, ResumeToken: resume.Token, Identity: sitetest.Identity(7)}, "10.0.0.9")
	require.NoError(t, err)
	d, err := s.Service.Device(s.Ctx, sitetest.MAC(7))
	require.NoError(t, err)
	require.Equal(t, wire.KnownDevice, d.Kind)
	require.False(t, d.Approved)
	require.NoError(t, s.Finish(s.Ctx, who, run.ID, wire.Finish{Succeeded: true}))
	require.Equal(t, "PXE-15", m.firmware().Rule, "a known device is never served from the unknown object")
}

func TestIdentification(t *testing.T) {
	s := sitetest.New(t)
	s.Device("lab-01", 1)
	s.Device("lab-02", 2)
	find := func(i wire.Identity) string {
		d, _, err := s.Identify(s.Ctx, i)
		require.NoError(t, err)
		if d == nil {
			return ""
		}
		return d.Name
	}
	require.Equal(t, "lab-01", find(wire.Identity{UUID: sitetest.UUID(1), MACs: []string{sitetest.MAC(2)}}), "the UUID comes first")
	require.Equal(t, "lab-01", find(wire.Identity{UUID: "8A8A8A8A-0000-4000-8000-000000000001"}), "any case")
	require.Equal(t, "lab-01", find(wire.Identity{MACs: []string{sitetest.MAC(1)}}), "the MAC when there is no UUID")
	require.Equal(t, "lab-01", find(wire.Identity{UUID: "00000000-0000-0000-0000-000000000000", MACs: []string{sitetest.MAC(1)}}), "all zero is never an identity")
	require.Equal(t, "", find(wire.Identity{UUID: sitetest.UUID(9), MACs: []string{sitetest.MAC(1)}}), "a dock's MAC on another machine")
	require.Equal(t, "", find(wire.Identity{MACs: []string{"ff:ff:ff:ff:ff:ff", "nonsense"}}))
	require.NoError(t, s.IgnoreID(s.Ctx, store.Ignored{Kind: "mac", Value: sitetest.MAC(1)}))
	require.Equal(t, "", find(wire.Identity{MACs: []string{sitetest.MAC(1)}}), "PXE-5 shared MAC")
	require.NoError(t, s.IgnoreID(s.Ctx, store.Ignored{Kind: "uuid", Value: sitetest.UUID(2)}))
	require.Equal(t, "lab-02", find(wire.Identity{UUID: sitetest.UUID(2), MACs: []string{sitetest.MAC(2)}}), "PXE-5: the other identifier still counts")
	require.NoError(t, s.IgnoreID(s.Ctx, store.Ignored{Kind: "excluded", Value: sitetest.MAC(2)}))
	require.Equal(t, "PXE-4", machine{s, t, 2}.firmware().Rule)
}

// MED-25 and S-37 from outside: the medium's record decides.
func TestMediumRunsOnceADay(t *testing.T) {
	s := sitetest.New(t)
	d := s.Device("lab-01", 1)
	dep := s.Deploy(wire.DeploymentSpec{TaskSequence: s.Sequence("os", true).ID, Collection: s.Collection("lab", d).ID, MakeAvailableTo: wire.MediaAndPXEHidden})
	made, err := s.CreateMedium(s.Ctx, wire.MediaCreate{Unattended: true, Variables: map[string]string{"smstspreferredadvertid": dep.ID}})
	require.NoError(t, err)
	open := func() site.Session {
		r, err := s.OpenSession(s.Ctx, wire.SessionRequest{Protocol: 1, Environment: wire.WinPE, LaunchMode: wire.LaunchCD, MediaID: made.Media.ID, MediaToken: made.Media.Token, Identity: sitetest.Identity(1)}, "10.0.0.9")
		require.NoError(t, err)
		who, err := s.Authenticate(s.Ctx, r.Token)
		require.NoError(t, err)
		return who
	}
	policy := func() wire.Policy {
		p, err := s.Policy(s.Ctx, open(), wire.PolicyRequest{Environment: wire.WinPE})
		require.NoError(t, err)
		return p
	}
	p := policy()
	require.Equal(t, wire.ActionRun, p.Action, "%v", p.Reasons)
	require.Equal(t, dep.ID, p.Deployment)
	require.Len(t, p.Candidates, 1)
	who := open()
	run := machine{s, t, 1}.run(who, dep.ID, "k")
	require.Equal(t, wire.LaunchCD, run.LaunchMode)
	require.NoError(t, s.Finish(s.Ctx, who, run.ID, wire.Finish{Succeeded: true}))
	require.Equal(t, wire.ActionLocal, policy().Action)
	_, err = s.Claim(s.Ctx, who, wire.ClaimRequest{Deployment: dep.ID, Key: "k2", Environment: wire.WinPE})
	require.Equal(t, "MED-25", problem(t, err).Rule, "also when the agent does not ask first")
	s.Clock.Advance(25 * time.Hour)
	require.Equal(t, wire.ActionRun, policy().Action)
	require.NoError(t, s.RevokeMedium(s.Ctx, made.Media.ID))
	_, err = s.OpenSession(s.Ctx, wire.SessionRequest{Protocol: 1, Environment: wire.WinPE, MediaID: made.Media.ID, MediaToken: made.Media.Token, Identity: sitetest.Identity(1)}, "")
	require.Equal(t, 401, problem(t, err).Status)
}

// What was acknowledged is there after a kill: the file is opened again beside
// the first handle, as a new process would.
func TestStateSurvivesAKill(t *testing.T) {
	s := sitetest.New(t)
	d := s.Device("lab-01", 1)
	dep := s.Deploy(wire.DeploymentSpec{TaskSequence: s.Sequence("os", true).ID, Collection: s.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	token := m.token()
	r, err := m.open(token, "10.0.0.9")
	require.NoError(t, err)
	who, err := s.Authenticate(s.Ctx, r.Token)
	require.NoError(t, err)
	run := m.run(who, dep.ID, "k")
	require.NoError(t, s.Checkpoint(s.Ctx, who, run.ID, wire.Checkpoint{Number: 3, Awaits: wire.WinPE, State: []byte("state")}))
	_, err = s.AppendLog(s.Ctx, who, run.ID, wire.LogChunk{Data: []byte("log")})
	require.NoError(t, err)

	s.Open() // no Close before it
	who, err = s.Authenticate(s.Ctx, r.Token)
	require.NoError(t, err)
	got := m.run(who, dep.ID, "k")
	require.Equal(t, run.ID, got.ID)
	require.Equal(t, []byte("state"), got.Checkpoint.State)
	require.Equal(t, int64(3), got.LogSize)
	require.Equal(t, wire.ActionResume, m.firmware().Action)
	_, err = m.open(token, "10.0.0.9")
	require.Error(t, err, "a spent token stays spent")
	next := s.Deploy(wire.DeploymentSpec{TaskSequence: "os", Collection: "lab"})
	require.Equal(t, "BYD20001", next.ID, "ids are never given twice")
}

func TestGivenUpWriteLeavesNothing(t *testing.T) {
	s := sitetest.New(t)
	ctx, cancel := context.WithCancel(s.Ctx)
	cancel()
	_, err := s.ImportDevice(ctx, wire.DeviceImport{Name: "late", MACs: []string{sitetest.MAC(3)}})
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}

// A machine that nobody knows is called by what it was asked for by.
func TestExplainNamesAMachineThatNobodyKnows(t *testing.T) {
	s := sitetest.New(t)
	for _, env := range []wire.Environment{wire.WinPE, wire.FullOS} {
		d, err := s.Explain(s.Ctx, "52-54-00-AA-BB-CC", env, "", time.Time{})
		require.NoError(t, err)
		require.Equal(t, "52:54:00:aa:bb:cc", d.DeviceName)
	}
}

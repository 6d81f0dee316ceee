package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// The whole way of one machine, from import to the local disk, as the network
// sees it.
func TestDeployMachineFromNothingToLocalDisk(t *testing.T) {
	b := newBench(t)
	device := must[wire.Device](t, b, "POST", "/api/v1/devices", wire.DeviceImport{Name: "lab-01", MACs: []string{sitetest.MAC(1)}, UUID: sitetest.UUID(1), Arch: "amd64"})
	pkg := must[wire.Package](t, b, "POST", "/api/v1/packages", map[string]string{"name": "image", "dir": "/srv/image"})
	seq := must[wire.Sequence](t, b, "POST", "/api/v1/sequences", wire.SequenceImport{XML: `<sequence name="Debian" os="true" boot="` + b.Image.ID + `" refs="` + pkg.ID + `"/>`})
	require.True(t, seq.CanDeploy)

	status, data := b.local(t, "POST", "/api/v1/deploy-now", wire.DeployNow{Device: "lab-01", Sequence: "Debian"})
	problem := decode[wire.Problem](t, data)
	require.Equal(t, 409, status)
	require.Equal(t, "HRD-14", problem.Rule)
	require.Equal(t, 1, problem.Confirm.MemberCount)
	require.Empty(t, must[[]wire.Deployment](t, b, "GET", "/api/v1/deployments", nil), "nothing is made before it is confirmed")
	require.Len(t, must[[]wire.Collection](t, b, "GET", "/api/v1/collections", nil), 2, "nor a collection")

	made := must[wire.DeploymentResult](t, b, "POST", "/api/v1/deploy-now", wire.DeployNow{Device: "lab-01", Sequence: "Debian", AcceptHighRisk: true})
	id := made.Deployment.ID
	require.Equal(t, "BYD20000", id)

	a := b.boot(t, 1)
	require.Equal(t, device.ID, a.session.DeviceID)
	policy := a.policy(wire.PolicyRequest{Environment: wire.WinPE})
	require.Equal(t, wire.ActionRun, policy.Action, "%+v", policy.Reasons)
	require.Equal(t, id, policy.Deployment)

	run := a.claim(id, "key")
	require.Equal(t, run.ID, a.claim(id, "key").ID, "a repeated claim is the same run")
	require.Contains(t, run.SequenceXML, "Debian")
	require.Equal(t, int64(1), run.NextEvent)
	status, _ = a.ask("POST", wire.PathRuns, wire.ClaimRequest{Deployment: id, Key: "other", Environment: wire.WinPE})
	require.Equal(t, 409, status, "one active run per machine")

	locations := decode[wire.ContentLocations](t, a.ok("GET", "/api/v1/agent/content/"+pkg.ID, nil))
	require.Equal(t, pkg.ID, locations.Manifest.PackageID)
	status, _ = a.ask("GET", "/api/v1/agent/content/BYD0FFFF", nil)
	require.Equal(t, 404, status)

	events := wire.Events{Events: []wire.Event{
		{Number: 1, Time: b.Clock.Now(), Kind: wire.EventPhase, Phase: wire.PhaseDownload},
		{Number: 2, Time: b.Clock.Now(), Kind: wire.EventContent, Package: pkg.ID, Bytes: 1000, Hashes: 3},
		{Number: 3, Time: b.Clock.Now().Add(8 * time.Second), Kind: wire.EventPhase, Phase: wire.PhaseApply, Step: "Apply", Current: 2, Total: 4},
	}}
	a.ok("POST", runPath(wire.PathEvents, run.ID), events)
	a.ok("POST", runPath(wire.PathEvents, run.ID), events) // the answer got lost
	a.ok("PUT", runPath(wire.PathLog, run.ID), wire.LogChunk{Offset: 0, Data: []byte("hello ")})
	a.ok("PUT", runPath(wire.PathLog, run.ID), wire.LogChunk{Offset: 0, Data: []byte("hello world")})
	status, _ = a.ask("PUT", runPath(wire.PathLog, run.ID), wire.LogChunk{Offset: 100, Data: []byte("gap")})
	require.Equal(t, 409, status)

	a.ok("PUT", runPath(wire.PathCheckpoint, run.ID), wire.Checkpoint{Number: 2, Awaits: wire.FullOS, State: []byte("two")})
	a.ok("PUT", runPath(wire.PathCheckpoint, run.ID), wire.Checkpoint{Number: 1, Awaits: wire.WinPE, State: []byte("one")})
	got := decode[wire.Run](t, a.ok("GET", runPath(wire.PathRun, run.ID), nil))
	require.Equal(t, []byte("two"), got.Checkpoint.State, "TS-117a: a lower number is ignored")
	require.Equal(t, int64(11), got.LogSize)
	require.Equal(t, int64(4), got.NextEvent)

	// PXE-10a: the run awaits the installed OS, the firmware comes back.
	require.Equal(t, wire.ActionLocal, b.firmware(t, 1).Action)

	resume := decode[wire.ResumeToken](t, a.ok("POST", runPath(wire.PathResume, run.ID), nil))
	installed := &agent{bench: b, t: t, n: 1, identity: sitetest.Identity(1)}
	installed.identity.Zone, installed.identity.HostName = "Europe/Amsterdam", "lab-01"
	open := wire.SessionRequest{Protocol: wire.Protocol, Environment: wire.FullOS, LaunchMode: wire.LaunchSMS, ResumeToken: resume.Token, Identity: installed.identity}
	status, data = b.call(t, "", "POST", wire.PathSession, open)
	require.Equal(t, 200, status, "%s", data)
	installed.session = decode[wire.SessionResponse](t, data)
	require.NotEmpty(t, installed.session.ClientToken)
	policy = installed.policy(wire.PolicyRequest{Environment: wire.FullOS})
	require.Equal(t, wire.ActionResume, policy.Action)
	require.Equal(t, run.ID, policy.ActiveRun)
	b.Clock.Advance(20 * time.Second)
	installed.ok("POST", runPath(wire.PathFinish, run.ID), wire.Finish{Succeeded: true})
	installed.ok("POST", runPath(wire.PathFinish, run.ID), wire.Finish{Succeeded: true})

	// PXE-16, PXE-15a: not a second time, and the answer is the local disk.
	decision := b.firmware(t, 1)
	require.Equal(t, wire.ActionLocal, decision.Action)
	require.Equal(t, "PXE-16", decision.Rule)

	info := must[wire.RunInfo](t, b, "GET", "/api/v1/runs/"+run.ID, nil)
	require.Equal(t, wire.RunSucceeded, info.State)
	require.Equal(t, int64(1000), info.Bytes, "events are counted once")
	require.Equal(t, 3, info.Hashes)
	phases := map[wire.Phase]float64{}
	for _, p := range info.Phases {
		phases[p.Phase] = p.Seconds
	}
	require.InDelta(t, 8, phases[wire.PhaseDownload], 0.01, "%v", info.Phases)
	require.InDelta(t, 12, phases[wire.PhaseApply], 0.01, "%v", info.Phases)
	require.InDelta(t, 20, phases[wire.PhaseDone], 0.01, "%v", info.Phases)

	state := must[wire.DeploymentStatus](t, b, "GET", "/api/v1/deployments/"+id+"/status", nil)
	require.Equal(t, 1, state.Success)
	machines := must[[]wire.MachineStatus](t, b, "GET", "/api/v1/status", nil)
	require.Len(t, machines, 1)
	require.Equal(t, wire.RunSucceeded, machines[0].Run.State)

	// The client token opens the next session; the resume token is spent then.
	open.ResumeToken, open.ClientToken = "", installed.session.ClientToken
	status, _ = b.call(t, "", "POST", wire.PathSession, open)
	require.Equal(t, 200, status)
	open.ResumeToken, open.ClientToken = resume.Token, ""
	status, _ = b.call(t, "", "POST", wire.PathSession, open)
	require.Equal(t, 401, status)
}

// firmware is what a PXE ROM would be told.
func (b *bench) firmware(t *testing.T, n int) wire.Decision {
	t.Helper()
	d, err := b.Decide(b.Ctx, site.Asker{Identity: sitetest.Identity(n), Environment: wire.WinPE, Stage: wire.StageDHCP})
	require.NoError(t, err)
	return d
}

// Every operation of the administrators' API is reached with its parameters.
func TestAdministratorsOperations(t *testing.T) {
	b := newBench(t)
	b.Device("lab-01", 1)
	two := b.Device("lab-02", 2)
	b.Sequence("os", true)
	step := func(method, path string, in any, want int) []byte {
		t.Helper()
		status, data := b.local(t, method, "/api/v1"+path, in)
		require.Equal(t, want, status, "%s %s: %s", method, path, data)
		return data
	}
	step("POST", "/collections", wire.CollectionCreate{Name: "lab", Members: []string{"lab-01"}}, 200)
	step("POST", "/collections", wire.CollectionCreate{Name: "lab"}, 409)
	step("PUT", "/collections/lab/members/lab-02", nil, 204)
	require.Len(t, decode[[]wire.Device](t, step("GET", "/collections/lab/members", nil, 200)), 2)
	step("DELETE", "/collections/lab/members/"+two.ID, nil, 204)
	require.Equal(t, 1, decode[wire.Collection](t, step("GET", "/collections/lab", nil, 200)).MemberCount)
	step("PUT", "/collections/SMS00001/members/lab-02", nil, 422)

	spec := wire.DeploymentCreate{DeploymentSpec: wire.DeploymentSpec{TaskSequence: "os", Collection: "lab", MakeAvailableTo: wire.MediaAndPXE}}
	made := decode[wire.DeploymentResult](t, step("POST", "/deployments", spec, 201))
	id := made.Deployment.ID
	step("DELETE", "/collections/lab", nil, 409)
	explained := decode[wire.Decision](t, step("GET", "/explain?device=lab-01&in=winpe", nil, 200))
	require.Equal(t, wire.ActionMenu, explained.Action)
	require.Len(t, explained.Considered, 1)
	explained = decode[wire.Decision](t, step("GET", "/explain?device=lab-01&preferred="+id, nil, 200))
	require.Equal(t, "PXE-24", explained.Rule)
	explained = decode[wire.Decision](t, step("GET", "/explain?device=02:00:00:00:00:99", nil, 200))
	require.Equal(t, "PXE-13", explained.Rule)
	step("GET", "/explain?device=nobody", nil, 404)

	step("POST", "/devices/lab-01/retry", nil, 409)
	step("POST", "/devices/lab-01/retry?deployment="+id, nil, 200)
	step("POST", "/devices/lab-01/clear-pxe", nil, 204)
	step("POST", "/collections/lab/clear-pxe", nil, 204)
	step("PUT", "/devices/lab-01/variables/Site", wire.Variable{Value: "A"}, 204)
	require.Equal(t, []wire.Variable{{Name: "Site", Value: "A"}}, decode[[]wire.Variable](t, step("GET", "/devices/lab-01/variables", nil, 200)))
	step("PUT", "/devices/lab-01/variables/Site", wire.Variable{}, 204)
	require.Empty(t, decode[[]wire.Variable](t, step("GET", "/devices/lab-01/variables", nil, 200)))
	step("PUT", "/devices/lab-01/variables/_Site", wire.Variable{Value: "A"}, 422)

	require.Contains(t, string(step("GET", "/sequences/os/export", nil, 200)), "<sequence")
	step("POST", "/sequences/os/disable", nil, 200)
	step("DELETE", "/sequences/os", nil, 409)
	step("POST", "/sequences", wire.SequenceImport{XML: "nonsense"}, 422)
	pkg := decode[wire.Package](t, step("POST", "/packages", map[string]string{"name": "p", "dir": "/d"}, 200))
	require.Equal(t, 2, decode[wire.Package](t, step("POST", "/packages/"+pkg.ID+"/update", map[string]string{"dir": "/d"}, 200)).Version)
	step("GET", "/packages/"+pkg.ID, nil, 200)
	require.Equal(t, wire.PackageDeleted{ID: pkg.ID, Files: 1, Bytes: 1}, decode[wire.PackageDeleted](t, step("DELETE", "/packages/"+pkg.ID, nil, 200)))
	step("GET", "/boot-images/"+b.Image.ID, nil, 200)
	require.Len(t, decode[wire.WakeResult](t, step("POST", "/wake", map[string][]string{"devices": {"lab-01"}}, 200)).Records, 1)
	step("POST", "/ignored-ids", map[string]string{"kind": "mac", "value": sitetest.MAC(5)}, 204)
	step("DELETE", "/ignored-ids/mac/"+sitetest.MAC(5), nil, 204)
	medium := decode[wire.MediaCreated](t, step("POST", "/media", wire.MediaCreate{Unattended: true}, 201))
	step("DELETE", "/media/"+medium.Record.ID, nil, 204)
	step("DELETE", "/deployments/"+id, nil, 204)
	step("DELETE", "/collections/lab", nil, 204)
	step("POST", "/devices/lab-01/approve", nil, 200)
	step("DELETE", "/devices/lab-01", nil, 204)
	step("GET", "/devices/lab-01", nil, 404)
	step("POST", "/runs/lab-02/cancel", nil, 409)
	for _, p := range []string{"/devices", "/deployments", "/runs", "/boots", "/wake", "/alerts", "/packages"} {
		require.True(t, strings.HasPrefix(string(step("GET", p, nil, 200)), "["), "%s is a list, never null", p)
	}
}

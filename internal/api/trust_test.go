package api_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// Nothing but the opening of a session answers without a token, whatever path
// is guessed.
func TestEverythingNeedsAToken(t *testing.T) {
	b := newBench(t)
	doc := must[map[string]any](t, b, "GET", "/api/v1/openapi.json", nil)
	require.Equal(t, "3.1.0", doc["openapi"])
	tried := 0
	for _, path := range []string{"/api/v1/openapi.json", "/api/v1/agent/openapi.json"} {
		doc := must[map[string]any](t, b, "GET", path, nil)
		for p, item := range doc["paths"].(map[string]any) {
			for method := range item.(map[string]any) {
				if p == wire.PathSession {
					continue
				}
				for _, token := range []string{"", "bya_wrong"} {
					status, data := b.call(t, token, strings.ToUpper(method), p, nil)
					require.Equal(t, 401, status, "%s %s: %s", method, p, data)
					require.NotEmpty(t, decode[wire.Problem](t, data).Title)
				}
				tried++
			}
		}
	}
	require.Greater(t, tried, 50)
	for _, p := range []string{"/api/v1/openapi.json", "/api/v1/stream", "/api/v1/nothing", "/api/v2/x", "/api/v1/agent/nothing"} {
		status, _ := b.call(t, "", "GET", p, nil)
		require.Equal(t, 401, status, p)
	}
	status, _ := b.local(t, "GET", "/api/v1/nothing", nil)
	require.Equal(t, 404, status)
	status, _ = b.call(t, "", "GET", "/elsewhere", nil)
	require.Equal(t, 404, status)
}

func TestScopes(t *testing.T) {
	b := newBench(t)
	read := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "reader"})
	write := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "writer", Scope: wire.ScopeWrite})
	admin := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "admin", Scope: wire.ScopeAdmin})
	device := wire.DeviceImport{Name: "lab-01", MACs: []string{sitetest.MAC(1)}}
	for _, c := range []struct {
		token, method, path string
		in                  any
		want                int
	}{
		{read.Token, "GET", "/api/v1/devices", nil, 200},
		{read.Token, "POST", "/api/v1/devices", device, 403},
		{read.Token, "GET", "/api/v1/sequences/any/export", nil, 403}, // its steps may hold passwords (TS-175)
		{write.Token, "POST", "/api/v1/devices", device, 200},
		{write.Token, "GET", "/api/v1/tokens", nil, 403},
		{write.Token, "PUT", "/api/v1/settings", wire.Settings{}, 403},
		{admin.Token, "GET", "/api/v1/tokens", nil, 200},
		{admin.Token, "POST", "/api/v1/packages", map[string]string{"name": "x", "dir": "/etc"}, 403},
		{read.Token, "POST", wire.PathPolicy, wire.PolicyRequest{}, 401},
	} {
		status, data := b.call(t, c.token, c.method, c.path, c.in)
		require.Equal(t, c.want, status, "%s %s: %s", c.method, c.path, data)
	}
	must[any](t, b, "GET", "/api/v1/tokens", nil)
	status, _ := b.local(t, "DELETE", "/api/v1/tokens/"+read.ID, nil)
	require.Equal(t, 204, status)
	status, _ = b.call(t, read.Token, "GET", "/api/v1/devices", nil)
	require.Equal(t, 401, status)
	b.Clock.Advance(91 * 24 * time.Hour)
	status, _ = b.call(t, write.Token, "GET", "/api/v1/devices", nil)
	require.Equal(t, 401, status)
}

// One machine's token opens nothing of another.
func TestAgentsSeeOnlyTheirOwn(t *testing.T) {
	b := newBench(t)
	one, two := b.Device("lab-01", 1), b.Device("lab-02", 2)
	dep := b.Deploy(wire.DeploymentSpec{TaskSequence: b.Sequence("os", true).ID, Collection: b.Collection("lab", one).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	a, other := b.boot(t, 1), b.boot(t, 2)
	require.Equal(t, two.ID, other.session.DeviceID)
	run := a.claim(dep.ID, "k")
	for _, c := range []struct{ method, path string }{
		{"GET", wire.PathRun}, {"PUT", wire.PathCheckpoint}, {"POST", wire.PathEvents}, {"PUT", wire.PathLog}, {"POST", wire.PathFinish}, {"POST", wire.PathResume},
	} {
		status, data := other.ask(c.method, runPath(c.path, run.ID), map[string]any{"number": 1, "awaits": "winpe", "state": ""})
		require.Equal(t, 404, status, "%s %s: %s", c.method, c.path, data)
	}
	status, data := other.ask("POST", wire.PathRuns, wire.ClaimRequest{Deployment: dep.ID, Key: "k", Environment: wire.WinPE})
	require.Equal(t, 409, status, "%s", data)
	require.Equal(t, wire.ActionNothing, other.policy(wire.PolicyRequest{}).Action)
}

// A hostile agent is refused and harms nothing.
func TestHostileBodies(t *testing.T) {
	b := newBench(t)
	d := b.Device("lab-01", 1)
	dep := b.Deploy(wire.DeploymentSpec{TaskSequence: b.Sequence("os", true).ID, Collection: b.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	a := b.boot(t, 1)
	run := a.claim(dep.ID, "k")
	many := wire.Events{}
	for i := range 501 {
		many.Events = append(many.Events, wire.Event{Number: int64(i + 1)})
	}
	for _, c := range []struct {
		name, method, path string
		in                 any
	}{
		{"no JSON", "POST", wire.PathEvents, "{"},
		{"wrong type", "POST", wire.PathEvents, `{"events": 5}`},
		{"null event", "POST", wire.PathEvents, `{"events": [null]}`},
		{"too many", "POST", wire.PathEvents, many},
		{"negative number", "POST", wire.PathEvents, wire.Events{Events: []wire.Event{{Number: -1}}}},
		{"huge number", "POST", wire.PathEvents, wire.Events{Events: []wire.Event{{Number: 1 << 60}}}},
		{"huge body", "POST", wire.PathEvents, `{"x":"` + strings.Repeat("a", 5<<20) + `"}`},
		{"huge log", "PUT", wire.PathLog, wire.LogChunk{Data: make([]byte, 1<<20+1)}},
		{"negative offset", "PUT", wire.PathLog, wire.LogChunk{Offset: -5, Data: []byte("x")}},
		{"no number", "PUT", wire.PathCheckpoint, wire.Checkpoint{Awaits: wire.WinPE}},
		{"unknown environment", "PUT", wire.PathCheckpoint, wire.Checkpoint{Number: 1, Awaits: "mars"}},
		{"path instead of id", "PUT", "/api/v1/agent/runs/..%2f..%2fetc%2fpasswd/log", wire.LogChunk{Data: []byte("x")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, data := a.ask(c.method, runPath(c.path, run.ID), c.in)
			require.GreaterOrEqual(t, status, 400, "%s", data)
			require.Less(t, status, 500, "%s", data)
		})
	}
	status, _ := b.call(t, "", "POST", wire.PathSession, `{"identity":{"macs":null},"protocol":99}`)
	require.Equal(t, 426, status)
	status, _ = b.call(t, "", "POST", wire.PathSession, `{"protocol":1,"environment":"winpe","bootToken":"x","mediaToken":"y"}`)
	require.Equal(t, 401, status)
	// Control characters do not reach a terminal or the log.
	a.ok("POST", runPath(wire.PathEvents, run.ID), wire.Events{Events: []wire.Event{{Number: 1, Kind: wire.EventMessage, Text: "a\x1b[2Jb\x00"}}})
	info := must[wire.RunInfo](t, b, "GET", "/api/v1/runs/"+run.ID, nil)
	require.Equal(t, "a[2Jb", info.LastMessage)
	require.NotContains(t, b.log.String(), "panic")
}

func TestSessionsAreRateLimited(t *testing.T) {
	b := newBench(t)
	limited := false
	for range 200 {
		status, _ := b.call(t, "", "POST", wire.PathSession, `{"protocol":1,"environment":"winpe","bootToken":"guess"}`)
		require.Contains(t, []int{401, 429}, status)
		limited = limited || status == 429
	}
	require.True(t, limited)
}

// No token is in any log, record or answer but the one that gives it.
func TestSecretsDoNotLeak(t *testing.T) {
	b := newBench(t)
	d := b.Device("lab-01", 1)
	dep := b.Deploy(wire.DeploymentSpec{TaskSequence: b.Sequence("os", true).ID, Collection: b.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	status, _ := b.local(t, "PUT", "/api/v1/devices/lab-01/variables/AdminPassword", wire.Variable{Value: "hunter2-secret", Hidden: true})
	require.Equal(t, 204, status)
	boot := b.bootToken(t, 1)
	a := &agent{bench: b, t: t, n: 1, identity: sitetest.Identity(1)}
	_, data := b.call(t, "", "POST", wire.PathSession, a.bootRequest(boot))
	a.session = decode[wire.SessionResponse](t, data)
	run := a.claim(dep.ID, "k")
	require.Equal(t, "hunter2-secret", run.Variables["AdminPassword"], "an approved device gets it")
	require.Equal(t, []string{"AdminPassword"}, run.Secret)
	resume := decode[wire.ResumeToken](t, a.ok("POST", runPath(wire.PathResume, run.ID), nil))
	admin := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "n", Scope: wire.ScopeAdmin})
	medium := must[wire.MediaCreated](t, b, "POST", "/api/v1/media", wire.MediaCreate{})

	b.seen.b.Reset() // from here on nothing secret may be answered
	b.call(t, "", "POST", wire.PathSession, a.bootRequest(boot))
	b.call(t, "", "POST", wire.PathSession, `{"protocol":1,"environment":"winpe","bootToken":["`+boot+`"]}`)
	b.call(t, admin.Token+"x", "GET", "/api/v1/devices", nil)
	b.local(t, "POST", "/api/v1/tokens", `{"nam":"`+admin.Token+`"}`)
	for _, p := range []string{"/devices", "/devices/lab-01", "/devices/lab-01/variables", "/runs", "/runs/" + run.ID, "/boots", "/tokens", "/media", "/messages", "/alerts", "/status", "/settings", "/wake"} {
		status, _ := b.local(t, "GET", "/api/v1"+p, nil)
		require.Equal(t, 200, status, p)
	}
	for name, secret := range map[string]string{"boot": boot, "session": a.session.Token, "resume": resume.Token, "admin": admin.Token, "media": medium.Media.Token, "variable": "hunter2-secret"} {
		require.NotEmpty(t, secret)
		require.NotContains(t, b.seen.String(), secret, "%s in an answer", name)
		require.NotContains(t, b.log.String(), secret, "%s in the API's log", name)
		require.NotContains(t, b.Log.String(), secret, "%s in the site's log", name)
	}
}

// A machine that nobody approved gets no secret by PXE.
func TestSecretsNeedAnApprovedDevice(t *testing.T) {
	b := newBench(t)
	set := must[wire.Settings](t, b, "GET", "/api/v1/settings", nil)
	set.UnknownComputers = true
	status, _ := b.local(t, "PUT", "/api/v1/settings", set)
	require.Equal(t, 204, status)
	dep := b.Deploy(wire.DeploymentSpec{TaskSequence: b.Sequence("os", true).ID, Collection: wire.AllUnknownComputers, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	for name, v := range map[string]wire.Variable{"Open": {Value: "1"}, "JoinPassword": {Value: "s3", Hidden: true}} {
		status, data := b.local(t, "PUT", "/api/v1/collections/"+wire.AllUnknownComputers+"/variables/"+name, v)
		require.Equal(t, 204, status, "%s", data)
	}
	run := b.boot(t, 9).claim(dep.ID, "k")
	require.Equal(t, map[string]string{"Open": "1"}, run.Variables)
}

func TestStreamTellsChanges(t *testing.T) {
	b := newBench(t)
	token := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "page"})
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.https.URL+"/api/v1/stream", nil)
	require.NoError(t, err)
	req.AddCookie(&http.Cookie{Name: "bootyard_token", Value: token.Token})
	resp, err := b.https.Client().Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	next := func() []wire.MachineStatus {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var list []wire.MachineStatus
				require.NoError(t, json.Unmarshal([]byte(data), &list))
				return list
			}
		}
		require.NoError(t, lines.Err())
		return nil
	}
	require.Empty(t, next())
	b.Device("lab-01", 1)
	require.Equal(t, "lab-01", next()[0].Name)
}

// The cookie reads and never writes: a foreign page can change nothing by it.
func TestCookieIsForReadingOnly(t *testing.T) {
	b := newBench(t)
	token := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "page", Scope: wire.ScopeAdmin})
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.https.URL+"/api/v1/devices", strings.NewReader(`{"name":"x","macs":["52:54:00:00:00:01"]}`))
	require.NoError(t, err)
	req.AddCookie(&http.Cookie{Name: "bootyard_token", Value: token.Token})
	resp, err := b.https.Client().Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, 401, resp.StatusCode)
}

func TestTypingErrorIsRefused(t *testing.T) {
	b := newBench(t)
	status, data := b.local(t, "POST", "/api/v1/deployments", `{"taskSequence":"BYD00001","colection":"x"}`)
	require.Equal(t, 422, status)
	require.Contains(t, string(data), "colection")
}

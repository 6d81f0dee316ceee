package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/api"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// bench is an appliance's API as the network and the socket see it.
type bench struct {
	*sitetest.Site
	https  *httptest.Server
	socket *httptest.Server
	log    *syncBuffer
	seen   *syncBuffer // every answer's body
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newBench(t *testing.T, change ...func(*site.Config)) *bench {
	t.Helper()
	b := &bench{Site: sitetest.New(t, change...), log: &syncBuffer{}, seen: &syncBuffer{}}
	b.serve(t)
	return b
}

func (b *bench) serve(t *testing.T) {
	a := api.New(api.Options{Site: b.Service, Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test", Staging: b.Dir,
		Programs: map[string]string{"windows/amd64": filepath.Join(b.Dir, "agent.exe")}})
	b.https = httptest.NewTLSServer(a.HTTPS())
	t.Cleanup(b.https.Close)
	b.socket = httptest.NewUnstartedServer(a.Socket())
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	_ = b.socket.Listener.Close()
	b.socket.Listener = l
	b.socket.Start()
	t.Cleanup(b.socket.Close)
}

// call sends a request over HTTPS and returns status and body.
func (b *bench) call(t *testing.T, token, method, path string, in any) (int, []byte) {
	t.Helper()
	return b.do(t, b.https.Client(), b.https.URL, token, method, path, in)
}

// local sends a request over the unix socket.
func (b *bench) local(t *testing.T, method, path string, in any) (int, []byte) {
	t.Helper()
	address := b.socket.Listener.Addr().String()
	client := &http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return net.Dial("unix", address) }}}
	t.Cleanup(client.CloseIdleConnections)
	return b.do(t, client, "http://appliance", "", method, path, in)
}

func (b *bench) do(t *testing.T, client *http.Client, base, token, method, path string, in any) (int, []byte) {
	t.Helper()
	var body io.Reader
	switch v := in.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		data, err := json.Marshal(in)
		require.NoError(t, err)
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, body)
	require.NoError(t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	_, _ = b.seen.Write(append(data, '\n'))
	return resp.StatusCode, data
}

// must is a local call whose answer is decoded.
func must[T any](t *testing.T, b *bench, method, path string, in any) T {
	t.Helper()
	status, data := b.local(t, method, path, in)
	require.Less(t, status, 300, "%s %s: %s", method, path, data)
	return decode[T](t, data)
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(data, &v), "%s", data)
	return v
}

// agent is a fake agent on machine n.
type agent struct {
	*bench
	t        *testing.T
	n        int
	identity wire.Identity
	session  wire.SessionResponse
}

// boot goes the firmware's way to a boot token and opens a session by it.
func (b *bench) boot(t *testing.T, n int) *agent {
	t.Helper()
	a := &agent{bench: b, t: t, n: n, identity: sitetest.Identity(n)}
	status, data := b.call(t, "", "POST", wire.PathSession, a.bootRequest(b.bootToken(t, n)))
	require.Equal(t, 200, status, "%s", data)
	a.session = decode[wire.SessionResponse](t, data)
	return a
}

func (b *bench) bootToken(t *testing.T, n int) string {
	t.Helper()
	decision, err := b.Decide(b.Ctx, site.Asker{Identity: sitetest.Identity(n), Environment: wire.WinPE, Stage: wire.StageScript})
	require.NoError(t, err)
	boot, err := b.RecordBoot(b.Ctx, site.BootSign{Identity: sitetest.Identity(n), Address: "127.0.0.1", Decision: decision,
		BootAnswer: wire.BootAnswer{Stage: wire.StageScript, Protocol: "http", Answer: "script"}})
	require.NoError(t, err)
	token, err := b.IssueBootToken(b.Ctx, site.BootBinding{Boot: boot, UUID: sitetest.UUID(n), MAC: sitetest.MAC(n), Address: "127.0.0.1", LaunchMode: wire.LaunchPXE})
	require.NoError(t, err)
	return token
}

func (a *agent) bootRequest(token string) wire.SessionRequest {
	return wire.SessionRequest{Protocol: wire.Protocol, Environment: wire.WinPE, LaunchMode: wire.LaunchPXE, BootToken: token, Identity: a.identity}
}

// ask sends a request with the agent's session token.
func (a *agent) ask(method, path string, in any) (int, []byte) {
	a.t.Helper()
	return a.call(a.t, a.session.Token, method, path, in)
}

func (a *agent) ok(method, path string, in any) []byte {
	a.t.Helper()
	status, data := a.ask(method, path, in)
	require.Less(a.t, status, 300, "%s %s: %s", method, path, data)
	return data
}

func (a *agent) policy(r wire.PolicyRequest) wire.Policy {
	a.t.Helper()
	return decode[wire.Policy](a.t, a.ok("POST", wire.PathPolicy, r))
}

func (a *agent) claim(deployment, key string) wire.Run {
	a.t.Helper()
	return decode[wire.Run](a.t, a.ok("POST", wire.PathRuns, wire.ClaimRequest{Deployment: deployment, Key: key, Environment: wire.WinPE, LaunchMode: wire.LaunchPXE}))
}

func runPath(path, run string) string { return strings.Replace(path, "{run}", run, 1) }

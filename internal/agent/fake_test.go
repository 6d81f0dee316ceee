package agent_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/agenttest"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/pki"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	bootToken    = "boot-token-secret"
	sessionToken = "session-token-secret"
	resumeToken  = "resume-token-secret"
	clientToken  = "client-token-secret"
)

// appliance is the server side of package wire, kept in memory, with the rules that the agent depends on: single-use boot
// tokens, rising numbers, idempotent claims.
type appliance struct {
	t      *testing.T
	server *httptest.Server
	listen func(net.Listener) *httptest.Server
	ca     *pki.Authority
	now    func() time.Time

	mu       sync.Mutex
	bootUsed bool
	sessions []wire.SessionRequest
	policies []wire.PolicyRequest
	policy   func(wire.PolicyRequest) wire.Policy
	run      wire.Run
	claims   map[string]bool
	events   []wire.Event
	log      []byte
	finish   *wire.Finish
	program  []wire.ProgramPiece // of the agent for Windows
	messages []wire.Message
	packages map[string]map[string][]byte // id -> path -> content
	share    *wire.ContentShare           // told with every package
	flip     bool                         // serve one wrong byte
	onBlob   func()                       // before a blob is served
	cut      func()                       // called once, in the middle of a blob, whose answer ends there
	fail     func(r *http.Request) int    // status to answer with instead
	requests []string

	cancelled bool // the run, by a person at the appliance
}

func newAppliance(t *testing.T, now func() time.Time) *appliance {
	t.Helper()
	a := &appliance{t: t, now: now, claims: map[string]bool{}, packages: map[string]map[string][]byte{}}
	a.run = wire.Run{ID: "0192f000-0000-7000-8000-000000000001", Deployment: "BYD20000", SequenceID: "BYD00001", SequenceName: "Test",
		LaunchMode: wire.LaunchPXE, Option: wire.AsNeeded, ComputerName: "pc-1", NextEvent: 1, ShowProgress: true}
	a.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionRun, Deployment: a.run.Deployment}
	}
	var err error
	a.ca, err = pki.Open(t.TempDir())
	require.NoError(t, err)
	cert, err := a.ca.Server(nil, []net.IP{net.IPv4(127, 0, 0, 1)}, now())
	require.NoError(t, err)
	a.listen = func(l net.Listener) *httptest.Server {
		server := httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
		if l != nil {
			_ = server.Listener.Close()
			server.Listener = l
		}
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
		server.StartTLS()
		return server
	}
	a.server = a.listen(nil)
	t.Cleanup(func() { a.server.Close() })
	return a
}

func (a *appliance) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r.Method+" "+r.URL.Path)
	if a.fail != nil {
		if status := a.fail(r); status != 0 {
			answer(w, status, wire.Problem{Title: "made to fail", Status: status})
			return
		}
	}
	if strings.HasPrefix(r.URL.Path, "/blobs/") {
		a.blob(w, r)
		return
	}
	if r.URL.Path == wire.PathSession {
		a.session(w, r)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+sessionToken {
		answer(w, http.StatusUnauthorized, wire.Problem{Title: "no session"})
		return
	}
	run := "/api/v1/agent/runs/" + a.run.ID
	switch r.Method + " " + r.URL.Path {
	case "POST " + wire.PathPolicy:
		request := decode[wire.PolicyRequest](a.t, r)
		a.policies = append(a.policies, request)
		policy := a.policy(request)
		if policy.ActiveRun == "" && len(a.claims) > 0 && a.finish == nil && !a.cancelled {
			policy.ActiveRun = a.run.ID
		}
		answer(w, 200, policy)
	case "POST " + wire.PathRuns:
		a.claims[decode[wire.ClaimRequest](a.t, r).Key] = true
		answer(w, 200, a.run)
	case "GET " + run:
		answer(w, 200, a.run)
	case "PUT " + run + "/checkpoint":
		if c := decode[wire.Checkpoint](a.t, r); a.run.Checkpoint == nil || c.Number > a.run.Checkpoint.Number {
			a.run.Checkpoint, a.run.Awaits = &c, c.Awaits
		}
		answer(w, 204, nil)
	case "POST " + run + "/events":
		for _, e := range decode[wire.Events](a.t, r).Events {
			if e.Number > a.run.NextEvent {
				answer(w, http.StatusConflict, wire.Problem{Title: "gap"})
				return
			}
			if e.Number == a.run.NextEvent {
				a.events = append(a.events, e)
				a.run.NextEvent++
			}
		}
		answer(w, 204, nil)
	case "PUT " + run + "/log":
		chunk := decode[wire.LogChunk](a.t, r)
		if chunk.Offset > int64(len(a.log)) {
			answer(w, http.StatusConflict, wire.Problem{Title: "gap"})
			return
		}
		a.log = append(a.log[:chunk.Offset], chunk.Data...)
		a.run.LogSize = int64(len(a.log))
		answer(w, 204, nil)
	case "POST " + run + "/finish":
		f := decode[wire.Finish](a.t, r)
		a.finish = &f
		answer(w, 204, nil)
	case "POST " + run + "/resume":
		answer(w, 200, wire.ResumeToken{Token: resumeToken, Expires: a.now().Add(time.Hour)})
	case "POST " + wire.PathPreflight:
		a.messages = append(a.messages, decode[wire.Message](a.t, r))
		answer(w, 204, nil)
	default:
		if n, ok := strings.CutPrefix(r.URL.Path, "/api/v1/agent/programs/windows/amd64/"); ok && n < strconv.Itoa(len(a.program)) {
			answer(w, 200, a.program[n[0]-'0'])
			return
		}
		if id, ok := strings.CutPrefix(r.URL.Path, "/api/v1/agent/content/"); ok && a.packages[id] != nil {
			answer(w, 200, a.locations(id))
			return
		}
		answer(w, http.StatusNotFound, wire.Problem{Title: "not found", Remedy: "distribute the package"})
	}
}

func (a *appliance) session(w http.ResponseWriter, r *http.Request) {
	request := decode[wire.SessionRequest](a.t, r)
	response := wire.SessionResponse{DeviceID: "dev-1", DeviceName: "pc-1", SiteCode: "BYD", Token: sessionToken,
		Expires: a.now().Add(time.Hour), Time: a.now(), PollInterval: wire.Duration(time.Hour)}
	switch {
	case request.BootToken == bootToken && !a.bootUsed:
		a.bootUsed = true
	case request.MediaToken == "media-secret" && request.MediaID == "m1", request.ClientToken == clientToken:
	case request.ResumeToken == resumeToken:
		response.ClientToken = clientToken
	default:
		answer(w, http.StatusForbidden, wire.Problem{Title: "credential refused", Remedy: "start the machine again"})
		return
	}
	a.sessions = append(a.sessions, request)
	answer(w, 200, response)
}

// addPackage makes a package of one file.
func (a *appliance) addPackage(id, path, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.packages[id] = map[string][]byte{path: []byte(text)}
}

func (a *appliance) locations(id string) wire.ContentLocations {
	m := wire.Manifest{PackageID: id, Version: 1, Name: "package " + id}
	for path, data := range a.packages[id] {
		sum := sha256.Sum256(data)
		m.Files = append(m.Files, wire.ManifestFile{Path: path, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
		m.TotalSize += int64(len(data))
	}
	return wire.ContentLocations{Manifest: m, Share: a.share, Sources: []wire.ContentSource{{Kind: "current", Name: "self", Base: a.server.URL + "/blobs/", Query: "?sig=secret-signature"}}}
}

func (a *appliance) blob(w http.ResponseWriter, r *http.Request) {
	if a.onBlob != nil {
		a.onBlob()
	}
	for _, files := range a.packages {
		for _, data := range files {
			sum := sha256.Sum256(data)
			if "/blobs/"+hex.EncodeToString(sum[:]) == r.URL.Path {
				data = bytes.Clone(data)
				if a.flip {
					data[0] ^= 1
				}
				if cut := a.cut; cut != nil {
					a.cut = nil
					w.Header().Set("Content-Length", fmt.Sprint(len(data)))
					_, _ = w.Write(data[:len(data)/2])
					_ = http.NewResponseController(w).Flush()
					cut()
					panic(http.ErrAbortHandler)
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
				return
			}
		}
	}
	http.NotFound(w, r)
}

func decode[T any](t *testing.T, r *http.Request) T {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the agent was killed while it sent
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Errorf("%s: %v", r.URL.Path, err)
	}
	return v
}

func answer(w http.ResponseWriter, status int, v any) {
	if _, ok := v.(wire.Problem); ok {
		w.Header().Set("Content-Type", wire.ProblemContentType)
	} else {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	if v != nil {
		_ = json.NewEncoder(w).Encode(v)
	}
}

// bench is a boot environment with everything made up but the agent, the engine and TLS.
type bench struct {
	*appliance
	machine  *agenttest.Machine
	clock    *agenttest.Clock
	screen   *agenttest.Screen
	commands *agenttest.Commands
	config   agent.BootConfig
}

var start = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

func newBench(t *testing.T) *bench {
	t.Helper()
	c := agenttest.NewClock(start)
	b := &bench{appliance: newAppliance(t, func() time.Time { return start }), clock: c, screen: &agenttest.Screen{}, commands: &agenttest.Commands{},
		machine: &agenttest.Machine{Clock: c, Self: wire.Identity{UUID: "4c4c4544-0042-3510-8052-b4c04f4d4e32", MACs: []string{"52:54:00:00:00:01"}, Firmware: wire.UEFI, Arch: "amd64"}}}
	b.config = agent.BootConfig{
		Boot:    agent.Boot{URL: b.server.URL, CASPKI: b.ca.SPKI(), CAPEM: b.ca.PEM(), Token: bootToken, BootID: "b1"},
		Machine: b.machine, Clock: c, Console: agent.NewConsole(b.screen, c.Now), Dir: t.TempDir(), Commands: b.commands,
		Backoff: link.Backoff{First: 5 * time.Millisecond, Max: 20 * time.Millisecond, For: time.Hour},
		Retry:   client.Retry{Count: 1, Delay: time.Millisecond},
	}
	return b
}

func (b *bench) boot(ctx context.Context) error {
	a, err := agent.NewBootAgent(b.config)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func sequenceOf(steps ...string) string {
	return `<sequence version="3.10">` + strings.Join(steps, "") + `</sequence>`
}

func command(name, line string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0 3010"><action>smsswd.exe /run: %s</action><defaultVarList><variable name="CommandLine" property="CommandLine" hidden="true">%s</variable></defaultVarList></step>`, name, line, line)
}

func packageCommand(name, id, line string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0 3010"><action>smsswd.exe /run:%s %s</action><defaultVarList><variable name="CommandLine" property="CommandLine" hidden="true">%s</variable><variable name="PackageID" property="PackageID" hidden="true">%s</variable></defaultVarList></step>`, name, id, line, line, id)
}

// noSecrets fails when a token is in a text or below a folder other than where tokens live.
func noSecrets(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, secret := range []string{bootToken, sessionToken, resumeToken, clientToken, "media-secret", "secret-signature"} {
			require.NotContains(t, text, secret)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(data)
}

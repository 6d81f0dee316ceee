package conformance_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/internal/api"
	"github.com/bootyard/bootyard/internal/conformance"
	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/inspect"
	"github.com/bootyard/bootyard/internal/pki"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// start is a Monday, winter time in Europe (SCH-19).
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// partly says that a test shows a part of its row only.
func partly(t *testing.T, missing string) {
	t.Helper()
	t.Log(conformance.Partly(missing))
}

// bench is an appliance as people and agents reach it, on a clock that a test
// moves: site, database, content library, both listeners of the API.
type bench struct {
	*sitetest.Site
	t       *testing.T
	https   *httptest.Server
	socket  *httptest.Server
	blobs   *httptest.Server
	ca      *pki.Authority
	library string // folder
	files   *files
	share   *share // nil: none
	journal *journal
	enroll  string // sequence that brings agents in
	count   int
}

// journal is what happened, in order: "blob NAME" and "command LINE".
type journal struct {
	mu     sync.Mutex
	lines  []string
	onBlob func(line string) // called while a blob is asked for; set while no agent works
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// since returns the lines from n on, and how many there are now.
func (j *journal) since(n int) ([]string, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines[n:]), len(j.lines)
}

func newBench(t *testing.T, change ...func(*bench, *site.Config)) *bench {
	t.Helper()
	b := &bench{t: t, journal: &journal{}, library: t.TempDir()}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	lib, err := library.Open(b.library, library.Options{Signer: key, Now: func() time.Time { return start }})
	require.NoError(t, err)
	t.Cleanup(func() { _ = lib.Close() })
	files := &files{Library: lib, names: map[string]string{}, journal: b.journal}
	b.blobs = httptest.NewServer(files)
	t.Cleanup(b.blobs.Close)
	files.base = b.blobs.URL + "/"
	b.files = files
	b.Site = sitetest.New(t, func(c *site.Config) {
		c.Inspector, c.Content = inspect.Sequences{}, files
		for _, f := range change {
			f(b, c)
		}
	})
	require.Equal(t, start, b.Clock.Now())
	b.ca, err = pki.Open(t.TempDir())
	require.NoError(t, err)
	cert, err := b.ca.Server(nil, []net.IP{net.IPv4(127, 0, 0, 1)}, start)
	require.NoError(t, err)
	a := api.New(api.Options{Site: b.Service, Staging: t.TempDir()})
	b.https = httptest.NewUnstartedServer(a.HTTPS())
	b.https.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	b.https.StartTLS()
	t.Cleanup(b.https.Close)
	b.https.Client().Transport.(*http.Transport).TLSClientConfig.Time = b.Clock.Now
	b.socket = httptest.NewServer(a.Socket())
	t.Cleanup(b.socket.Close)
	return b
}

// at moves the clock to a time that is not behind.
func (b *bench) at(when time.Time) {
	b.t.Helper()
	require.False(b.t, when.Before(b.Clock.Now()), "the clock goes forward only: %s", when)
	b.Clock.Advance(when.Sub(b.Clock.Now()))
}

// ask sends an administrator's request and returns status and body.
func (b *bench) ask(method, path string, in any) (int, []byte) {
	b.t.Helper()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		require.NoError(b.t, err)
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.socket.URL+"/api/v1"+path, body)
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	require.NoError(b.t, err)
	return answer.StatusCode, data
}

// call is ask for what must succeed.
func call[T any](b *bench, method, path string, in any) T {
	b.t.Helper()
	status, data := b.ask(method, path, in)
	require.Less(b.t, status, 300, "%s %s: %s", method, path, data)
	var v T
	if len(data) > 0 {
		require.NoError(b.t, json.Unmarshal(data, &v), "%s", data)
	}
	return v
}

// refused is ask for what must be refused.
func (b *bench) refused(method, path string, in any) wire.Problem {
	b.t.Helper()
	status, data := b.ask(method, path, in)
	require.GreaterOrEqual(b.t, status, 400, "%s %s: %s", method, path, data)
	require.Less(b.t, status, 500, "%s", data)
	var p wire.Problem
	require.NoError(b.t, json.Unmarshal(data, &p))
	return p
}

// create makes a deployment, high risk accepted.
func (b *bench) create(spec wire.DeploymentSpec) wire.Deployment {
	b.t.Helper()
	return call[wire.DeploymentResult](b, "POST", "/deployments", wire.DeploymentCreate{DeploymentSpec: spec, AcceptHighRisk: true}).Deployment
}

// dry is a dry run of a creation.
func (b *bench) dry(spec wire.DeploymentSpec) wire.DeploymentResult {
	b.t.Helper()
	return call[wire.DeploymentResult](b, "POST", "/deployments", wire.DeploymentCreate{DeploymentSpec: spec, DryRun: true})
}

func (b *bench) bad(spec wire.DeploymentSpec) wire.Problem {
	b.t.Helper()
	return b.refused("POST", "/deployments", wire.DeploymentCreate{DeploymentSpec: spec, AcceptHighRisk: true})
}

func (b *bench) device(name string) wire.Device {
	b.t.Helper()
	b.count++
	return call[wire.Device](b, "POST", "/devices", wire.DeviceImport{Name: name, MACs: []string{sitetest.MAC(b.count)}, UUID: sitetest.UUID(b.count), Arch: "amd64"})
}

func (b *bench) collection(name string, devices ...wire.Device) wire.Collection {
	b.t.Helper()
	return b.windowed(name, nil, devices...)
}

func (b *bench) windowed(name string, windows []wire.Window, devices ...wire.Device) wire.Collection {
	b.t.Helper()
	in := wire.CollectionCreate{Name: name, Windows: windows}
	for _, d := range devices {
		in.Members = append(in.Members, d.ID)
	}
	return call[wire.Collection](b, "POST", "/collections", in)
}

// pkg makes a package of one file.
func (b *bench) pkg(name, text string) wire.Package {
	b.t.Helper()
	return b.pkgAs(map[string]any{"name": name}, text)
}

func (b *bench) pkgAs(in map[string]any, text string) wire.Package {
	b.t.Helper()
	dir := b.t.TempDir()
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "run.sh"), []byte(text), 0o644))
	in["dir"] = dir
	return call[wire.Package](b, "POST", "/packages", in)
}

// tasks imports a sequence that deploys no OS.
func (b *bench) tasks(name string, steps ...string) wire.Sequence {
	b.t.Helper()
	return call[wire.Sequence](b, "POST", "/sequences", wire.SequenceImport{Name: name, XML: xmlOf(steps...)})
}

// wipeAndLoad imports a sequence that installs an OS from a boot image: the
// example of the seed page.
func (b *bench) wipeAndLoad(name string) wire.Sequence {
	b.t.Helper()
	image := b.pkgAs(map[string]any{"name": name + " image", "kind": "osImage"}, "image of "+name)
	return call[wire.Sequence](b, "POST", "/sequences", wire.SequenceImport{Name: name, BootImage: b.Image.ID, XML: xmlOf(partitionStep, applyStep(image.ID), setupStep)})
}

// rules lists the rules of reasons.
func rules(list []wire.Reason) []string {
	out := []string{}
	for _, r := range list {
		out = append(out, r.Rule)
	}
	return out
}

func onceAt(t time.Time) []wire.Assignment {
	return []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: t, UTC: true}}}
}

var asap = []wire.Assignment{{Kind: wire.ASAP}}

func utc(t time.Time) *wire.Moment { return &wire.Moment{At: t, UTC: true} }

func local(t time.Time) *wire.Moment { return &wire.Moment{At: t} }

func query(text string) string { return url.QueryEscape(text) }

// files is the appliance's content library, with a note of every request.
type files struct {
	*library.Library
	base    string
	journal *journal

	mu    sync.Mutex
	names map[string]string // hash -> package
}

func (f *files) Manifest(_ context.Context, id string, version int) (wire.Manifest, error) {
	_, m, err := f.ManifestVersion(id, version)
	if err != nil {
		return wire.Manifest{}, err
	}
	return toWire(m), nil
}

func (f *files) Sources(context.Context, wire.Manifest) ([]wire.ContentSource, error) {
	return []wire.ContentSource{{Kind: "current", Name: "here", Base: f.base}}, nil
}

func (f *files) Import(ctx context.Context, id string, version int, dir string) (wire.Manifest, error) {
	put := f.Add
	if version > 1 {
		put = f.Update
	}
	result, err := put(ctx, id, dir, nil)
	if errors.Is(err, library.ErrExists) { // of a package that was deleted
		result, err = f.Update(ctx, id, dir, nil)
	}
	if err != nil {
		return wire.Manifest{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range result.Manifest.Files {
		f.names[file.SHA256.String()] = id
	}
	return toWire(result.Manifest), nil
}

func (f *files) Remove(_ context.Context, id string, agreed func() error) (wire.PackageDeleted, error) {
	gone, err := f.Library.Remove(id, agreed)
	return wire.PackageDeleted{ID: id, Files: gone.Files, Bytes: gone.Bytes}, err
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	name := f.names[strings.TrimPrefix(r.URL.Path, "/")]
	f.mu.Unlock()
	f.journal.add("blob " + name)
	if f.journal.onBlob != nil {
		f.journal.onBlob(name)
	}
	f.Handler().ServeHTTP(w, r)
}

func toWire(m content.Manifest) wire.Manifest {
	out := wire.Manifest{PackageID: m.PackageID, Version: m.Version, TotalSize: m.TotalSize}
	for _, file := range m.Files {
		w := wire.ManifestFile{Path: file.Path, Size: file.Size, SHA256: file.SHA256.String(), ChunkSize: m.ChunkSize}
		for _, h := range file.Chunks {
			w.Chunks = append(w.Chunks, h.String())
		}
		out.Files = append(out.Files, w)
	}
	return out
}

func rulesTexts(v evaluate.Verdict) []string {
	out := []string{}
	for _, r := range v.Wire() {
		out = append(out, r.Text)
	}
	return out
}

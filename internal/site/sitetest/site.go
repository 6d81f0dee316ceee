package sitetest

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Clock is a clock that a test moves.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// Waker records whom it was asked to wake.
type Waker struct {
	mu    sync.Mutex
	Woken []string
}

// Wake implements site.Waker.
func (w *Waker) Wake(_ context.Context, macs []string, address string, prefix int) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Woken = append(w.Woken, macs...)
	return []string{fmt.Sprintf("%s of %s/%d", macs[0], address, prefix)}, nil
}

// Inspector reads a toy form of sequences: refs="A B", children="D", boot="C", os="true", captures="2".
type Inspector struct{}

var attribute = regexp.MustCompile(`(\w+)="([^"]*)"`)

// Inspect implements site.SequenceInspector.
func (Inspector) Inspect(xml string) (site.SequenceFacts, error) {
	f := site.SequenceFacts{MaxRunMinutes: 120, Steps: 1}
	if !strings.HasPrefix(xml, "<sequence") {
		return f, fmt.Errorf("line 1: not a task sequence")
	}
	for _, m := range attribute.FindAllStringSubmatch(xml, -1) {
		switch m[1] {
		case "name":
			f.Name = m[2]
		case "boot":
			f.BootImage = m[2]
		case "captures":
			f.Captures, _ = strconv.Atoi(m[2])
		case "os":
			f.DeploysOS = m[2] == "true"
		case "refs":
			for _, id := range strings.Fields(m[2]) {
				f.References = append(f.References, wire.Reference{ID: id, Kind: "package", Step: "Step"})
			}
		case "children":
			for _, id := range strings.Fields(m[2]) {
				f.References = append(f.References, wire.Reference{ID: id, Kind: "sequence", Step: "Run " + id})
			}
		}
	}
	return f, nil
}

// Content is a library that knows names and no bytes.
type Content struct{}

// Manifest implements site.ContentLibrary.
func (Content) Manifest(_ context.Context, id string, version int) (wire.Manifest, error) {
	return wire.Manifest{PackageID: id, Version: version, Files: []wire.ManifestFile{{Path: "f", Size: 1, SHA256: strings.Repeat("ab", 32)}}, TotalSize: 1}, nil
}

// Sources implements site.ContentLibrary.
func (Content) Sources(context.Context, wire.Manifest) ([]wire.ContentSource, error) {
	return []wire.ContentSource{{Kind: "current", Name: "here", Base: "http://here/c/"}}, nil
}

// Import implements site.ContentLibrary.
func (c Content) Import(ctx context.Context, id string, version int, _ string) (wire.Manifest, error) {
	return c.Manifest(ctx, id, version)
}

// Remove implements site.ContentLibrary.
func (Content) Remove(_ context.Context, id string, agreed func() error) (wire.PackageDeleted, error) {
	return wire.PackageDeleted{ID: id, Files: 1, Bytes: 1}, agreed()
}

// Site is a site with what most tests need.
type Site struct {
	*site.Service
	T     testing.TB
	Ctx   context.Context
	Clock *Clock
	Waker *Waker
	Dir   string
	Log   *strings.Builder
	Image wire.BootImage
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *strings.Builder
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// New builds a site; change may set more of its configuration.
func New(t testing.TB, change ...func(*site.Config)) *Site {
	t.Helper()
	s := &Site{T: t, Ctx: t.Context(), Clock: &Clock{t: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, Waker: &Waker{}, Dir: t.TempDir(), Log: &strings.Builder{}}
	s.Open(change...)
	var err error
	s.Image, err = s.PutBootImage(s.Ctx, wire.BootImage{Name: "boot", Arch: "amd64", Dir: "/nowhere", Kernel: "vmlinuz", Initrd: "initrd", Ready: true})
	require.NoError(t, err)
	return s
}

// Open opens the database of the site's folder, again if it was open: what a
// started appliance does after a kill.
func (s *Site) Open(change ...func(*site.Config)) {
	s.T.Helper()
	db, err := store.Open(s.Ctx, filepath.Join(s.Dir, "site.db"))
	require.NoError(s.T, err)
	s.T.Cleanup(func() { _ = db.Close() })
	c := site.Config{Store: db, SiteCode: "BYD", LogDir: filepath.Join(s.Dir, "logs"), Now: s.Clock.Now, Inspector: Inspector{}, Content: Content{},
		Waker: s.Waker, URL: "https://appliance", CASPKI: "spki",
		Log: slog.New(slog.NewTextHandler(lockedWriter{&sync.Mutex{}, s.Log}, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&c)
	}
	s.Service, err = site.New(s.Ctx, c)
	require.NoError(s.T, err)
}

// Device imports a device whose MAC and UUID end in n.
func (s *Site) Device(name string, n int) wire.Device {
	s.T.Helper()
	d, err := s.ImportDevice(s.Ctx, wire.DeviceImport{Name: name, MACs: []string{MAC(n)}, UUID: UUID(n), Arch: "amd64", Address: "127.0.0.1", Prefix: 8})
	require.NoError(s.T, err)
	return d
}

// MAC is the MAC address of machine n.
func MAC(n int) string { return fmt.Sprintf("52:54:00:00:%02x:%02x", n>>8, n&0xff) }

// UUID is the SMBIOS UUID of machine n.
func UUID(n int) string { return fmt.Sprintf("8a8a8a8a-0000-4000-8000-%012x", n) }

// Identity is what machine n says of itself.
func Identity(n int) wire.Identity {
	return wire.Identity{UUID: UUID(n), MACs: []string{MAC(n)}, Firmware: wire.UEFI, Arch: "amd64", Addresses: []string{"127.0.0.1/8"}}
}

// Sequence imports a sequence; os says whether it deploys one.
func (s *Site) Sequence(name string, os bool) wire.Sequence {
	s.T.Helper()
	xml := fmt.Sprintf(`<sequence name="%s" os="%t"/>`, name, os)
	if os {
		xml = fmt.Sprintf(`<sequence name="%s" os="true" boot="%s"/>`, name, s.Image.ID)
	}
	q, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: xml})
	require.NoError(s.T, err)
	return q
}

// Collection makes a collection of devices.
func (s *Site) Collection(name string, devices ...wire.Device) wire.Collection {
	s.T.Helper()
	in := wire.CollectionCreate{Name: name}
	for _, d := range devices {
		in.Members = append(in.Members, d.ID)
	}
	c, err := s.CreateCollection(s.Ctx, in)
	require.NoError(s.T, err)
	return c
}

// Deploy makes a deployment, high risk accepted.
func (s *Site) Deploy(spec wire.DeploymentSpec) wire.Deployment {
	s.T.Helper()
	if spec.Purpose == wire.Required && len(spec.Assignments) == 0 {
		spec.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	}
	r, err := s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: spec, AcceptHighRisk: true})
	require.NoError(s.T, err)
	require.NotEmpty(s.T, r.Deployment.ID)
	return r.Deployment
}

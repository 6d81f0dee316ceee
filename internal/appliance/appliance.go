package appliance

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/images/bootimage"
	"github.com/bootyard/bootyard/internal/api"
	"github.com/bootyard/bootyard/internal/config"
	"github.com/bootyard/bootyard/internal/console"
	"github.com/bootyard/bootyard/internal/inspect"
	"github.com/bootyard/bootyard/internal/pki"
	"github.com/bootyard/bootyard/internal/quiet"
	"github.com/bootyard/bootyard/internal/signedurl"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe"
	"github.com/bootyard/bootyard/pxe/lease"
	"github.com/bootyard/bootyard/pxe/loader"
)

// Run is 'bootyard serve': it returns when ctx ends, or at once with what has
// to be mended when something cannot start. changed, which may be nil, brings
// the configuration when it was read again: pxe.exclude, pxe.networks,
// pxe.menu_timeout and pxe.kernel_args are taken up, what else differs is named
// in the log.
func Run(ctx context.Context, cfg *config.Config, log *slog.Logger, changed <-chan *config.Config) error {
	calm := quiet.NewHandler(log.Handler(), nil, repeated...)
	a, err := open(ctx, cfg, slog.New(calm))
	if err != nil {
		return err
	}
	a.calm = calm
	defer a.close()
	return a.run(ctx, changed)
}

// repeated are the lines of the log that strangers can cause as often as they
// like.
var repeated = []quiet.Rule{
	{Message: "not answered", Same: []string{"protocol", "message", "mac", "addr", "reason"}},
	{Message: "answered", Most: 3000}, // a lab of a thousand machines that start together
	{Message: "boot script withheld", Same: []string{"addr", "reason"}},
	{Message: "boot file withheld", Same: []string{"addr", "reason"}},
	{Message: "content withheld", Same: []string{"addr", "reason"}},
	{Message: "content not served", Same: []string{"addr", "package", "reason", "err"}},
	{Message: "session refused", Same: []string{"remote", "reason"}},
	{Message: "wrong PXE password", Same: []string{"remote", "device"}},
	{Message: "no address to offer", Same: []string{"iface", "err"}},
	{Message: "lease not saved, so not given: free space for the lease file", Same: []string{"err"}},
	{Message: "address is used by somebody else: the client declined it", Same: []string{"iface", "mac"}},
	{Message: "address is used by somebody else: it answered ARP", Same: []string{"iface", "addr"}},
	{Message: "boot records dropped: more came in than could be written", Same: []string{"err"}},
	{Message: "boot record not written", Same: []string{"err"}},
}

type appliance struct {
	cfg     *config.Config
	log     *slog.Logger
	calm    *quiet.Handler
	live    *live
	store   *store.Store
	library *library.Library
	site    *site.Service
	ca      *pki.Authority
	reach   *reach
	waker   *waker
	journal *journal
	files   *bootFiles
	content *contents
	shared  *shared // nil without share.enabled
	leases  *lease.Table
	pxe     *pxe.Server // nil when dhcp.mode is off
	lock    *os.File
}

func open(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *appliance, err error) {
	a := &appliance{cfg: cfg, log: log, live: newLive(cfg), waker: newWaker(cfg, log)}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w; run as root, or set data_dir to a folder of this user", err)
	}
	if a.lock, err = lockFolder(cfg.DataDir); err != nil {
		return nil, err
	}
	if a.reach, err = newReach(cfg); err != nil {
		return nil, err
	}
	if a.ca, err = pki.Open(a.dir("pki")); err != nil {
		return nil, err
	}
	file, ok := strings.CutPrefix(cfg.Database.URL, "sqlite:")
	if !ok {
		return nil, fmt.Errorf("database.url %q: only sqlite:FILE is supported so far", cfg.Database.URL)
	}
	if a.store, err = store.Open(ctx, file); err != nil {
		return nil, err
	}
	if err := a.openSite(ctx); err != nil {
		return nil, err
	}
	return a, a.openPXE(ctx)
}

// openSite makes the site and what hangs on its keys.
func (a *appliance) openSite(ctx context.Context) (err error) {
	a.content = &contents{reach: a.reach, log: a.log}
	if a.shared, err = newShared(a.cfg.Share.Enabled, a.cfg.Share.Listen, a.reach); err != nil {
		return err
	}
	c := site.Config{
		Store: a.store, SiteCode: a.cfg.Site.Code, LogDir: a.dir("runlogs"), StateDir: a.dir("states"), CaptureDir: a.dir("captures"), FreeSpace: freeSpace, Log: a.log,
		Inspector: inspect.Sequences{}, CheckCondition: inspect.Condition, Content: a.content, Waker: a.waker,
		URL: a.reach.https(noMachine), CASPKI: a.ca.SPKI(),
	}
	if a.shared != nil {
		c.Share = a.shared
	}
	if a.site, err = site.New(ctx, c); err != nil {
		return err
	}
	signer, err := a.signer(ctx)
	if err != nil {
		return err
	}
	seed, err := a.secret(ctx, "content-signing", ed25519.SeedSize)
	if err != nil {
		return err
	}
	a.library, err = library.Open(a.dir("content"), library.Options{Signer: ed25519.NewKeyFromSeed(seed), Logger: a.log})
	if err != nil {
		return fmt.Errorf("open content library: %w", err)
	}
	a.content.library, a.content.signer = a.library, signer
	if err := a.openShare(ctx); err != nil {
		return err
	}

	recent := newRecent()
	a.journal = newJournal(a.site, recent, a.log)
	var archive strings.Builder
	if err := bootimage.SiteArchive(&archive, map[string][]byte{strings.TrimPrefix(wire.SiteCAFile, "/"): a.ca.PEM()}); err != nil {
		return fmt.Errorf("make site archive: %w", err)
	}
	a.files = &bootFiles{site: a.site, signer: signer, archive: archive.String(), journal: a.journal, recent: recent, log: a.log, started: time.Now()}
	return a.applySettings(ctx)
}

func (a *appliance) signer(ctx context.Context) (*signedurl.Signer, error) {
	key, err := a.secret(ctx, "url-signing", 32)
	if err != nil {
		return nil, err
	}
	return signedurl.New(key, time.Now)
}

func (a *appliance) secret(ctx context.Context, name string, size int) ([]byte, error) {
	fresh := make([]byte, size)
	if _, err := rand.Read(fresh); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return a.site.EnsureSecret(ctx, name, fresh)
}

// applySettings writes those settings into the site that the file gives.
func (a *appliance) applySettings(ctx context.Context) error {
	s, err := a.site.Settings(ctx)
	if err != nil {
		return err
	}
	was := s
	if u := a.cfg.PXE.UnknownComputers; u != nil {
		s.UnknownComputers = *u
	}
	if f := a.cfg.PXE.FinalBoot; f != "" {
		s.NetworkFirst = f == "network"
	}
	if o := a.cfg.Wake.Offset; o != nil {
		s.WakeOffset = wire.Duration(*o)
	}
	if s == was {
		return nil
	}
	return a.site.SetSettings(ctx, s)
}

func (a *appliance) openPXE(ctx context.Context) (err error) {
	if a.cfg.DHCP.Mode == config.DHCPOff {
		return nil
	}
	catalog, err := loader.Build(ctx, loader.Config{Cache: a.dir("loaders"), Servers: a.reach.servers(), Log: a.log})
	if err != nil {
		return fmt.Errorf("collect loaders: %w", err)
	}
	for _, missing := range catalog.Missing() {
		a.log.Warn("loader is missing", "err", missing)
	}
	served := newGate(slices.Clone(a.reach.networks), a.live)
	c := pxe.Config{
		Mode: pxe.Mode(a.cfg.DHCP.Mode), Interfaces: a.cfg.DHCP.Interfaces, HTTPPort: a.reach.httpPort,
		Force: a.cfg.DHCP.Force, RouterAdv: true, Delay: a.cfg.PXE.ResponseDelay,
		Policy: &policy{
			site: a.site, files: a.files, reach: a.reach, spki: a.ca.SPKI(), live: a.live, recent: a.files.recent,
		},
		Gate: served, Journal: a.journal, Loaders: catalog, Log: a.log, Now: time.Now,
	}
	if a.cfg.DHCP.Mode == config.DHCPServer {
		if c.Pools, err = a.reach.pools(a.cfg.DHCP); err != nil {
			return err
		}
		for _, p := range c.Pools { // also those behind relays
			served.own = append(served.own, p.Prefix)
		}
		if a.leases, err = lease.Open(a.dir("leases"), time.Now); err != nil {
			return fmt.Errorf("open leases: %w", err)
		}
		c.Leases = a.leases
	}
	a.pxe, err = pxe.NewServer(c)
	return err
}

func (a *appliance) dir(name string) string { return filepath.Join(a.cfg.DataDir, name) }

func (a *appliance) close() {
	var errs []error
	if a.leases != nil {
		errs = append(errs, a.leases.Close())
	}
	if a.library != nil {
		errs = append(errs, a.library.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		a.log.Error("close", "err", err)
	}
}

func (a *appliance) run(ctx context.Context, changed <-chan *config.Config) error {
	metrics, err := a.metrics()
	if err != nil {
		return err
	}
	management := api.New(api.Options{Site: a.site, Log: a.log, Verify: a.verify, OpenBlob: a.openBlob, Staging: a.dir("uploads"), Metrics: metrics,
		Programs: map[string]string{"windows/amd64": windowsAgent()}})
	page, err := console.New(viewer{a.site}, a.log, time.Now)
	if err != nil {
		return err
	}
	l, err := a.listen()
	if err != nil {
		return err
	}
	defer l.close()
	secure, err := a.withTLS(l.https)
	if err != nil {
		return err
	}
	// Boot records are written until the last who makes one has stopped.
	recorded := a.journal.start(ctx)
	defer recorded()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.serve(ctx, l.http, a.bootHandler()) })
	g.Go(func() error { return a.serve(ctx, secure, ending(ctx, a.mount(management.HTTPS(), page))) })
	g.Go(func() error {
		return a.serve(ctx, l.socket, ending(ctx, a.mount(management.Socket(), http.NotFoundHandler())))
	})
	g.Go(func() error { return a.reload(ctx, changed) })
	g.Go(func() error { return a.calm.Run(ctx) })
	g.Go(func() error { return a.waker.queue.Run(ctx) })
	g.Go(func() error { return a.wakeLoop(ctx) })
	g.Go(func() error { return a.collector().run(ctx) })
	g.Go(func() error { return a.site.StoreCaptures(ctx) })
	if a.pxe != nil {
		g.Go(func() error { return a.pxe.Run(ctx) })
	}
	if a.shared != nil {
		g.Go(func() error { return a.shared.Run(ctx) })
	}
	a.log.Info("appliance is up", "site", a.cfg.Site.Code, "dhcp", a.cfg.DHCP.Mode,
		"http", a.reach.http(noMachine), "https", a.reach.https(noMachine), "ca_spki", a.ca.SPKI())
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	a.log.Info("appliance stopped")
	return nil
}

// windowsAgent is the agent's program for Windows: beside this one, or where packages put it.
func windowsAgent() string {
	const name = "bootyard-agent.exe"
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	return "/usr/lib/bootyard/" + name
}

// mount puts the page and the CA's certificate, which is public, beside the API.
func (a *appliance) mount(management, page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", management)
	mux.Handle("/metrics", management)
	mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		w.Write(a.ca.PEM())
	})
	mux.Handle("/", page)
	return mux
}

// viewer is the site as the page sees it.
type viewer struct{ *site.Service }

// MayRead implements console.Site: every scope includes reading.
func (v viewer) MayRead(ctx context.Context, token string) bool {
	_, err := v.AuthenticateAdmin(ctx, token)
	return err == nil
}

// openBlob opens a file of the library for an export.
func (a *appliance) openBlob(sha256 string) (io.ReadCloser, error) {
	hash, err := content.ParseHash(sha256)
	if err != nil {
		return nil, err
	}
	return a.library.OpenBlob(hash)
}

// verify hashes a package's files again; what differs is an error that names it.
func (a *appliance) verify(ctx context.Context, id string) (any, error) {
	return a.library.Verify(ctx, id)
}

const wakeEvery = 5 * time.Second

// wakeLoop plans and sends wake-ups. A failure is logged and tried again: the
// work is in the database.
func (a *appliance) wakeLoop(ctx context.Context) error {
	tick := time.NewTicker(wakeEvery)
	defer tick.Stop()
	for {
		if err := a.site.PlanWakes(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("plan wake-ups", "err", err)
		}
		if n, err := a.site.SendWakes(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("send wake-ups", "err", err)
		} else if n > 0 {
			a.log.Info("wake-up packets sent", "count", n)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

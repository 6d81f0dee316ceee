package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/agent/outbox"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// contentRounds is how often locations are asked for again after all of them failed although the appliance answered.
const contentRounds = 3

// fetched is told about each package that arrived.
type fetched func(packageID string, stats client.Stats)

// contentStore is the engine's machine.Content: it asks the appliance where a package is, and package client brings it.
type contentStore struct {
	line  outbox.Line
	http  *http.Client
	base  string        // of the appliance, which gets our token
	token func() string // bearer token for the appliance's own https content
	dir   func() string // cache folder as of now
	cache string        // of the installed system, for all runs; empty: none
	// cacheLimit is its bound in bytes. Packages that are there together with others of one deployment do not push each other
	// out; ahead is true where that is what they are fetched for.
	cacheLimit int64
	together   []string
	ahead      bool
	place      *inPlace // nil: content is downloaded
	clock      link.Clock
	wait       link.Backoff // for an appliance that is away
	retry      client.Retry
	say        func(format string, args ...any)
	done       fetched
	began      func(packageID string) (ended func())
	logger     *slog.Logger

	mu sync.Mutex // guards what follows
	holding
}

// Fetch implements machine.Content. An appliance that is away, restarted in the middle for example, is waited for; what
// was downloaded is kept and only the rest asked for. A wrong hash ends it at once (DOP-17 was done by then).
func (s *contentStore) Fetch(ctx context.Context, r machine.ContentRequest, progress machine.Progress) (got machine.Fetched, err error) {
	if s.place != nil {
		return s.direct(ctx, r)
	}
	defer s.began(r.PackageID)()
	s.mu.Lock()
	s.asked(r)
	s.mu.Unlock()
	rounds := contentRounds
	if r.Retries != nil {
		rounds = 1 // the sequence says how often (TS-133)
	}
	for round := 1; ; round++ {
		locations, err := s.locate(ctx, r.PackageID)
		if err != nil {
			return got, err
		}
		request, err := s.request(locations, r, progress)
		if err != nil {
			return got, err
		}
		if request.Manifest.PackageID != r.PackageID {
			return got, fmt.Errorf("the appliance answered with package %q instead of %s", request.Manifest.PackageID, r.PackageID)
		}
		dir, stats, removed, err := s.bring(ctx, r, request)
		got.Removed = append(got.Removed, removed...)
		if stats.LastSource != "" {
			got.Location = stats.LastSource
		}
		if err == nil {
			s.done(r.PackageID, stats)
			got.Dir = dir
			return got, nil
		}
		if !errors.Is(err, client.ErrUnavailable) || ctx.Err() != nil || round == rounds {
			return got, err
		}
		s.say("package %s: %v", r.PackageID, err)
	}
}

func (s *contentStore) locate(ctx context.Context, packageID string) (wire.ContentLocations, error) {
	var locations wire.ContentLocations
	err := link.Retry(ctx, s.clock, s.wait, func(err error, wait time.Duration) {
		s.say("package %s: the appliance does not answer (%v), next try in %s", packageID, err, wait.Round(time.Second))
	}, func(ctx context.Context) error {
		return s.line.Do(ctx, http.MethodGet, link.Path(wire.PathContent, "package", packageID), nil, &locations)
	})
	if err != nil {
		return locations, fmt.Errorf("locate package %s: %w", packageID, err)
	}
	return locations, nil
}

func (s *contentStore) request(l wire.ContentLocations, wanted machine.ContentRequest, progress machine.Progress) (client.Request, error) {
	manifest, err := contentManifest(l.Manifest)
	if err != nil {
		return client.Request{}, err
	}
	name := l.Manifest.Name
	if name == "" {
		name = manifest.PackageID
	}
	r := client.Request{Manifest: manifest, Dir: s.dir(), HTTPClient: s.http, Retry: s.retrying(wanted), Logger: s.logger,
		Progress: func(p client.Progress) { progress(p.Bytes, p.TotalBytes, "downloading "+name) },
		Sleep:    s.clock.Sleep}
	for _, source := range l.Sources {
		item := client.Source{BaseURL: source.Base + source.Query, Name: source.Name, Kind: client.Kind(source.Kind)}
		if s.own(source.Base) && s.token() != "" {
			item.Header = http.Header{"Authorization": {"Bearer " + s.token()}}
		}
		r.Sources = append(r.Sources, item)
	}
	if wanted.Provider != nil {
		r.Provider = func(ctx context.Context, dir string) error {
			return wanted.Provider(ctx, dir, openLocations(r.Sources))
		}
	}
	return r, nil
}

// openLocations are the sources that need no token of ours, which is not handed to other programs.
func openLocations(sources []client.Source) []string {
	var out []string
	for _, s := range sources {
		if len(s.Header) == 0 {
			out = append(out, s.BaseURL)
		}
	}
	return out
}

// retrying is how often and how soon sources are asked again: as the sequence says, else as configured (DOP-19).
func (s *contentStore) retrying(wanted machine.ContentRequest) client.Retry {
	r := s.retry
	if n := wanted.Retries; n != nil {
		if r.Count = *n; *n == 0 {
			r.Count = -1
		}
	}
	if d := wanted.Delay; d != nil {
		r.Delay = max(*d, time.Millisecond) // zero is the default there
	}
	return r
}

// own reports whether a source is the appliance's https address, the only place that may see our token.
func (s *contentStore) own(base string) bool {
	a, err1 := url.Parse(s.base)
	b, err2 := url.Parse(base)
	return err1 == nil && err2 == nil && a.Scheme == "https" && b.Scheme == "https" && strings.EqualFold(a.Host, b.Host)
}

// contentManifest turns the manifest of the API, which came over pinned TLS, into that of package content, and checks it.
func contentManifest(w wire.Manifest) (content.Manifest, error) {
	m := content.Manifest{Format: content.ManifestFormat, PackageID: w.PackageID, Version: w.Version, TotalSize: w.TotalSize}
	for _, f := range w.Files {
		if f.ChunkSize > 0 {
			m.ChunkSize = max(m.ChunkSize, f.ChunkSize)
		}
	}
	if m.ChunkSize == 0 {
		m.ChunkSize = content.DefaultChunkSize
	}
	for _, f := range w.Files {
		sum, err := content.ParseHash(f.SHA256)
		if err != nil {
			return m, fmt.Errorf("package %s, file %.200q: %w", w.PackageID, f.Path, err)
		}
		file := content.File{Path: f.Path, Size: f.Size, SHA256: sum}
		for _, text := range f.Chunks {
			chunk, err := content.ParseHash(text)
			if err != nil {
				return m, fmt.Errorf("package %s, file %.200q: %w", w.PackageID, f.Path, err)
			}
			file.Chunks = append(file.Chunks, chunk)
		}
		if len(file.Chunks) == 0 && f.Size > 0 && f.Size <= m.ChunkSize {
			file.Chunks = []content.Hash{sum} // one chunk is the file itself
		}
		m.Files = append(m.Files, file)
	}
	if err := m.Validate(); err != nil {
		return m, fmt.Errorf("the appliance's list of files: %w", err)
	}
	return m, nil
}

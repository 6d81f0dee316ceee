package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/bootyard/bootyard/content"
)

const (
	// DefaultRetryCount and DefaultRetryDelay are those of SMSTSDownloadRetryCount and SMSTSDownloadRetryDelay (DOP-19).
	DefaultRetryCount = 2
	DefaultRetryDelay = 15 * time.Second
	// DefaultStallTimeout ends a transfer in which nothing, or next to nothing, arrived for so long.
	DefaultStallTimeout = 30 * time.Second

	// maxRetryDelay caps the growing pause between rounds.
	maxRetryDelay = 5 * time.Minute
	// freeMargin in bytes stays free on the target for logs and state.
	freeMargin = 16 << 20
)

// Kind says what sort of place a source is, in the order in which a task sequence asks them (BGR-9).
type Kind string

// The kinds of BGR-9, and media for content on a boot medium.
const (
	KindMedia    Kind = "media"
	KindPeer     Kind = "peer"
	KindCurrent  Kind = "current"
	KindNeighbor Kind = "neighbor"
	KindDefault  Kind = "default"
)

// Source is a place that serves files as <BaseURL>/<sha-256>.
type Source struct {
	// BaseURL is an http or https URL. Its query is kept on every request. Path and query may hold a signature, so only scheme
	// and host are ever shown or logged.
	BaseURL string
	// Name is what logs, errors and Stats call the source; empty means scheme and host of BaseURL.
	Name string
	Kind Kind
	// Header is sent with every request to this source, e.g. a token; never logged.
	Header http.Header
}

// Recheck says how a package that is already in the cache is checked before it is used again.
type Recheck int

const (
	// RecheckStamp compares length and modification time of every file with those noted when it was hashed.
	RecheckStamp Recheck = iota
	// RecheckHash reads and hashes every file again.
	RecheckHash
)

// Retry is how often the list of sources is gone through again after all failed.
type Retry struct {
	// Count is the number of further rounds; negative means none, 0 means DefaultRetryCount.
	Count int
	// Delay is the pause before the first further round; it doubles each time up to five minutes, and up to a fifth is
	// added at random so that a hundred machines do not come back at once. 0 means DefaultRetryDelay.
	Delay time.Duration
}

// Progress is the state of a Fetch.
type Progress struct {
	// File is the path being worked on, Source the name of where it comes from.
	File, Source string
	// Files and TotalFiles count files in place and all files.
	Files, TotalFiles int
	// Bytes and TotalBytes count bytes here (found or downloaded) and bytes of the package.
	Bytes, TotalBytes int64
}

// Request says what to fetch. Manifest, Sources and Dir are required.
type Request struct {
	// Manifest must come from content.Verify.
	Manifest content.Manifest
	// Sources are tried in this order.
	Sources []Source
	// Dir is the cache folder; it is created if needed.
	Dir string
	// HTTPClient makes the requests; nil means http.DefaultClient. It needs no overall timeout.
	HTTPClient *http.Client
	Retry      Retry
	// Provider, if not nil, is called once when files are missing, before any source is asked (TS-134). It puts files of the
	// package below dir, under their names in the manifest; dir exists and holds those that are here already. What it left is
	// hashed like everything else, and the sources are asked for the rest. Its error ends the Fetch and is returned as is.
	Provider func(ctx context.Context, dir string) error
	// StallTimeout: 0 means DefaultStallTimeout.
	StallTimeout time.Duration
	Recheck      Recheck
	// Progress may be nil. It is called from one goroutine at a time, at most five times a second and at the end of a file.
	Progress func(Progress)
	// Logger may be nil.
	Logger *slog.Logger
	// Sleep waits or returns the context's error; nil means the real clock. Tests replace it.
	Sleep func(context.Context, time.Duration) error
	// Jitter returns a number in [0,1); nil means a random one.
	Jitter func() float64
}

// ProviderName is what Stats calls a Provider.
const ProviderName = "alternate content provider"

// Stats says what a Fetch did.
type Stats struct {
	// Bytes were received over the network, thrown away ones included.
	Bytes int64
	// Files were downloaded; Reused ones were here already.
	Files, Reused int
	// HashesChecked counts whole files whose SHA-256 was compared with the manifest.
	HashesChecked int
	// Sources tells for each downloaded file the name of the source it came from.
	Sources map[string]string
	// LastSource is the name of the last place tried (_SMSTSLastContentDownloadLocation, TS-133); empty when none was needed,
	// ProviderName when the provider brought everything.
	LastSource string
}

func (r Request) withDefaults() (Request, error) {
	if err := r.Manifest.Validate(); err != nil {
		return r, err
	}
	if r.Dir == "" {
		return r, errors.New("no cache folder given")
	}
	for _, source := range r.Sources {
		u, err := url.Parse(source.BaseURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return r, fmt.Errorf("content source %q is not an http or https URL", source.shown())
		}
	}
	if r.HTTPClient == nil {
		r.HTTPClient = http.DefaultClient
	}
	if r.Retry.Count == 0 {
		r.Retry.Count = DefaultRetryCount
	}
	if r.Retry.Delay <= 0 {
		r.Retry.Delay = DefaultRetryDelay
	}
	if r.StallTimeout <= 0 {
		r.StallTimeout = DefaultStallTimeout
	}
	if r.Progress == nil {
		r.Progress = func(Progress) {}
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	if r.Sleep == nil {
		r.Sleep = sleep
	}
	if r.Jitter == nil {
		r.Jitter = rand.Float64
	}
	return r, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// shown is the source's name for people: never the path or the query of its URL, which may be what lets one in.
func (s Source) shown() string {
	if s.Name != "" {
		return s.Name
	}
	u, err := url.Parse(s.BaseURL)
	if err != nil {
		return "(not a URL)"
	}
	return u.Scheme + "://" + u.Host
}

package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cavaliergopher/grab/v3"

	"github.com/bootyard/bootyard/content"
)

// This file is the only one that knows grab. Its faults, and what is done about each:
//
//   - it appends a whole body to a partial file when the server ignores Range: transport checks status and Content-Range
//     before grab sees the answer;
//   - it asks HEAD before it resumes, and a server without HEAD then costs the part: transport answers HEAD itself;
//   - it takes any length when the server sends none: the body is cut off with an error at the length of the manifest;
//   - it has no stall timeout: a timer cancels the request unless the body's reader winds it up, which takes more than a byte
//     now and then;
//   - it hashes by reading the file again: bytes are hashed as they pass, after the prefix on disk was hashed once;
//   - it panics in its own goroutine, where nobody can recover, when it is given a hash without a size and the like: it is
//     given neither hash, nor hook, nor unknown file name;
//   - it uses a request up: each attempt makes a new one;
//   - it ignores errors of close and never syncs: the caller does, and checks the length on disk.

var (
	errStalled      = errors.New("no answer or too few bytes in time")
	errRangeIgnored = errors.New("server ignored the range and sent the whole file")
	errTooLong      = errors.New("server sent more bytes than the file has")
)

// transfer is one attempt to download one file from one source.
type transfer struct {
	client *http.Client
	source Source
	file   content.File
	part   string        // file on disk, holding offset bytes that are known to be good
	offset int64         // where to go on
	hash   hash.Hash     // has seen the first offset bytes
	stall  time.Duration // longest time without an answer or for leastProgress bytes
	seen   func(n int)   // called for each piece received
}

// run downloads until the part is complete, and returns the hash of the whole file and the bytes received.
func (t *transfer) run(ctx context.Context) (sum content.Hash, received int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(t.stall, func() { cancel(errStalled) })
	defer watchdog.Stop()

	request, err := t.request()
	if err != nil {
		return sum, 0, err
	}
	rt := &transport{transfer: t, alive: func() { watchdog.Reset(t.stall) }}
	buffer := min(t.file.Size-t.offset, 256<<10) // grab makes a new one for every file
	grabber := &grab.Client{HTTPClient: rt, BufferSize: int(buffer), UserAgent: "bootyard"}
	response := grabber.Do(request.WithContext(ctx))
	err = response.Err()
	received = rt.received
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
			err = cause
		}
		return sum, received, fmt.Errorf("%s: %w", t.source.shown(), hideURL(err))
	}
	info, err := os.Stat(t.part)
	if err != nil {
		return sum, received, err
	}
	if info.Size() != t.file.Size || t.offset+received != t.file.Size {
		return sum, received, fmt.Errorf("%s: %w: %d bytes of %d arrived", t.source.shown(), io.ErrUnexpectedEOF, info.Size(), t.file.Size)
	}
	return content.Hash(t.hash.Sum(nil)), received, nil
}

func (t *transfer) request() (*grab.Request, error) {
	u, err := url.Parse(t.source.BaseURL)
	if err != nil {
		return nil, errors.New("content source is not a URL")
	}
	request, err := grab.NewRequest(t.part, u.JoinPath(t.file.SHA256.String()).String())
	if err != nil {
		return nil, hideURL(err)
	}
	request.Size = t.file.Size
	request.NoCreateDirectories = true
	request.IgnoreRemoteTime = true
	for key, values := range t.source.Header {
		request.HTTPRequest.Header[http.CanonicalHeaderKey(key)] = values
	}
	// Otherwise net/http may ask for gzip, and lengths and ranges would be those of something else.
	request.HTTPRequest.Header.Set("Accept-Encoding", "identity")
	return request, nil
}

// transport stands between grab and net/http. It is used for one transfer only.
type transport struct {
	*transfer
	alive    func()
	received int64
}

// Do is grab's HTTPClient.
func (t *transport) Do(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodHead {
		return &http.Response{
			StatusCode: http.StatusOK, Body: http.NoBody, ContentLength: t.file.Size, Request: request,
			Header: http.Header{"Accept-Ranges": {"bytes"}},
		}, nil
	}
	response, err := t.guarded().Do(request)
	if err != nil {
		return nil, err
	}
	t.alive()
	if err := t.check(request, response); err != nil {
		response.Body.Close()
		return nil, err
	}
	response.Body = &body{transport: t, inner: response.Body, left: t.file.Size - t.offset}
	return response, nil
}

// guarded is the client with redirects that carry the source's header only within its scheme and host: net/http would send a
// token on to another port, or from https to http.
func (t *transport) guarded() *http.Client {
	client := *t.client
	inner := client.CheckRedirect
	client.CheckRedirect = func(request *http.Request, via []*http.Request) error {
		if first := via[0].URL; request.URL.Scheme != first.Scheme || request.URL.Host != first.Host {
			for key := range t.source.Header {
				request.Header.Del(key)
			}
		}
		if inner != nil {
			return inner(request, via)
		}
		if len(via) >= maxRedirects {
			return errors.New("too many redirects")
		}
		return nil
	}
	return &client
}

// maxRedirects is enough for a distribution point that points to a storage service.
const maxRedirects = 5

// check accepts only an answer that continues the part exactly where it ends.
func (t *transport) check(request *http.Request, response *http.Response) error {
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return &statusError{code: response.StatusCode}
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return fmt.Errorf("server sent content encoding %.20q though none was accepted", encoding)
	}
	asked := request.Header.Get("Range") != ""
	if asked != (t.offset > 0) {
		return fmt.Errorf("download library asked for range %q at offset %d", request.Header.Get("Range"), t.offset)
	}
	switch {
	case asked && response.StatusCode == http.StatusOK:
		return errRangeIgnored
	case asked && response.StatusCode == http.StatusPartialContent:
		want := fmt.Sprintf("bytes %d-%d/%d", t.offset, t.file.Size-1, t.file.Size)
		if got := response.Header.Get("Content-Range"); got != want {
			return fmt.Errorf("server sent range %.60q, want %q", got, want)
		}
	case response.StatusCode != http.StatusOK:
		return &statusError{code: response.StatusCode}
	}
	if want := t.file.Size - t.offset; response.ContentLength >= 0 && response.ContentLength != want {
		return fmt.Errorf("server has %s bytes, want %d: it holds another file", strconv.FormatInt(response.ContentLength, 10), want)
	}
	return nil
}

// leastProgress in bytes must arrive within the stall timeout, or a server that sends a byte now and then could hold a run
// up for ever. At the default of 30 s that is half a kilobyte a second.
const leastProgress = 16 << 10

// body hashes, counts and limits what passes.
type body struct {
	*transport
	inner    io.ReadCloser
	left     int64
	progress int64 // since the timer was wound up
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p)
	if n > 0 {
		b.received += int64(n)
		if b.progress += int64(n); b.progress >= leastProgress {
			b.progress = 0
			b.alive()
		}
		if b.left -= int64(n); b.left < 0 {
			return 0, errTooLong
		}
		b.hash.Write(p[:n])
		b.seen(n)
	}
	return n, err
}

func (b *body) Close() error { return b.inner.Close() }

// statusError is an HTTP answer that is not a file.
type statusError struct{ code int }

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("server answered %d %s", e.code, http.StatusText(e.code)))
}

// permanent says that asking the same server again will not help.
func (e *statusError) permanent() bool {
	switch e.code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusRequestedRangeNotSatisfiable:
		return false
	}
	return e.code >= 400 && e.code < 500
}

// hideURL drops the URL that net/http puts into its errors, because its query may be a signature.
func hideURL(err error) error {
	var urlError *url.Error
	if errors.As(err, &urlError) {
		return urlError.Err
	}
	return err
}

func newHash() hash.Hash { return sha256.New() }

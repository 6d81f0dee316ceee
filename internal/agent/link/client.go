package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// maxAnswer bounds an answer: a run with its sequence and a checkpoint of 32 MiB in base64 fits.
	maxAnswer = 96 << 20
	// maxProblem bounds an error answer.
	maxProblem = 64 << 10
	// tryTimeout bounds one request; 45 MB at 2 Mbit/s take three minutes.
	tryTimeout = 5 * time.Minute
)

// Client sends the requests of package wire. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	http  *http.Client
	mu    sync.RWMutex
	token string
}

// NewClient talks to the appliance at base, an https URL, by transport.
func NewClient(base string, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return nil, fmt.Errorf("appliance address %.200q is not an https URL", base)
	}
	return &Client{base: u, http: &http.Client{
		Transport: transport,
		// A redirect could carry the bearer token elsewhere; the appliance never sends one here.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Base is the appliance's URL.
func (c *Client) Base() string { return c.base.String() }

// SetToken sets the bearer token of the requests that follow.
func (c *Client) SetToken(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
}

// Token is the bearer token in use; secret.
func (c *Client) Token() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.token
}

// Path fills in a wire path: Path(wire.PathRun, "run", id).
func Path(pattern string, pairs ...string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		pattern = strings.ReplaceAll(pattern, "{"+pairs[i]+"}", url.PathEscape(pairs[i+1]))
	}
	return pattern
}

// Do sends in as JSON, if not nil, and reads the answer into out, if not nil. It tries once. An answer of 400 and above is
// returned as a *wire.Problem.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request to %s: %w", path, err)
		}
		body = bytes.NewReader(data)
	}
	target := *c.base
	target.Path = strings.TrimSuffix(target.Path, "/") + path
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return fmt.Errorf("request to %s: %w", path, err)
	}
	req.Header.Set("Accept", "application/json, "+wire.ProblemContentType)
	req.Header.Set(wire.ProtocolHeader, fmt.Sprint(wire.Protocol))
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token := c.Token(); token != "" && path != wire.PathSession {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the appliance: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return problem(resp)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxProblem))
		return nil
	}
	decoder := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	if err := decoder.Decode(out); err != nil {
		return fmt.Errorf("read the appliance's answer to %s: %w", path, err)
	}
	return nil
}

// problem reads an error answer. Whatever is not a problem document becomes one, so that callers see one type.
func problem(resp *http.Response) error {
	p := &wire.Problem{}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if kind == wire.ProblemContentType || kind == "application/json" {
		_ = json.Unmarshal(data, p) // an unreadable body leaves the status, which is enough
	}
	p.Status = resp.StatusCode
	if p.Title == "" {
		p.Title = fmt.Sprintf("the appliance answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return p
}

// Temporary reports whether the same request may succeed later: the line or the appliance is down, not our request wrong.
func Temporary(err error) bool {
	var p *wire.Problem
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, ErrUntrusted):
		return false
	case errors.As(err, &p):
		if p.Status == http.StatusInsufficientStorage {
			return false // a full disk does not empty itself
		}
		return p.Status >= 500 || p.Status == http.StatusTooManyRequests || p.Status == http.StatusRequestTimeout
	}
	return true
}

// Status is the HTTP status of a *wire.Problem in err, else 0.
func Status(err error) int {
	var p *wire.Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

// Remedy is what err says to do next, or fallback.
func Remedy(err error, fallback string) string {
	var p *wire.Problem
	if errors.As(err, &p) && p.Remedy != "" {
		return p.Remedy
	}
	return fallback
}

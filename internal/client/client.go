package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// Options say where the appliance is. With URL empty the unix socket is used.
type Options struct {
	Socket string // path of the unix socket
	URL    string // https://host[:port]
	Token  string // API token; secret
	CA     []byte // PEM of the appliance's CA
}

// Client calls the management API. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
	where string
}

// What a refusal may hold: a problem, and a text that is none.
const (
	maxProblem = 1 << 20
	maxText    = 400
)

const dialTimeout = 5 * time.Second

// maxAnswer bounds what an answer may hold; logs are read with Stream.
const maxAnswer = 64 << 20

// New makes a Client; nothing is connected yet.
func New(o Options) (*Client, error) {
	transport := &http.Transport{
		ResponseHeaderTimeout: 10 * time.Minute, // importing a large image takes a while
		IdleConnTimeout:       30 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
	}
	// The API redirects nobody; who does is not the appliance.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{token: o.Token, http: &http.Client{Transport: transport, CheckRedirect: stay}}
	if o.URL == "" {
		c.base, c.where = "http://appliance", o.Socket
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", o.Socket)
		}
		return c, nil
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("appliance URL %q is not of the form https://host[:port]", o.URL)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(o.CA) {
		return nil, errors.New("no CA certificate: copy <data_dir>/pki/ca.pem from the appliance and name it with --ca or BOOTYARD_CA")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	c.base, c.where = strings.TrimRight(o.URL, "/"), o.URL
	return c, nil
}

// Do sends in as JSON (nil sends nothing) and decodes the answer into out (nil
// drops it). A refusal is returned as *wire.Problem.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	return c.Send(ctx, method, path, "application/json", body, out)
}

// Send sends a body of the given type and decodes the answer, which is JSON,
// into out (nil drops it). A body that is an io.Closer is closed.
func (c *Client) Send(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	resp, err := c.send(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	answer := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	switch err := json.NewDecoder(answer).Decode(out); {
	case err == nil:
		return nil
	case answer.N <= 0:
		return fmt.Errorf("the answer of %s %s is larger than %d MiB: ask for less of it", method, path, maxAnswer>>20)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer of %s %s ends in the middle: try again, or look into the appliance's log", method, path)
	default:
		return fmt.Errorf("read answer of %s %s: %w; is %s an appliance of this version?", method, path, err, c.where)
	}
}

// Stream returns the answer's body; the caller closes it.
func (c *Client) Stream(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (c *Client) send(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, problem(resp)
}

// explain turns what a dial says into what to do about it.
func (c *Client) explain(err error) error {
	var record tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &unknown):
		return fmt.Errorf("the certificate of %s is not signed by the CA in --ca: copy <data_dir>/pki/ca.pem from this appliance again", c.where)
	case errors.As(err, &name):
		return fmt.Errorf("the certificate of %s is not for that name: use an address of the appliance, or set https.url there (%w)", c.where, name)
	case errors.As(err, &record):
		return fmt.Errorf("%s does not speak TLS: name the port of https.listen", c.where)
	case errors.As(err, &dns):
		return fmt.Errorf("no address for %s: check the name in --url (%w)", dns.Name, dns)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no appliance answers at %s: start it with 'bootyard serve', or name another with --socket or --url", c.where)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("not allowed to open %s: run as root, or use --url with a token from 'bootyard token create'", c.where)
	}
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no answer from %s in time: check --url and the network between (%w)", c.where, err)
	}
	return fmt.Errorf("ask the appliance: %w", err)
}

func problem(resp *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem)) // what came is shown
	p := &wire.Problem{}
	if json.Unmarshal(data, p) != nil || p.Title == "" {
		p = &wire.Problem{Title: resp.Status, Remedy: "check with --url or --socket that this is an appliance of this version"}
		if text := strings.TrimSpace(string(data)); len(text) <= maxText {
			p.Detail = text
		}
	}
	p.Status = resp.StatusCode
	return p
}

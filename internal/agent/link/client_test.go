package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClientSendsTokenAndVersionOnlyWhereTheyBelong(t *testing.T) {
	seen := map[string]string{}
	now := time.Now()
	server, ca := appliance(t, now, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen[r.URL.Path] = r.Header.Get("Authorization") + "|" + r.Header.Get(wire.ProtocolHeader)
		if r.URL.Path == wire.PathPolicy {
			w.Header().Set("Content-Type", wire.ProblemContentType)
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"title":"not now","rule":"MWN-18","remedy":"wait"}`)
			return
		}
		_, _ = io.WriteString(w, `{"deviceId":"d"}`)
	}))
	v, err := link.NewVerifier(ca.PEM(), ca.SPKI(), time.Now)
	require.NoError(t, err)
	client, err := link.NewClient(server.URL, v.Transport())
	require.NoError(t, err)
	client.SetToken("secret")
	var answer wire.SessionResponse
	require.NoError(t, client.Do(context.Background(), http.MethodPost, wire.PathSession, wire.SessionRequest{}, &answer))
	require.Equal(t, "d", answer.DeviceID)
	err = client.Do(context.Background(), http.MethodPost, wire.PathPolicy, wire.PolicyRequest{}, nil)
	require.Equal(t, http.StatusConflict, link.Status(err))
	require.Equal(t, "wait", link.Remedy(err, ""))
	require.ErrorContains(t, err, "MWN-18")
	require.Equal(t, map[string]string{wire.PathSession: "|1", wire.PathPolicy: "Bearer secret|1"}, seen)
}

func TestClientRefusesPlainHTTP(t *testing.T) {
	for _, base := range []string{"", "http://10.0.0.1", "10.0.0.1", "https://"} {
		_, err := link.NewClient(base, http.DefaultTransport)
		require.Error(t, err, base)
	}
}

func TestTemporary(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {io.ErrUnexpectedEOF, true}, {context.Canceled, false}, {context.DeadlineExceeded, true},
		{&wire.Problem{Status: 503}, true}, {&wire.Problem{Status: 429}, true}, {&wire.Problem{Status: 403}, false},
		{fmt.Errorf("x: %w", link.ErrUntrusted), false},
	} {
		require.Equal(t, c.want, link.Temporary(c.err), "%v", c.err)
	}
}

// jumpClock is a clock whose waits cost nothing.
type jumpClock struct{ now time.Time }

func (c *jumpClock) Now() time.Time { return c.now }
func (c *jumpClock) Sleep(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return ctx.Err()
}

func TestRetryEndsAtItsDeadlineAndAtPermanentErrors(t *testing.T) {
	clock := &jumpClock{now: time.Now()}
	start, tries := clock.now, 0
	lost := errors.New("line is down")
	err := link.Retry(context.Background(), clock, link.Backoff{First: time.Second, Max: 10 * time.Second, For: time.Minute}, nil,
		func(context.Context) error { tries++; return lost })
	require.ErrorIs(t, err, lost)
	require.LessOrEqual(t, clock.now.Sub(start), time.Minute)
	require.Greater(t, tries, 5)

	tries = 0
	err = link.Retry(context.Background(), clock, link.Backoff{First: time.Second, Max: time.Second}, nil,
		func(context.Context) error { tries++; return &wire.Problem{Status: 403} })
	require.Equal(t, 403, link.Status(err))
	require.Equal(t, 1, tries)
}

func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"title":"x"}`), "application/problem+json", 400)
	f.Fuzz(func(t *testing.T, body []byte, kind string, status int) {
		if status < 300 || status > 599 {
			return
		}
		client, err := link.NewClient("https://appliance", roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(newReader(body))}, nil
		}))
		require.NoError(t, err)
		err = client.Do(context.Background(), http.MethodGet, wire.PathPolicy, nil, nil)
		require.Equal(t, status, link.Status(err))
	})
}

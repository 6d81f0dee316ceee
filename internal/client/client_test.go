package client_test

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/client"
	"github.com/bootyard/bootyard/internal/wire"
)

// onSocket serves h on a unix socket and returns a client of it.
func onSocket(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := &httptest.Server{Listener: ln, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	c, err := client.New(client.Options{Socket: path})
	require.NoError(t, err)
	return c
}

func TestDoSendsAndDecodesJSON(t *testing.T) {
	c := onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.Empty(t, r.Header.Get("Authorization"))
		io.WriteString(w, `{"got": `+string(body)+`}`)
	})
	var out struct{ Got map[string]int }
	require.NoError(t, c.Do(t.Context(), http.MethodPost, "/x", map[string]int{"a": 1}, &out))
	require.Equal(t, map[string]int{"a": 1}, out.Got)
}

func TestRefusalsAreProblems(t *testing.T) {
	for name, tc := range map[string]struct {
		status      int
		body        string
		want        wire.Problem
		description string
	}{
		"problem": {409, `{"title":"Conflict","status":200,"detail":"busy","rule":"PXE-10a","remedy":"wait"}`,
			wire.Problem{Title: "Conflict", Status: 409, Detail: "busy", Rule: "PXE-10a", Remedy: "wait"}, "Conflict: busy (PXE-10a)"},
		"confirmation": {409, `{"title":"Confirmation needed","confirm":{"field":"acceptHighRisk","memberCount":3,"reasons":[]}}`,
			wire.Problem{Title: "Confirmation needed", Status: 409, Confirm: &wire.Confirmation{Field: "acceptHighRisk", MemberCount: 3, Reasons: []wire.Reason{}}}, "Confirmation needed"},
		"plain text":  {404, "404 page not found\n", wire.Problem{Title: "404 Not Found", Status: 404, Detail: "404 page not found"}, "404 Not Found: 404 page not found"},
		"other JSON":  {500, `{"error":"x"}`, wire.Problem{Title: "500 Internal Server Error", Status: 500, Detail: `{"error":"x"}`}, `500 Internal Server Error: {"error":"x"}`},
		"a long page": {502, strings.Repeat("<p>", 1000), wire.Problem{Title: "502 Bad Gateway", Status: 502}, "502 Bad Gateway"},
		"empty":       {503, "", wire.Problem{Title: "503 Service Unavailable", Status: 503}, "503 Service Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			c := onSocket(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			})
			err := c.Do(t.Context(), http.MethodGet, "/x", nil, nil)
			require.EqualError(t, err, tc.description)
			var p *wire.Problem
			require.ErrorAs(t, err, &p)
			got := *p
			if tc.want.Remedy == "" {
				got.Remedy = "" // the hint of what is no problem
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	followed := false
	c := onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		followed = followed || r.URL.Path != "/x"
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	require.ErrorContains(t, c.Do(t.Context(), http.MethodGet, "/x", nil, nil), "302 Found")
	require.False(t, followed)
}

// endless writes a JSON string that never ends.
func endless(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, `"`)
	filler := []byte(strings.Repeat("x", 1<<20))
	for r.Context().Err() == nil {
		if _, err := w.Write(filler); err != nil {
			return
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	var out string
	require.ErrorContains(t, onSocket(t, endless).Do(t.Context(), http.MethodGet, "/x", nil, &out), "larger than 64 MiB")
	err := onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		endless(w, r)
	}).Do(t.Context(), http.MethodGet, "/x", nil, &out)
	require.Less(t, len(err.Error()), 1000)
}

func TestBrokenAnswers(t *testing.T) {
	var out map[string]string
	for body, want := range map[string]string{"": "ends in the middle", `{"a":`: "ends in the middle", "<html>": "appliance of this version"} {
		c := onSocket(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		require.ErrorContains(t, c.Do(t.Context(), http.MethodGet, "/x", nil, &out), want)
	}
}

func TestNobodyThere(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "s")
	c, err := client.New(client.Options{Socket: gone})
	require.NoError(t, err)
	require.ErrorContains(t, c.Do(t.Context(), http.MethodGet, "/x", nil, nil), "no appliance answers at "+gone+": start it with 'bootyard serve'")

	// A socket file that was left behind.
	ln, err := net.Listen("unix", gone)
	require.NoError(t, err)
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, ln.Close())
	require.ErrorContains(t, c.Do(t.Context(), http.MethodGet, "/x", nil, nil), "no appliance answers at")
}

func TestInterruptedIsSaidAsSuch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := onSocket(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	require.ErrorIs(t, c.Do(ctx, http.MethodGet, "/x", nil, nil), context.Canceled)
}

func TestOnlyThePinnedCAIsTrusted(t *testing.T) {
	var authorization string
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		io.WriteString(w, `[]`)
	})
	s := httptest.NewUnstartedServer(answer)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})

	c, err := client.New(client.Options{URL: s.URL + "/", CA: own, Token: "secret"})
	require.NoError(t, err)
	var out []string
	require.NoError(t, c.Do(t.Context(), http.MethodGet, "/x", nil, &out))
	require.Equal(t, "Bearer secret", authorization)

	other, err := os.ReadFile("testdata/other-ca.pem")
	require.NoError(t, err)
	authorization = ""
	c, err = client.New(client.Options{URL: s.URL, CA: other, Token: "secret"})
	require.NoError(t, err)
	err = c.Do(t.Context(), http.MethodGet, "/x", nil, &out)
	require.ErrorContains(t, err, "is not signed by the CA in --ca")
	require.NotContains(t, err.Error(), "secret")
	require.Empty(t, authorization, "the token went to a stranger")

	plain := httptest.NewServer(answer)
	t.Cleanup(plain.Close)
	c, err = client.New(client.Options{URL: strings.Replace(plain.URL, "http", "https", 1), CA: own})
	require.NoError(t, err)
	require.Error(t, c.Do(t.Context(), http.MethodGet, "/x", nil, &out))
}

func TestURLAndCAAreChecked(t *testing.T) {
	for _, u := range []string{"http://10.0.0.1", "10.0.0.1", "https://", "https://%zz"} {
		_, err := client.New(client.Options{URL: u})
		require.ErrorContains(t, err, "https://host[:port]", u)
	}
	for _, ca := range [][]byte{nil, []byte("nonsense")} {
		_, err := client.New(client.Options{URL: "https://10.0.0.1", CA: ca})
		require.ErrorContains(t, err, "ca.pem")
	}
}

func TestStreamGivesTheBody(t *testing.T) {
	c := onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, "line 1\nline 2\n")
	})
	body, err := c.Stream(t.Context(), "/log")
	require.NoError(t, err)
	defer body.Close()
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "line 1\nline 2\n", string(text))
	_, err = c.Stream(t.Context(), "/none")
	require.Error(t, err)
}

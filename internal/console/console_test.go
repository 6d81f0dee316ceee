package console_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

func request(t *testing.T, server *httptest.Server, method, path, token string, form url.Values) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, server.URL+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "bootyard_token", Value: token})
	}
	client := *server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(body)
}

// nextEvent reads one message of an event stream: its fields in order.
func nextEvent(t *testing.T, r *bufio.Reader) (lines []string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			return lines
		}
		lines = append(lines, line)
	}
}

func TestPageAsksWhoLooks(t *testing.T) {
	server := serve(t, newSite(running()))
	for name, token := range map[string]string{"nobody": "", "wrong token": "bya_wrong"} {
		t.Run(name, func(t *testing.T) {
			page := request(t, server, "GET", "/", token, nil)
			require.Equal(t, 200, page.StatusCode)
			require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
			html := text(t, page)
			require.Contains(t, html, `action="/login"`)
			require.NotContains(t, html, "page.js")
			events := request(t, server, "GET", "/events", token, nil)
			require.Equal(t, 401, events.StatusCode)
			require.NotContains(t, text(t, events), "lab-01")
		})
	}
	require.Contains(t, text(t, request(t, server, "GET", "/", goodToken, nil)), "page.js")
	require.Equal(t, 404, request(t, server, "GET", "/static/", "", nil).StatusCode)
	require.Equal(t, 405, request(t, server, "GET", "/login", "", nil).StatusCode)
}

func TestSignInAndOut(t *testing.T) {
	server := serve(t, newSite())
	in := request(t, server, "POST", "/login", "", url.Values{"token": {" " + goodToken + "\n"}})
	require.Equal(t, 303, in.StatusCode)
	cookie := in.Cookies()[0]
	require.Equal(t, goodToken, cookie.Value)
	require.True(t, cookie.HttpOnly && cookie.Secure && cookie.SameSite == http.SameSiteStrictMode, "%+v", cookie)

	for name, token := range map[string]string{"wrong": "bya_wrong", "empty": "", "huge": strings.Repeat("x", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			refused := request(t, server, "POST", "/login", "", url.Values{"token": {token}})
			require.Equal(t, 403, refused.StatusCode)
			require.Empty(t, refused.Cookies())
			html := text(t, refused)
			require.Contains(t, html, "bootyard token create")
			require.Contains(t, html, `role="alert"`)
			if token != "" {
				require.NotContains(t, html, token)
			}
		})
	}

	out := request(t, server, "POST", "/logout", goodToken, url.Values{})
	require.Equal(t, 303, out.StatusCode)
	require.Equal(t, -1, out.Cookies()[0].MaxAge)
	require.Empty(t, out.Cookies()[0].Value)
}

func TestAnotherSiteCannotSignAnybodyInOrOut(t *testing.T) {
	handler := newConsole(t, newSite(), time.Now)
	for _, path := range []string{"/login", "/logout"} {
		r := httptest.NewRequest("POST", "https://appliance"+path, strings.NewReader("token="+goodToken))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://elsewhere.example")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, 403, w.Code, path)
		require.Empty(t, w.Result().Cookies())
	}
}

func TestNothingForeignAndNothingInlineRuns(t *testing.T) {
	server := serve(t, newSite())
	for _, path := range []string{"/", "/static/page.js", "/static/page.css", "/static/icon.svg", "/nothing"} {
		r := request(t, server, "GET", path, "", nil)
		policy := r.Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'", path)
		require.Contains(t, policy, "frame-ancestors 'none'", path)
		require.NotContains(t, policy, "unsafe", path)
		require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"), path)
		body := text(t, r)
		require.NotRegexp(t, `(?i)(src|href|url)\s*[=(]\s*["']?(https?:)?//`, body, path)
		require.NotRegexp(t, `(?i)<[^>]+\s(style|on[a-z]+)=`, body, path)
	}
}

// The whole page is smaller than one image would be.
func TestPageIsSmall(t *testing.T) {
	server := serve(t, newSite())
	size := 0
	for _, path := range []string{"/", "/static/page.js", "/static/page.css", "/static/icon.svg"} {
		size += len(text(t, request(t, server, "GET", path, goodToken, nil)))
	}
	require.Less(t, size, 10<<10)
}

func TestWhatMachinesTellIsEscaped(t *testing.T) {
	evil := `<img src=x onerror=alert(1)>"'<script>alert(2)</script>`
	m := failed()
	m.Name, m.MAC, m.ServedText, m.Device = evil, evil, evil, evil
	m.Run.SequenceName, m.Run.Deployment, m.Run.FailedStep, m.Run.Message, m.Run.Remedy = evil, evil, evil, evil, evil
	boot := stranger()
	boot.Boot.Answers[0].Answer = evil
	server := serve(t, newSite(m, boot))
	stream := request(t, server, "GET", "/events", goodToken, nil)
	got := strings.Join(nextEvent(t, bufio.NewReader(stream.Body)), "\n")
	require.Contains(t, got, "&lt;img")
	require.NotContains(t, got, "<img")
	require.NotContains(t, got, "<script")
	require.NotRegexp(t, `data-name="[^"]*"[^ >]`, got)
}

// A carriage return ends a line of an event stream as a line feed does.
func TestLineEndsCannotBreakTheStream(t *testing.T) {
	m := running()
	m.Run.LastMessage = "one\rtwo\r\nthree\n\nevent: machines\rdata: forged\r\r"
	server := serve(t, newSite(m))
	stream := bufio.NewReader(request(t, server, "GET", "/events", goodToken, nil).Body)
	lines := nextEvent(t, stream)
	require.Equal(t, "event: machines", lines[0])
	for _, line := range lines[1:] {
		require.True(t, strings.HasPrefix(line, "data: "), "%q", line)
		require.NotContains(t, line, "\r")
	}
	require.Contains(t, strings.Join(lines, "\n"), "data: event: machines")
}

func TestStreamFollowsTheSite(t *testing.T) {
	s := newSite(running())
	server := serve(t, s)
	response := request(t, server, "GET", "/events", goodToken, nil)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	stream := bufio.NewReader(response.Body)
	first := strings.Join(nextEvent(t, stream), "\n")
	for _, want := range []string{"lab-01", "UEFI", "BYD20000", "Deploy Debian", "Apply operating system image", "4 of 8, 50%", "120 MB of 240 MB", "PXE-16", "1m30s", "1 running"} {
		require.Contains(t, first, want)
	}
	s.change(func() {
		ended := now
		run := *s.machines[0].Run
		run.State, run.Ended = wire.RunSucceeded, &ended
		s.machines[0].Run = &run
	})
	second := strings.Join(nextEvent(t, stream), "\n")
	require.Contains(t, second, `data-state="succeeded"`)
	require.NotContains(t, second, "<progress")
}

func TestRevokedTokenSeesNoMore(t *testing.T) {
	s := newSite(running())
	server := serve(t, s)
	stream := bufio.NewReader(request(t, server, "GET", "/events", goodToken, nil).Body)
	nextEvent(t, stream)
	s.change(func() { s.revoked, s.machines[0].Name = true, "secret" })
	rest, err := io.ReadAll(stream)
	require.NoError(t, err, "the stream ends")
	require.NotContains(t, string(rest), "secret")
}

func TestTooManyPages(t *testing.T) {
	s := newSite(running())
	server := serve(t, s)
	const most = 64
	var first *http.Response
	for range most {
		r := request(t, server, "GET", "/events", goodToken, nil)
		require.Equal(t, 200, r.StatusCode)
		nextEvent(t, bufio.NewReader(r.Body))
		first = r
	}
	require.Less(t, s.times(), 4, "pages share one list")
	require.Equal(t, 503, request(t, server, "GET", "/events", goodToken, nil).StatusCode)
	first.Body.Close()
	s.change(func() {})
	require.Eventually(t, func() bool {
		return request(t, server, "GET", "/events", goodToken, nil).StatusCode == 200
	}, 10*time.Second, 50*time.Millisecond, "a closed page makes room")
}

func TestFloodOfRequestsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		s.gate = make(chan struct{})
		handler := newConsole(t, s, time.Now)
		ask := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(&http.Cookie{Name: "bootyard_token", Value: "bya_guess"})
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w
		}
		for range 128 {
			go ask()
		}
		synctest.Wait()
		refused := ask()
		require.Equal(t, 503, refused.Code)
		require.NotEmpty(t, refused.Header().Get("Retry-After"))
		close(s.gate)
		synctest.Wait()
		require.Equal(t, 200, ask().Code)
	})
}

func TestSiteThatCannotBeRead(t *testing.T) {
	s := newSite()
	s.err = io.ErrUnexpectedEOF
	server := serve(t, s)
	body := text(t, request(t, server, "GET", "/events", goodToken, nil))
	require.NotContains(t, body, "EOF", "causes stay in the log")
}

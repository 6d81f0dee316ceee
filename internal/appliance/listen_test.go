package appliance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/pki"
)

func TestSocketIsRootsAloneAndReplacesAStaleOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	stale, err := net.Listen("unix", path)
	require.NoError(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, stale.Close()) // what a killed appliance leaves

	ln, err := openSocket(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, info.Mode())
	_, err = openSocket(path)
	require.ErrorContains(t, err, "another appliance answers")
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "no work folder stays")

	require.NoError(t, ln.Close())
	require.NoFileExists(t, path)
	require.NoError(t, os.WriteFile(path, nil, 0o600)) // the next appliance's
	_ = ln.Close()
	require.FileExists(t, path)
}

func TestConnectionsAreLimitedInAllAndForEachAddress(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ln := limitConnections(inner, 3, 2)
	defer ln.Close()
	accepted := make(chan net.Conn, 8)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
		c, err := d.Dial("tcp", inner.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	closed := func(c net.Conn) {
		t.Helper()
		require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
		_, err := c.Read(make([]byte, 1))
		require.Error(t, err)
		var timeout net.Error
		require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "it was not closed")
	}
	dial("127.0.0.2")
	dial("127.0.0.2")
	first := <-accepted
	<-accepted
	closed(dial("127.0.0.2")) // the third of one address
	dial("127.0.0.3")
	<-accepted
	closed(dial("127.0.0.4")) // the fourth in all
	require.NoError(t, first.Close())
	_ = first.Close() // counted once
	dial("127.0.0.2")
	<-accepted
	closed(dial("127.0.0.5"))
}

// deadlines is a response that notes its deadline and how it was written.
type deadlines struct {
	httptest.ResponseRecorder
	until    time.Time
	readFrom bool
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.until = t; return nil }

func (d *deadlines) ReadFrom(r io.Reader) (int64, error) {
	d.readFrom = true
	return io.Copy(&d.ResponseRecorder, r)
}

func TestClientThatStopsReadingIsGivenUp(t *testing.T) {
	within := func(t *testing.T, d *deadlines, want time.Duration) {
		t.Helper()
		require.WithinDuration(t, time.Now().Add(want), d.until, 10*time.Second)
	}
	for name, tc := range map[string]struct {
		write func(http.ResponseWriter)
		want  time.Duration
	}{
		"header":      {func(w http.ResponseWriter) { w.WriteHeader(204) }, stall},
		"small write": {func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) }, stall},
		"unsized":     {func(w http.ResponseWriter) { _, _ = io.Copy(w, io.MultiReader(strings.NewReader("x"))) }, stall},
		"a file gets time for its size": {func(w http.ResponseWriter) {
			_, _ = io.CopyN(w, bytes.NewReader(make([]byte, 8<<20)), 8<<20)
		}, stall + 256*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			d := &deadlines{ResponseRecorder: *httptest.NewRecorder()}
			patient(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tc.write(w) })).ServeHTTP(d, httptest.NewRequest("GET", "/", nil))
			within(t, d, tc.want)
			require.Equal(t, tc.want > stall, d.readFrom, "sendfile stays possible")
		})
	}
}

func TestPanicEndsOneRequestAndIsLoggedWithoutItsPath(t *testing.T) {
	b := newBench(t)
	s := httptest.NewServer(b.recovered(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") })))
	defer s.Close()
	_, err := http.Get(s.URL + "/f/expiry/secret-signature/name")
	require.Error(t, err)
	require.Contains(t, b.out.String(), "oops")
	require.Contains(t, b.out.String(), "listen_test.go", "with its stack")
	require.NotContains(t, b.out.String(), "secret-signature")
}

func TestCertificateSurvivesADiskThatIsFullAndAClockThatIsSet(t *testing.T) {
	now := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) // no RTC
	ca, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	var broken error
	issued := 0
	c := &certificates{now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler), issue: func(at time.Time) (tls.Certificate, error) {
		if issued++; broken != nil {
			return tls.Certificate{}, broken
		}
		return ca.Server([]string{"here"}, nil, at)
	}}
	first, err := c.get()
	require.NoError(t, err)
	before := first.Leaf.SerialNumber
	_, err = c.get()
	require.NoError(t, err)
	require.Equal(t, 1, issued, "it is not looked at for every connection")

	now = now.Add(2 * time.Hour)
	broken = errors.New("no space left on device")
	kept, err := c.get()
	require.NoError(t, err, "the old one is still good")
	require.Equal(t, before, kept.Leaf.SerialNumber)
	_, err = c.get()
	require.NoError(t, err)
	require.Equal(t, 2, issued, "and not tried again at once")

	broken, now = nil, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) // NTP
	fresh, err := c.get()
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.PEM()))
	_, err = fresh.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: "here"})
	require.NoError(t, err)

	now = now.Add(-24 * 365 * time.Hour) // and back
	back, err := c.get()
	require.NoError(t, err)
	require.True(t, now.After(back.Leaf.NotBefore))
}

// A client that sends its request slowly, or nothing, is not waited for long.
func TestSlowRequestHasADeadline(t *testing.T) {
	b := newBench(t)
	s := b.server(http.NotFoundHandler())
	require.Equal(t, headTimeout, s.ReadHeaderTimeout)
	require.Equal(t, bodyTimeout, s.ReadTimeout)
	require.Equal(t, idleTimeout, s.IdleTimeout)
	require.Equal(t, headerLimit, s.MaxHeaderBytes)
}

func TestHeaderLargerThanItsLimitIsRefused(t *testing.T) {
	b := newBench(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := b.server(b.bootHandler())
	go func() { _ = s.Serve(ln) }()
	defer s.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	go func() {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
	}()
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "431")
}

// A stop ends at once what waits for news: pages, and both sides of the debugger. What is being done is let finish.
func TestStopEndsWhatWaits(t *testing.T) {
	for request, ends := range map[string]bool{
		"GET /events": true, "GET /api/v1/stream": true,
		"GET /api/v1/runs/r/debug": true, "POST /api/v1/runs/r/debug": false,
		"POST /api/v1/agent/runs/r/debug": true, "POST /api/v1/agent/runs/r/checkpoint": false,
		"GET /api/v1/runs/r/shells/s/output": true, "POST /api/v1/runs/r/shells/s/input": true, "POST /api/v1/runs/r/shells": false,
		"POST /api/v1/agent/runs/r/shells/s/input": true, "POST /api/v1/agent/runs/r/shells/s/output": true, "GET /api/v1/devices/debug": false,
	} {
		t.Run(request, func(t *testing.T) {
			stop, cancel := context.WithCancel(t.Context())
			method, path, _ := strings.Cut(request, " ")
			ended := false
			ending(stop, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				cancel()
				if ends {
					<-r.Context().Done()
				}
				ended = r.Context().Err() != nil
			})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
			require.Equal(t, ends, ended)
		})
	}
}

package appliance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/config"
	"github.com/bootyard/bootyard/internal/wire"
)

// start runs an appliance until the test ends, or until stop is called.
func start(t *testing.T, cfg *config.Config) (stop func() error, out *output) {
	t.Helper()
	out = &output{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg, slog.New(slog.NewTextHandler(out, nil)), nil) }()
	ended := false
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("the appliance does not stop")
			return nil
		}
	}
	t.Cleanup(func() { _ = stop() })
	require.Eventually(t, func() bool {
		select {
		case err := <-done:
			done <- err
			require.NoError(t, err, "it ended: %s", out)
		default:
		}
		c, err := net.Dial("unix", cfg.Socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 20*time.Second, 10*time.Millisecond, "%s", out)
	return stop, out
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func overSocket(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}

func TestApplianceServesAndStopsCleanly(t *testing.T) {
	cfg := testConfig(t)
	stop, out := start(t, cfg)
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

	pem, err := os.ReadFile(filepath.Join(cfg.DataDir, "pki", "ca.pem"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	secure := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	status, body := get(t, secure, cfg.HTTPS.URL+"/ca.pem")
	require.Equal(t, 200, status)
	require.Equal(t, string(pem), body)

	// Nothing but the listed boot endpoints answers without a token.
	for path, want := range map[string]int{"/api/v1/devices": 401, "/api/v1/nothing": 401, "/events": 401, "/": 200, "/metrics": 401, "/f/x": 404, "/debug/pprof/": 404} {
		status, _ := get(t, secure, cfg.HTTPS.URL+path)
		require.Equal(t, want, status, path)
	}
	for path, want := range map[string]int{"/": 404, "/api/v1/devices": 404, "/ca.pem": 404, "/metrics": 404, "/f/x": 403, "/c/x": 403, "/boot/ipxe": 404, "//f//x": 403, "/f/../api/v1/devices": 404} {
		status, _ := get(t, plain, cfg.HTTP.URL+path)
		require.Equal(t, want, status, path)
	}
	status, body = get(t, overSocket(cfg.Socket), "http://appliance/api/v1/devices")
	require.Equal(t, 200, status)
	require.JSONEq(t, "[]", body)

	status, body = get(t, overSocket(cfg.Socket), "http://appliance/metrics")
	require.Equal(t, 200, status)
	require.Contains(t, body, "go_goroutines ")
	made, err := overSocket(cfg.Socket).Post("http://appliance/api/v1/tokens", "application/json", strings.NewReader(`{"name":"prometheus","scope":"read"}`))
	require.NoError(t, err)
	defer made.Body.Close()
	var token wire.TokenCreated
	require.NoError(t, json.NewDecoder(made.Body).Decode(&token))
	asked, err := http.NewRequestWithContext(t.Context(), http.MethodGet, cfg.HTTPS.URL+"/metrics", http.NoBody)
	require.NoError(t, err)
	asked.Header.Set("Authorization", "Bearer "+token.Token)
	answer, err := secure.Do(asked)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, 200, answer.StatusCode)
	require.Contains(t, answer.Header.Get("Content-Type"), "text/plain")

	require.NoError(t, stop())
	require.NoFileExists(t, cfg.Socket)
	require.Contains(t, out.String(), "appliance stopped")
	require.NotContains(t, out.String(), "level=ERROR")

	_, _ = start(t, cfg) // and again, in the same folder
}

// A second appliance would write the lease file of the first one anew.
func TestSecondApplianceIsRefused(t *testing.T) {
	cfg := testConfig(t)
	_, _ = start(t, cfg)
	same := *cfg
	same.Socket += "2"
	err := Run(t.Context(), &same, slog.New(slog.DiscardHandler), nil)
	require.ErrorContains(t, err, "another appliance uses data_dir")

	other := *testConfig(t)
	other.Socket = cfg.Socket
	err = Run(t.Context(), &other, slog.New(slog.DiscardHandler), nil)
	require.ErrorContains(t, err, "another appliance answers at")

	port := *testConfig(t)
	port.HTTP.Listen = cfg.HTTP.Listen
	out := &output{}
	err = Run(t.Context(), &port, slog.New(slog.NewTextHandler(out, nil)), nil)
	require.ErrorContains(t, err, "http.listen")
	require.ErrorContains(t, err, "choose another")
	require.NotContains(t, out.String(), "appliance is up")
	require.NoFileExists(t, port.Socket)

	status, _ := get(t, overSocket(cfg.Socket), "http://appliance/api/v1/devices")
	require.Equal(t, 200, status, "the first one goes on")
}

func TestStartSaysWhatToMend(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, tc := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"data_dir is a file":       {func(c *config.Config) { c.DataDir = file }, "set data_dir"},
		"data_dir below a file":    {func(c *config.Config) { c.DataDir = filepath.Join(file, "data") }, "set data_dir"},
		"data_dir is read-only":    {func(c *config.Config) { c.DataDir = "/proc/self" }, "set data_dir"},
		"another database":         {func(c *config.Config) { c.Database.URL = "postgres://x" }, "only sqlite:FILE"},
		"socket below a file":      {func(c *config.Config) { c.Socket = filepath.Join(file, "s") }, "set socket"},
		"interface does not exist": {func(c *config.Config) { c.DHCP.Mode, c.DHCP.Interfaces = "proxy", []string{"bootyard-none"} }, "ip link"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			tc.change(cfg)
			require.ErrorContains(t, Run(t.Context(), cfg, slog.New(slog.DiscardHandler), nil), tc.want)
		})
	}
}

func TestSettingsComeFromTheFileOnlyWhenItGivesThem(t *testing.T) {
	cfg := testConfig(t)
	b := openBench(t, cfg)
	s, err := b.site.Settings(t.Context())
	require.NoError(t, err)
	require.False(t, s.UnknownComputers)
	s.UnknownComputers, s.NetworkFirst, s.WakeOffset = true, true, wire.Duration(time.Minute)
	require.NoError(t, b.site.SetSettings(t.Context(), s)) // the administrator's
	b.close()

	b = openBench(t, cfg)
	kept, err := b.site.Settings(t.Context())
	require.NoError(t, err)
	require.Equal(t, s, kept, "a restart changes nothing")
	b.close()

	off, offset := false, 5*time.Minute
	cfg.PXE.UnknownComputers, cfg.PXE.FinalBoot, cfg.Wake.Offset = &off, "disk", &offset
	b = openBench(t, cfg)
	given, err := b.site.Settings(t.Context())
	require.NoError(t, err)
	require.False(t, given.UnknownComputers)
	require.False(t, given.NetworkFirst)
	require.Equal(t, wire.Duration(5*time.Minute), given.WakeOffset)
}

// Keys stay the same over restarts: machines in the middle of a download go on.
func TestRestartKeepsKeysAndSignedPaths(t *testing.T) {
	cfg := testConfig(t)
	b := openBench(t, cfg)
	path := b.files.path(testMAC, b.image().ID, kernelName)
	spki := b.ca.SPKI()
	b.close()
	b = openBench(t, cfg)
	require.Equal(t, spki, b.ca.SPKI())
	require.Equal(t, 200, b.ask("GET", path).Code)
}

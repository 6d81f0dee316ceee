package appliance

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/config"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe"
)

func TestScriptsAreForOurNetworksAndThoseThatAreNamed(t *testing.T) {
	l := newLive(&config.Config{})
	g := newGate([]netip.Prefix{netip.MustParsePrefix("192.168.7.1/24")}, l)
	for at, want := range map[string]bool{"192.168.7.200": true, "192.168.8.1": false, "10.20.3.4": false, "127.0.0.1": false, "::1": false} {
		require.Equal(t, want, g.Admits(netip.MustParseAddr(at)), at)
	}
	require.False(t, g.Admits(netip.Addr{}))
	l.set(&config.Config{PXE: config.PXE{Networks: []string{"10.20.0.0/16"}}})
	require.True(t, g.Admits(netip.MustParseAddr("10.20.3.4")))
	require.True(t, g.Admits(netip.MustParseAddr("192.168.7.200")))
	require.False(t, g.Admits(netip.MustParseAddr("10.30.3.4")))
}

func TestScriptsAreLimitedForEachAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(nil, newLive(&config.Config{}))
		one, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
		for range scriptBurst {
			require.True(t, g.Allow(one))
		}
		require.False(t, g.Allow(one))
		require.True(t, g.Allow(other))
		time.Sleep(time.Second)
		for range scriptsPerSecond {
			require.True(t, g.Allow(one))
		}
		require.False(t, g.Allow(one))
	})
}

// PXE-2: what can change without a restart does, what cannot is named.
func TestPXE2ConfigurationIsReadAgain(t *testing.T) {
	b := newBench(t)
	b.deploy(wire.Required)
	ctx, cancel := context.WithCancel(t.Context())
	changed, done := make(chan *config.Config), make(chan error, 1)
	go func() { done <- b.reload(ctx, changed) }()
	take := func(change func(*config.Config)) {
		c := *b.cfg
		change(&c)
		changed <- &c
	}
	take(func(c *config.Config) { c.PXE.Exclude = []string{testMAC} })
	take(func(c *config.Config) {
		c.PXE.Exclude, c.PXE.KernelArgs, c.PXE.Networks = []string{testMAC}, "iommu=off", []string{"10.20.0.0/16"}
	})
	require.Equal(t, "PXE-4", b.decide(b.policy(), machine(pxe.StageDiscover)).Rule)
	take(func(c *config.Config) { c.PXE.KernelArgs, c.DHCP.Lease, c.HTTP.Listen = "iommu=off", time.Hour, ":81" })
	take(func(c *config.Config) { c.PXE.KernelArgs = "iommu=off" })
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Contains(t, b.decide(b.policy(), machine(pxe.StageScript)).Args, "iommu=off")
	require.Contains(t, b.out.String(), `sections="http dhcp"`)
	require.Equal(t, 1, strings.Count(b.out.String(), "needs a restart"))
}

// A page that somebody has open does not hold up a stop.
func TestStopDoesNotWaitForPages(t *testing.T) {
	cfg := testConfig(t)
	b := openBench(t, cfg)
	token, err := b.site.CreateToken(t.Context(), wire.TokenCreate{Name: "page"})
	require.NoError(t, err)
	b.close()
	stop, _ := start(t, cfg)
	pem, err := os.ReadFile(filepath.Join(cfg.DataDir, "pki", "ca.pem"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	for _, transport := range []*http.Transport{
		{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		{TLSClientConfig: &tls.Config{RootCAs: roots}},
	} {
		defer transport.CloseIdleConnections()
		for _, path := range endless {
			r, err := http.NewRequestWithContext(t.Context(), "GET", cfg.HTTPS.URL+path, http.NoBody)
			require.NoError(t, err)
			r.AddCookie(&http.Cookie{Name: "bootyard_token", Value: token.Token})
			r.Header.Set("Authorization", "Bearer "+token.Token)
			resp, err := (&http.Client{Transport: transport}).Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, 200, resp.StatusCode, path)
			_, err = bufio.NewReader(resp.Body).ReadString('\n')
			require.NoError(t, err)
		}
	}
	began := time.Now()
	require.NoError(t, stop())
	require.Less(t, time.Since(began), shutdownTime/2)
}

// What is answered while the appliance stops is on record.
func TestLastBootRecordsAreWritten(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	stop := b.journal.start(ctx)
	cancel() // the stop begins, and machines still ask
	for range 20 {
		b.journal.Record(t.Context(), pxe.Event{Machine: machine(pxe.StageDiscover), Protocol: "dhcp", Message: "discover", Answer: "offer", Reason: "the last"})
	}
	stop()
	boots, err := b.site.Boots(t.Context(), "", 0)
	require.NoError(t, err)
	require.Len(t, boots, 1)
	require.Len(t, boots[0].Answers, 20)
	stop() // twice is no harm
}

// What strangers ask again and again is one line and a count.
func TestRepeatedRefusalsAreOneLine(t *testing.T) {
	cfg := testConfig(t)
	stop, out := start(t, cfg)
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 30 {
		status, _ := get(t, plain, cfg.HTTP.URL+"/f/x")
		require.Equal(t, 403, status)
	}
	require.Equal(t, 1, strings.Count(out.String(), "boot file withheld"))
	require.NoError(t, stop())
	require.Equal(t, 2, strings.Count(out.String(), "boot file withheld"))
	require.Contains(t, out.String(), "more_times=29")
}

package link_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"crypto/tls"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/pki"
)

// appliance is a TLS server with a certificate of its own CA, made at the time at.
func appliance(t *testing.T, at time.Time, names []string, handler http.Handler) (*httptest.Server, *pki.Authority) {
	t.Helper()
	ca, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	cert, err := ca.Server(names, []net.IP{net.IPv4(127, 0, 0, 1)}, at)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, ca
}

func get(t *testing.T, v *link.Verifier, url string) error {
	t.Helper()
	transport := v.Transport()
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := transport.RoundTrip(request)
	if err == nil {
		response.Body.Close()
	}
	return err
}

func TestClockThatIsDecadesOff(t *testing.T) {
	real := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	server, ca := appliance(t, real, nil, http.NotFoundHandler())
	for name, at := range map[string]time.Time{
		"2001": time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
		"2050": time.Date(2050, 6, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			now := at
			v, err := link.NewVerifier(ca.PEM(), ca.SPKI(), func() time.Time { return now })
			require.NoError(t, err)
			require.ErrorIs(t, get(t, v, server.URL), link.ErrUntrusted, "the clock counts unless told otherwise")
			v.IgnoreTime(true)
			require.NoError(t, get(t, v, server.URL))
			now = real
			v.IgnoreTime(false)
			require.NoError(t, get(t, v, server.URL), "full check with the right time")
			now = real.AddDate(0, 0, 100)
			require.ErrorIs(t, get(t, v, server.URL), link.ErrUntrusted, "an expired certificate at the right time")
		})
	}
}

func TestTrust(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	server, ca := appliance(t, now, nil, http.NotFoundHandler())
	other, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	clock := func() time.Time { return now }

	t.Run("another CA with the pinned file replaced", func(t *testing.T) {
		v, err := link.NewVerifier(other.PEM(), ca.SPKI(), clock)
		require.NoError(t, err)
		v.IgnoreTime(true)
		stranger, _ := appliance(t, now, nil, http.NotFoundHandler())
		require.ErrorIs(t, get(t, v, stranger.URL), link.ErrUntrusted)
	})
	t.Run("pin of another CA", func(t *testing.T) {
		v, err := link.NewVerifier(ca.PEM(), other.SPKI(), clock)
		require.NoError(t, err)
		v.IgnoreTime(true)
		require.ErrorIs(t, get(t, v, server.URL), link.ErrUntrusted)
	})
	t.Run("name that is not in the certificate", func(t *testing.T) {
		v, err := link.NewVerifier(ca.PEM(), ca.SPKI(), clock)
		require.NoError(t, err)
		v.IgnoreTime(true)
		_, port, err := net.SplitHostPort(server.Listener.Addr().String())
		require.NoError(t, err)
		require.ErrorIs(t, get(t, v, "https://localhost:"+port), link.ErrUntrusted)
	})
	t.Run("without pin the file decides", func(t *testing.T) {
		v, err := link.NewVerifier(ca.PEM(), "", clock)
		require.NoError(t, err)
		require.NoError(t, get(t, v, server.URL))
	})
	t.Run("nothing to trust", func(t *testing.T) {
		_, err := link.NewVerifier(nil, "", clock)
		require.Error(t, err)
		_, err = link.NewVerifier(ca.PEM(), "abc", clock)
		require.Error(t, err)
	})
	t.Run("TLS 1.2", func(t *testing.T) {
		old, ca := appliance(t, now, nil, http.NotFoundHandler())
		old.TLS.MaxVersion = tls.VersionTLS12
		v, err := link.NewVerifier(ca.PEM(), ca.SPKI(), clock)
		require.NoError(t, err)
		require.Error(t, get(t, v, old.URL))
	})
}

func TestCertificateThatComesWithTheHandshake(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	server, ca := appliance(t, now, nil, http.NotFoundHandler())
	require.Len(t, server.TLS.Certificates[0].Certificate, 2)
	v, err := link.NewVerifier(nil, ca.SPKI(), func() time.Time { return now })
	require.NoError(t, err)
	require.NoError(t, get(t, v, server.URL))
}

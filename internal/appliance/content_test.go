package appliance

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

func (b *bench) content1() (wire.Manifest, string) {
	b.t.Helper()
	dir := b.t.TempDir()
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "file"), []byte("the content"), 0o600))
	m, err := b.content.Import(b.t.Context(), "BYD00009", 1, dir)
	require.NoError(b.t, err)
	return m, m.Files[0].SHA256
}

func TestContentIsServedBelowASignedPrefix(t *testing.T) {
	b := newBench(t)
	m, hash := b.content1()
	sources, err := b.content.Sources(t.Context(), m)
	require.NoError(t, err)
	require.Len(t, sources, 1)
	base := strings.TrimPrefix(sources[0].Base, b.cfg.HTTP.URL)
	w := b.ask("GET", base+hash)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "the content", w.Body.String())
	require.Equal(t, "content", b.ask("GET", base+hash, "Range", "bytes=4-").Body.String())
	require.Equal(t, 200, b.ask("HEAD", base+hash).Code)
	require.Equal(t, 404, b.ask("GET", base+strings.Repeat("0", 64)).Code)
	require.Equal(t, 404, b.ask("GET", base).Code, "no listing")
	require.Equal(t, 405, b.ask("PUT", base+hash).Code)
}

func TestContentIsWithheld(t *testing.T) {
	b := newBench(t)
	_, hash := b.content1()
	prefix := contentPrefix + b.content.signer.Prefix(scopeContent, time.Hour)
	for name, path := range map[string]string{
		"no signature":   "/c/" + hash,
		"boot's scope":   contentPrefix + b.files.signer.Prefix(scopeBoot, time.Hour) + hash,
		"expired":        contentPrefix + b.content.signer.Prefix(scopeContent, -time.Minute) + hash,
		"longer life":    strings.Replace(prefix, "/c/", "/c/z", 1) + hash,
		"boot file path": contentPrefix + b.files.signer.Path(scopeBoot, hash, time.Hour),
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, http.StatusForbidden, b.ask("GET", path).Code) })
	}
	for _, name := range []string{"../bootyard.db", "%2e%2e/bootyard.db", "/etc/passwd"} {
		w := b.ask("GET", prefix+name)
		require.NotEqual(t, 200, w.Code, name)
	}
}

// A machine on the second interface's network gets content from there: it may
// have no way to the first one's.
func TestContentComesFromTheAddressThatTheAgentAsked(t *testing.T) {
	b := newBench(t)
	b.reach.httpURL, b.reach.httpPort = "", 80
	b.reach.networks = []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("10.2.0.1/24")}
	for asked, want := range map[string]string{
		"10.2.0.1": "http://10.2.0.1/", "10.1.0.1": "http://10.1.0.1/", "::ffff:10.2.0.1": "http://10.2.0.1/",
		"127.0.0.1": "http://10.1.0.1/", "": "http://10.1.0.1/",
	} {
		ctx := context.Context(t.Context())
		if asked != "" {
			ctx = context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.ParseIP(asked), Port: 443}))
		}
		sources, err := b.content.Sources(ctx, wire.Manifest{})
		require.NoError(t, err)
		require.Contains(t, sources[0].Base, want, asked)
	}
}

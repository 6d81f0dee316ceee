package appliance

import (
	"context"
	"fmt"
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

// A URL opens the files of the package version it was made for: not another
// package's, and a file that both have by either's URL.
func TestContentOfAnotherPackageIsNotServed(t *testing.T) {
	b := newBench(t)
	base := map[string]string{}
	hashes := map[string]string{}
	put := func(id string, version int, files map[string]string) {
		dir := t.TempDir()
		for name, data := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
		}
		m, err := b.content.Import(t.Context(), id, version, dir)
		require.NoError(t, err)
		sources, err := b.content.Sources(t.Context(), m)
		require.NoError(t, err)
		base[fmt.Sprint(id, " ", version)] = strings.TrimPrefix(sources[0].Base, b.cfg.HTTP.URL)
		for _, f := range m.Files {
			hashes[files[f.Path]] = f.SHA256
		}
	}
	put("BYD0000A", 1, map[string]string{"a": "only A has", "s": "both have"})
	put("BYD0000B", 1, map[string]string{"b": "only B has", "s": "both have"})
	put("BYD0000A", 2, map[string]string{"a": "A's second", "s": "both have"})
	for _, test := range []struct {
		with, file string
		status     int
	}{
		{"BYD0000A 1", "only A has", 200}, {"BYD0000A 1", "both have", 200}, {"BYD0000A 1", "only B has", 404}, {"BYD0000A 1", "A's second", 404},
		{"BYD0000B 1", "only B has", 200}, {"BYD0000B 1", "both have", 200}, {"BYD0000B 1", "only A has", 404},
		{"BYD0000A 2", "A's second", 200}, {"BYD0000A 2", "both have", 200}, {"BYD0000A 2", "only A has", 404},
	} {
		w := b.ask("GET", base[test.with]+hashes[test.file])
		require.Equal(t, test.status, w.Code, "%s by the URL of %s", test.file, test.with)
		if test.status == 200 {
			require.Equal(t, test.file, w.Body.String())
			require.Equal(t, test.file[3:], b.ask("GET", base[test.with]+hashes[test.file], "Range", "bytes=3-").Body.String())
		}
	}
}

func TestContentIsWithheld(t *testing.T) {
	b := newBench(t)
	_, hash := b.content1()
	signer, at := b.content.signer, contentPrefix+"/BYD00009/1"
	prefix := at + signer.Prefix(scopeContent+"/BYD00009/1", time.Hour)
	require.Equal(t, 200, b.ask("GET", prefix+hash).Code)
	for name, path := range map[string]string{
		"no signature":   "/c/" + hash,
		"unsigned":       at + "/zzzzzz/AAAA/" + hash,
		"boot's scope":   at + b.files.signer.Prefix(scopeBoot, time.Hour) + hash,
		"all content":    at + signer.Prefix(scopeContent, time.Hour) + hash,
		"other package":  strings.Replace(prefix, "BYD00009", "BYD00008", 1) + hash,
		"other version":  strings.Replace(prefix, "/1/", "/2/", 1) + hash,
		"zeros in front": strings.Replace(prefix, "/1/", "/01/", 1) + hash,
		"expired":        at + signer.Prefix(scopeContent+"/BYD00009/1", -time.Minute) + hash,
		"longer life":    at + "/z" + strings.TrimPrefix(prefix, at+"/") + hash,
		"boot file path": at + b.files.signer.Path(scopeBoot, hash, time.Hour),
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

package api_test

import (
	"archive/tar"
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// library keeps what it was given to import.
type library struct {
	sitetest.Content
	got map[string]string
}

func (l *library) Import(ctx context.Context, id string, version int, dir string) (wire.Manifest, error) {
	l.got = map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		data, err := os.ReadFile(p)
		l.got[rel] = string(data)
		return err
	})
	if err != nil {
		return wire.Manifest{}, err
	}
	return l.Content.Import(ctx, id, version, dir)
}

func archive(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = 4
		}
		h.Mode = 0o777
		require.NoError(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte("data"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestUploadPackage(t *testing.T) {
	lib := &library{}
	b := newBench(t, func(c *site.Config) { c.Content = lib })
	token := must[wire.TokenCreated](t, b, "POST", "/api/v1/tokens", wire.TokenCreate{Name: "w", Scope: wire.ScopeWrite})
	send := func(token, query string, body []byte) (int, wire.Package) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", b.https.URL+"/api/v1/packages/upload?"+query, bytes.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := b.https.Client().Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		var data bytes.Buffer
		_, err = data.ReadFrom(resp.Body)
		require.NoError(t, err)
		if resp.StatusCode >= 300 {
			return resp.StatusCode, wire.Package{}
		}
		return resp.StatusCode, decode[wire.Package](t, data.Bytes())
	}
	good := archive(t, tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./a/b.sh", Typeflag: tar.TypeReg}, tar.Header{Name: "c", Typeflag: tar.TypeReg})
	status, p := send(token.Token, "name=scripts", good)
	require.Equal(t, 201, status)
	require.Equal(t, map[string]string{"a/b.sh": "data", "c": "data"}, lib.got)
	status, p = send(token.Token, "id="+p.ID, good)
	require.Equal(t, 201, status)
	require.Equal(t, 2, p.Version)
	for name, bad := range map[string][]byte{
		"up":       archive(t, tar.Header{Name: "../evil", Typeflag: tar.TypeReg}),
		"absolute": archive(t, tar.Header{Name: "/etc/evil", Typeflag: tar.TypeReg}),
		"link":     archive(t, tar.Header{Name: "l", Linkname: "/etc", Typeflag: tar.TypeSymlink}, tar.Header{Name: "l/evil", Typeflag: tar.TypeReg}),
		"empty":    archive(t),
		"cut":      good[:700],
		"no tar":   bytes.Repeat([]byte("x"), 2000),
	} {
		status, _ := send(token.Token, "name=bad", bad)
		require.Equal(t, 422, status, name)
	}
	status, _ = send("wrong", "name=x", good)
	require.Equal(t, 401, status)
	list := must[[]wire.Package](t, b, "GET", "/api/v1/packages", nil)
	require.Len(t, list, 1)
	left, err := filepath.Glob(filepath.Join(b.Dir, "upload-*"))
	require.NoError(t, err)
	require.Empty(t, left, "nothing stays behind")
}

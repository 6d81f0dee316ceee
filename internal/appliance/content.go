package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/internal/signedurl"
	"github.com/bootyard/bootyard/internal/wire"
)

// contents is the site's view of the content library, and the handler that
// serves its files at signed paths: /c/expiry/signature/hash.
type contents struct {
	library *library.Library
	signer  *signedurl.Signer
	reach   *reach
	log     *slog.Logger
}

// Manifest implements site.ContentLibrary.
func (c *contents) Manifest(_ context.Context, id string, version int) (wire.Manifest, error) {
	signed, m, err := c.library.ManifestVersion(id, version)
	if err != nil {
		return wire.Manifest{}, err
	}
	return toWire(m, signed.Signature), nil
}

// Sources implements site.ContentLibrary: so far the appliance is the only
// distribution point. The agent gets it under the address that it has reached
// us by: on another interface's network it may have no way to the first one's.
func (c *contents) Sources(ctx context.Context, _ wire.Manifest) ([]wire.ContentSource, error) {
	base := c.reach.http(localAddr(ctx))
	return []wire.ContentSource{{Kind: "current", Name: base, Base: base + contentPrefix + c.signer.Prefix(scopeContent, contentLifetime)}}, nil
}

// localAddr is our own address that the request in ctx came to.
func localAddr(ctx context.Context) netip.Addr {
	a, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return noMachine
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return noMachine
	}
	return p.Addr().Unmap()
}

// Import implements site.ContentLibrary. Version 1 is a new package; a repeat
// of an import that was cut off goes on where it was.
func (c *contents) Import(ctx context.Context, id string, version int, dir string) (wire.Manifest, error) {
	put := c.library.Update
	if version <= 1 {
		put = c.library.Add
	}
	result, err := put(ctx, id, dir, nil)
	if errors.Is(err, library.ErrExists) {
		result, err = c.library.Update(ctx, id, dir, nil)
	}
	if err != nil {
		return wire.Manifest{}, fmt.Errorf("import into the content library: %w", err)
	}
	return toWire(result.Manifest, nil), nil
}

func toWire(m content.Manifest, signature []byte) wire.Manifest {
	out := wire.Manifest{PackageID: m.PackageID, Version: m.Version, TotalSize: m.TotalSize, Signature: signature, Files: []wire.ManifestFile{}}
	for _, f := range m.Files {
		w := wire.ManifestFile{Path: f.Path, Size: f.Size, SHA256: f.SHA256.String(), ChunkSize: m.ChunkSize}
		for _, h := range f.Chunks {
			w.Chunks = append(w.Chunks, h.String())
		}
		out.Files = append(out.Files, w)
	}
	return out
}

// handler is mounted behind StripPrefix(/c).
func (c *contents) handler() http.Handler {
	blobs := c.library.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := c.signer.VerifyPrefix(scopeContent, r.URL.Path)
		if err != nil {
			c.log.Info("content withheld", "addr", r.RemoteAddr, "reason", err.Error())
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		inner := r.Clone(r.Context())
		inner.URL.Path, inner.URL.RawPath = "/"+name, ""
		blobs.ServeHTTP(w, inner)
	})
}

package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/internal/signedurl"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
)

// contents is the site's view of the content library, and the handler that
// serves its files at signed paths: /c/package/version/expiry/signature/hash.
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
// The signature opens the files of that version of that package and no others.
func (c *contents) Sources(ctx context.Context, m wire.Manifest) ([]wire.ContentSource, error) {
	base := c.reach.http(localAddr(ctx))
	version := m.PackageID + "/" + strconv.Itoa(m.Version)
	signed := c.signer.Prefix(versionScope(version), contentLifetime)
	return []wire.ContentSource{{Kind: "current", Name: base, Base: base + contentPrefix + "/" + version + signed}}, nil
}

// versionScope is what is signed for the files of one version of a package,
// given as package/version.
func versionScope(version string) string { return scopeContent + "/" + version }

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

// Remove implements site.ContentLibrary.
func (c *contents) Remove(_ context.Context, id string, agreed func() error) (wire.PackageDeleted, error) {
	removed, err := c.library.Remove(id, agreed)
	switch {
	case errors.Is(err, library.ErrBusy):
		err = fmt.Errorf("%w: %w", site.ErrContentBusy, err)
	case errors.Is(err, library.ErrNotFound):
		err = nil
	}
	return wire.PackageDeleted{ID: id, Files: removed.Files, Bytes: removed.Bytes}, err
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
		id, version, name, err := c.open(r.URL.Path)
		if err != nil {
			c.log.Info("content withheld", "addr", r.RemoteAddr, "reason", err.Error())
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		if h, err := content.ParseHash(name); err == nil {
			held, err := c.library.Holds(id, version, h)
			switch {
			case err != nil && !errors.Is(err, library.ErrNotFound):
				c.log.Error("content not served", "addr", r.RemoteAddr, "package", id, "version", version, "err", err)
				http.Error(w, "internal server error", http.StatusInternalServerError)
				return
			case !held:
				reason := "no file of that version of the package"
				if err != nil {
					reason = "the package or its version was deleted"
				}
				c.log.Info("content not served", "addr", r.RemoteAddr, "package", id, "version", version, "file", name, "reason", reason)
				http.Error(w, "not found", http.StatusNotFound)
				return
			}
		}
		inner := new(http.Request) // shallow, as http.StripPrefix does it: nothing but the path changes
		*inner = *r
		inner.URL = &url.URL{Path: "/" + name}
		blobs.ServeHTTP(w, inner)
	})
}

// open takes a path apart and checks its signature.
func (c *contents) open(path string) (id string, version int, name string, err error) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	number, rest, _ := strings.Cut(rest, "/")
	// Neither part holds a slash, so what is signed can be read in one way only.
	name, err = c.signer.VerifyPrefix(versionScope(id+"/"+number), "/"+rest)
	if err != nil {
		return "", 0, "", err
	}
	version, err = strconv.Atoi(number)
	return id, version, name, err
}

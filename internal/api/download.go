package api

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bootyard/bootyard/internal/wire"
)

// packageContent streams the files of a package's present version. An archive that breaks off has fewer files and bytes than the
// package's record says, which is how the other side knows.
func (a *API) packageContent(ctx context.Context, in *PackagePath) (*huma.StreamResponse, error) {
	if a.OpenBlob == nil || a.Site.Content == nil {
		return nil, a.fail(ctx, errors.New("this appliance has no content library"))
	}
	p, err := a.Site.Package(ctx, in.Package)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	m, err := a.Site.Content.Manifest(ctx, p.ID, p.Version)
	if err != nil {
		return nil, a.fail(ctx, fmt.Errorf("manifest of %s: %w", p.ID, err))
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/x-tar")
		if err := a.writeContent(c.Context(), c.BodyWriter(), m); err != nil {
			a.Log.Warn("package content was not sent whole", "package", p.ID, "err", err)
		}
	}}, nil
}

func (a *API) writeContent(ctx context.Context, w io.Writer, m wire.Manifest) error {
	archive := tar.NewWriter(w)
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.writeFile(archive, f); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return archive.Close()
}

func (a *API) writeFile(archive *tar.Writer, f wire.ManifestFile) error {
	blob, err := a.OpenBlob(f.SHA256)
	if err != nil {
		return err
	}
	defer blob.Close()
	if err := archive.WriteHeader(&tar.Header{Name: f.Path, Mode: 0o644, Size: f.Size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	n, err := io.Copy(archive, io.LimitReader(blob, f.Size))
	if err == nil && n < f.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

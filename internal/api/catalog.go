package api

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bootyard/bootyard/internal/wire"
)

// packageSource names a folder or file on the appliance.
type packageSource struct {
	ID           string `json:"id,omitempty"`
	Name         string `json:"name,omitempty"`
	Kind         string `json:"kind,omitempty"`
	Description  string `json:"description,omitempty"`
	PackageShare bool   `json:"packageShare,omitempty"`
	Dir          string `json:"dir"`
}

// PackagePath names a package.
type PackagePath struct {
	Package string `path:"package"`
}

type sequencePath struct {
	Sequence string `path:"sequence" doc:"id or name"`
}

func (a *API) registerCatalog() {
	s := a.Site
	answer(a, operation("GET", "/packages", "List packages and images", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.Package, error) {
		return list(s.Packages(ctx))
	})
	answer(a, operation("GET", "/packages/{package}", "Show a package", wire.ScopeRead), func(ctx context.Context, in *PackagePath) (wire.Package, error) {
		return s.Package(ctx, in.Package)
	})
	answer(a, localOnly(operation("POST", "/packages", "Make a package from a folder of the appliance", wire.ScopeAdmin)), func(ctx context.Context, in *input[packageSource]) (wire.Package, error) {
		return s.ImportPackage(ctx, in.Body.record(), in.Body.Dir)
	})
	answer(a, localOnly(operation("POST", "/packages/{package}/update", "Take a folder's content as the next version", wire.ScopeAdmin)), func(ctx context.Context, in *struct {
		PackagePath
		Body packageSource
	}) (wire.Package, error) {
		p, err := s.Package(ctx, in.Package)
		if err != nil {
			return p, err
		}
		return s.ImportPackage(ctx, p, in.Body.Dir)
	})
	for action, on := range map[string]bool{"share": true, "unshare": false} {
		answer(a, operation("POST", "/packages/{package}/"+action, "Set whether a package is copied to the package share (DOP-5): "+action, wire.ScopeWrite), func(ctx context.Context, in *PackagePath) (wire.Package, error) {
			return s.SetPackageShare(ctx, in.Package, on)
		})
	}
	answer(a, operation("DELETE", "/packages/{package}", "Remove a package and free its bytes", wire.ScopeWrite), func(ctx context.Context, in *PackagePath) (wire.PackageDeleted, error) {
		return s.DeletePackage(ctx, in.Package)
	})
	answer(a, operation("POST", "/packages/{package}/verify", "Hash the stored files again (DOP-21)", wire.ScopeWrite), func(ctx context.Context, in *PackagePath) (any, error) {
		if a.Verify == nil {
			return nil, errors.New("this appliance has no content library")
		}
		p, err := s.Package(ctx, in.Package)
		if err != nil {
			return nil, err
		}
		return a.Verify(ctx, p.ID)
	})
	huma.Register(a.admin, operation("GET", "/packages/{package}/content", "The files of a package as a tar archive (TS-175)", wire.ScopeWrite), a.packageContent)
	answer(a, operation("GET", "/boot-images", "List boot images", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.BootImage, error) {
		return list(s.BootImages(ctx))
	})
	answer(a, operation("GET", "/boot-images/{image}", "Show a boot image", wire.ScopeRead), func(ctx context.Context, in *struct {
		Image string `path:"image"`
	}) (wire.BootImage, error) {
		return s.BootImage(ctx, in.Image)
	})
	answer(a, localOnly(operation("POST", "/boot-images", "Register or change a boot image", wire.ScopeAdmin)), func(ctx context.Context, in *input[wire.BootImage]) (wire.BootImage, error) {
		return s.PutBootImage(ctx, in.Body)
	})
	answer(a, operation("GET", "/sequences", "List task sequences", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.Sequence, error) {
		return list(s.Sequences(ctx))
	})
	imp := operation("POST", "/sequences", "Import a task sequence", wire.ScopeWrite)
	imp.MaxBodyBytes = 8 << 20 // 2 MiB of XML, escaped in JSON
	answer(a, imp, func(ctx context.Context, in *input[wire.SequenceImport]) (wire.Sequence, error) {
		return s.ImportSequence(ctx, in.Body)
	})
	answer(a, operation("GET", "/sequences/{sequence}", "Show a task sequence", wire.ScopeRead), func(ctx context.Context, in *sequencePath) (wire.Sequence, error) {
		q, _, err := s.Sequence(ctx, in.Sequence)
		return q, err
	})
	huma.Register(a.admin, operation("GET", "/sequences/{sequence}/export", "Export a task sequence as XML", wire.ScopeWrite), func(ctx context.Context, in *sequencePath) (*huma.StreamResponse, error) {
		_, xml, err := s.Sequence(ctx, in.Sequence)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.SetHeader("Content-Type", "application/xml")
			_, _ = c.BodyWriter().Write([]byte(xml))
		}}, nil
	})
	for action, enabled := range map[string]bool{"enable": true, "disable": false} {
		answer(a, operation("POST", "/sequences/{sequence}/"+action, "Set whether a task sequence runs where it is deployed (TSV-10): "+action, wire.ScopeWrite), func(ctx context.Context, in *sequencePath) (wire.Sequence, error) {
			return s.SetSequenceEnabled(ctx, in.Sequence, enabled)
		})
	}
	act(a, operation("DELETE", "/sequences/{sequence}", "Delete a task sequence", wire.ScopeWrite), func(ctx context.Context, in *sequencePath) error {
		return s.DeleteSequence(ctx, in.Sequence)
	})
}

func (p packageSource) record() wire.Package {
	return wire.Package{ID: p.ID, Name: p.Name, Kind: p.Kind, Description: p.Description, PackageShare: p.PackageShare}
}

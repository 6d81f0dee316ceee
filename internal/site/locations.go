package site

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// ContentLocations answers where an agent gets a package. The device must have
// an active run, or a deployment, that needs it: nothing a machine may not have
// can be fetched by guessing a name.
func (s *Service) ContentLocations(ctx context.Context, who Session, id string) (wire.ContentLocations, error) {
	if s.Content == nil {
		return wire.ContentLocations{}, errors.New("this appliance has no content library")
	}
	var p wire.Package
	direct := false
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		ok, err := s.mayHave(tx, who, id)
		if err != nil {
			return err
		}
		if !ok {
			return missing("package", "no deployment of this machine needs that package", "deploy a task sequence that refers to it")
		}
		if p, err = tx.Package(id); err != nil {
			return orMissing(err, "package", "package "+id+" does not exist any more", "restore it or correct the task sequence")
		}
		direct = runsInPlace(tx, who.Device)
		return nil
	})
	if err != nil {
		return wire.ContentLocations{}, err
	}
	m, err := s.Content.Manifest(ctx, p.ID, p.Version)
	if err != nil {
		return wire.ContentLocations{}, fmt.Errorf("manifest of %s version %d: %w", p.ID, p.Version, err)
	}
	m.Name = p.Name
	out := wire.ContentLocations{Manifest: m}
	if direct {
		if out.Share, err = s.inPlace(ctx, p); err != nil {
			return wire.ContentLocations{}, err
		}
	}
	out.Sources, err = s.Content.Sources(ctx, m)
	return out, err
}

// runsInPlace reports whether the active run of a device uses content where it
// lies (DOP-13). The deployment decides, also when it was deleted meanwhile: then
// nothing is told.
func runsInPlace(tx *store.Tx, device string) bool {
	run, err := tx.ActiveRun(device)
	if err != nil {
		return false
	}
	d, err := tx.Deployment(run.Deployment)
	return err == nil && d.DeploymentOption == wire.DirectFromDP
}

// inPlace says where a package can be used without a download.
func (s *Service) inPlace(ctx context.Context, p wire.Package) (*wire.ContentShare, error) {
	switch {
	case s.Share == nil:
		return nil, missing("package", "this distribution point has no package share, from which "+p.ID+" could be run", "set share.enabled in the appliance's configuration, or deploy with AsNeeded")
	case !p.PackageShare:
		return nil, missing("package", "package "+p.ID+" is not copied to the package share", "set its option packageShare, or deploy with AsNeeded")
	}
	share := s.Share.Locate(ctx, p.ID, p.Version)
	if share == nil {
		return nil, refusal(503, "DOP-5", "package", fmt.Sprintf("package %s version %d is not in the package share yet", p.ID, p.Version), "wait a moment; the appliance's log says when it is there")
	}
	return share, nil
}

// ShareSecret returns what the package share's password is made of: fresh, unless a run may have been told the stored one
// and go on with it (DOP-13). That is a running run whose deployment is Direct, or is gone, so that nobody knows. It belongs
// before the start of the share and of the API, so that no run begins meanwhile.
func (s *Service) ShareSecret(ctx context.Context, fresh []byte) ([]byte, error) {
	const name = "package-share"
	secret := fresh
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		runs, err := tx.Runs(store.RunFilter{State: wire.RunRunning, Limit: math.MaxInt32})
		if err != nil {
			return err
		}
		for _, run := range runs {
			d, err := tx.Deployment(run.Deployment)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err != nil || d.DeploymentOption == wire.DirectFromDP {
				secret, err = ensureSecret(tx, name, fresh)
				return err
			}
		}
		return tx.ReplaceSecret(name, fresh)
	})
	return secret, err
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// disconnectTime bounds the end of a connection.
const disconnectTime = 30 * time.Second

// inPlace uses packages where they lie, on the share of a distribution point (DOP-13). Nothing of them is kept here.
type inPlace struct {
	folders machine.NetworkFolders // nil: shares cannot be connected here
	request machine.FolderRequest  // of the share that is connected
	dir     string                 // where it is; empty: not connected
	used    func(packageID, location string)
}

// use makes a package of the share reachable. The connection serves all packages of the run; it is made anew when the
// appliance names another share.
func (p *inPlace) use(ctx context.Context, id string, share *wire.ContentShare) (got machine.Fetched, err error) {
	if share == nil {
		return got, errors.New("the appliance names no package share; it may be older than this agent: update it, or deploy with AsNeeded")
	}
	got.Location = share.Path + `\` + id
	if p.folders == nil {
		return got, errors.New("this environment cannot connect shares, so content cannot be run from the distribution point; deploy with AsNeeded")
	}
	request := machine.FolderRequest{Path: share.Path, Account: share.Account, Password: share.Password, Port: share.Port, ReadOnly: true, Sealed: true}
	if p.dir == "" || request != p.request {
		if err := p.end(ctx); err != nil {
			return got, err
		}
		dir, err := p.folders.Connect(ctx, request)
		if err != nil {
			return got, fmt.Errorf("connect the package share %s: %w", share.Path, err)
		}
		p.request, p.dir = request, dir
	}
	got.Dir, got.Unverified = filepath.Join(p.dir, id), true
	return got, nil
}

// end disconnects the share.
func (p *inPlace) end(ctx context.Context) error {
	if p.dir == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), disconnectTime)
	defer cancel()
	err := p.folders.Disconnect(ctx, p.request)
	if err == nil {
		p.dir, p.request = "", machine.FolderRequest{}
	}
	return err
}

// direct is Fetch of a run that uses content in place.
func (s *contentStore) direct(ctx context.Context, r machine.ContentRequest) (machine.Fetched, error) {
	locations, err := s.locate(ctx, r.PackageID)
	if err != nil {
		return machine.Fetched{}, err
	}
	got, err := s.place.use(ctx, r.PackageID, locations.Share)
	if err == nil {
		s.place.used(r.PackageID, got.Location)
		s.say("  package %s is run from %s: its hash is not verified (DOP-15)", r.PackageID, got.Location)
	}
	return got, err
}

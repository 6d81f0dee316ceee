package appliance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"net"
	"net/url"

	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/internal/packageshare"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
)

// shared is the site's view of the package share.
type shared struct {
	*packageshare.Share
	reach *reach
	host  string // share.listen names an address; empty: that the machine reached us by
}

// openShare makes the package share when the configuration wants one.
func (a *appliance) openShare(ctx context.Context) error {
	if !a.cfg.Share.Enabled {
		return nil
	}
	// A new one at every start, unless machines are in the middle of a run that has the old one.
	fresh := make([]byte, 20)
	if _, err := rand.Read(fresh); err != nil {
		return fmt.Errorf("make password: %w", err)
	}
	password, err := a.site.ShareSecret(ctx, fresh)
	if err != nil {
		return err
	}
	a.shared.Share, err = packageshare.New(packageshare.Config{Dir: a.dir("share"), Listen: a.cfg.Share.Listen, Password: hex.EncodeToString(password),
		Source: shareSource{a.library, a.site}, Log: a.log})
	return err
}

// Locate implements site.PackageShare.
func (s *shared) Locate(ctx context.Context, id string, version int) *wire.ContentShare {
	if !s.Ready(id, version) {
		return nil
	}
	host := s.host
	if host == "" {
		// Like content by HTTP: the name the operator gave us, else our address on the machine's side.
		if u, err := url.Parse(s.reach.http(localAddr(ctx))); err == nil {
			host = u.Hostname()
		}
	}
	return &wire.ContentShare{Path: `\\` + host + `\` + packageshare.Name, Port: s.Port(), Account: packageshare.Account, Password: s.Password()}
}

// newShared is nil when there is to be no share.
func newShared(enabled bool, listen string, r *reach) (*shared, error) {
	if !enabled {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("share.listen: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = ""
	}
	return &shared{reach: r, host: host}, nil
}

// shareSource is what the share is filled from.
type shareSource struct {
	*library.Library
	site *site.Service
}

// Shared implements packageshare.Source.
func (s shareSource) Shared(ctx context.Context) ([]packageshare.Package, error) {
	all, err := s.site.Packages(ctx)
	if err != nil {
		return nil, err
	}
	var out []packageshare.Package
	for _, p := range all {
		if p.PackageShare && p.Version > 0 {
			out = append(out, packageshare.Package{ID: p.ID, Version: p.Version})
		}
	}
	images, err := s.site.BootImages(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range images {
		if b.PackageShare {
			// Boot images have no version: a hash of what they are stands for it.
			h := fnv.New32a()
			fmt.Fprintf(h, "%s/%s/%s/%d", b.SHA256, b.Kernel, b.Initrd, b.Size)
			out = append(out, packageshare.Package{ID: b.ID, Version: int(h.Sum32() >> 1), Dir: b.Dir, Files: []string{b.Kernel, b.Initrd}})
		}
	}
	return out, nil
}

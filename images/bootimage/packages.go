package bootimage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/images/internal/cache"
)

// ErrVersionGone says that a locked version is no longer on the mirror: security
// updates push old versions out. The cure is a new lock file (MakeLock).
var ErrVersionGone = errors.New("a locked package version is no longer offered by the apt sources")

// packageCache keeps downloaded packages by hash.
type packageCache struct {
	dir string
	apt apt
	log *slog.Logger
}

func (c packageCache) path(p Package) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s_%s.deb", p.Name, p.SHA256[:16]))
}

// fetch returns the files of the locked packages by name, downloading what is
// not there yet. Every file is checked against the lock.
func (c packageCache) fetch(ctx context.Context, pkgs []Package) (map[string]string, error) {
	files, missing := map[string]string{}, []Package{}
	for _, p := range pkgs {
		sum, _, err := cache.HashFile(c.path(p))
		if err == nil && sum == p.SHA256 {
			files[p.Name] = c.path(p)
			continue
		}
		missing = append(missing, p)
	}
	if len(missing) == 0 {
		return files, nil
	}
	got, err := c.download(ctx, missing)
	if err != nil {
		return nil, err
	}
	for i, p := range got {
		if p.SHA256 != missing[i].SHA256 {
			return nil, fmt.Errorf("package %s: SHA-256 is %s, the lock file says %s; if the apt sources changed on purpose, make a new lock file",
				p, p.SHA256, missing[i].SHA256)
		}
		files[p.Name] = c.path(p)
	}
	return files, nil
}

// download fetches packages into the cache and returns them, in the same order,
// with hash and size filled in.
func (c packageCache) download(ctx context.Context, pkgs []Package) ([]Package, error) {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, fmt.Errorf("package cache: %w", err)
	}
	tmp, err := os.MkdirTemp(c.dir, downloadPrefix)
	if err != nil {
		return nil, fmt.Errorf("package cache: %w", err)
	}
	defer os.RemoveAll(tmp)
	c.log.Info("downloading packages", "count", len(pkgs))
	files, err := c.apt.download(ctx, tmp, pkgs)
	if err != nil {
		return nil, err
	}
	var out []Package
	for _, p := range pkgs {
		if p.SHA256, p.Size, err = cache.HashFile(files[p.Name]); err != nil {
			return nil, err
		}
		if err := os.Rename(files[p.Name], c.path(p)); err != nil {
			return nil, fmt.Errorf("package cache: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

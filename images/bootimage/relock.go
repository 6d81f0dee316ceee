package bootimage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MakeLock asks the host's apt sources for the current versions of everything
// the image is made of and returns a new lock. It downloads (about 120 MB) into
// cfg.CacheDir, and installs nothing. Where the host's package index is missing
// or older than the mirror, it fetches one of its own into the cache. OutDir and
// AgentBinary of cfg are not used.
func MakeLock(ctx context.Context, cfg Config) (Lock, error) {
	in, err := cfg.inputs()
	if err != nil {
		return Lock{}, err
	}
	held, err := cfg.openCache(ctx)
	if err != nil {
		return Lock{}, err
	}
	defer func() { _ = held.Close() }() // an empty file
	return makeLock(ctx, cfg, in)
}

func makeLock(ctx context.Context, cfg Config, in inputs) (Lock, error) {
	var l Lock
	err := cfg.withIndex(ctx, func(lists string) (err error) {
		l, err = lockOnce(ctx, cfg, in, lists)
		return err
	})
	return l, err
}

func lockOnce(ctx context.Context, cfg Config, in inputs, lists string) (Lock, error) {
	tmp, err := os.MkdirTemp(cfg.CacheDir, workPrefix)
	if err != nil {
		return Lock{}, fmt.Errorf("make a lock file: %w", err)
	}
	defer os.RemoveAll(tmp)
	l := Lock{Format: lockFormat, Arch: "amd64"}
	cache := cfg.packages(tmp, lists)

	cfg.progress("ask apt for versions", 0, 1)
	kernel, err := cache.apt.kernelPackage(ctx)
	if err != nil {
		return l, fmt.Errorf("make a lock file: %w", goneError(err))
	}
	l.KernelVersion = strings.TrimPrefix(kernel, "linux-image-")
	names := make([]string, 0, len(in.tools))
	for _, t := range in.tools {
		names = append(names, t.Package)
	}
	all, err := cache.apt.closure(ctx, names)
	if err != nil {
		return l, fmt.Errorf("make a lock file: %w", goneError(err))
	}
	k, err := cache.apt.offered(ctx, kernel)
	if err != nil {
		return l, fmt.Errorf("make a lock file: %w", goneError(err))
	}
	all = append(all, k)
	cfg.progress("download packages", 0, len(all))
	if all, err = cache.download(ctx, all); err != nil {
		return l, fmt.Errorf("make a lock file: %w", err)
	}
	files := map[string]string{}
	for _, p := range all {
		files[p.Name] = cache.path(p)
	}
	st, err := unpackAndStage(ctx, cfg, tmp, files, kernel, in)
	if err != nil {
		return l, fmt.Errorf("make a lock file: %w", err)
	}
	// Packages that gave no file (maintainer scripts' needs, documentation) are
	// left out: they cannot change the image.
	l.Packages = slices.DeleteFunc(all, func(p Package) bool { return !st.used[p.Name] })
	slices.SortFunc(l.Packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	l.Epoch = st.epoch
	return l, l.check()
}

// unpackAndStage unpacks packages below tmp and collects the image's files.
func unpackAndStage(ctx context.Context, cfg Config, tmp string, files map[string]string, kernel string, in inputs) (staged, error) {
	pkgs, work := []string{}, filepath.Join(tmp, "work")
	for name := range files {
		pkgs = append(pkgs, name)
	}
	slices.Sort(pkgs)
	for i, name := range pkgs {
		cfg.progress("unpack packages", i, len(pkgs))
		if err := unpack(ctx, files[name], filepath.Join(tmp, "pkgs", name)); err != nil {
			return staged{}, err
		}
	}
	cfg.progress("choose files and modules", 0, 1)
	return stage(ctx, filepath.Join(tmp, "pkgs"), work, pkgs, kernel, in)
}

package bootimage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// kernelIndex are the generated files that go along with the modules. The
// symbol tables are left out: nothing here asks for a module by symbol.
var kernelIndex = []string{
	"modules.dep", "modules.dep.bin", "modules.alias", "modules.alias.bin", "modules.softdep", "modules.devname",
	"modules.order", "modules.builtin", "modules.builtin.bin", "modules.builtin.alias.bin", "modules.builtin.modinfo",
}

// kernel adds the chosen modules of the unpacked kernel package with an index
// of their own. work is a folder to build that index in.
func (s *stager) kernel(ctx context.Context, root, work string, patterns []Pattern) (staged, error) {
	var k staged
	images, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return k, fmt.Errorf("kernel package: want one vmlinuz, have %d", len(images))
	}
	k.kernel = images[0]
	k.kernelVersion = strings.TrimPrefix(filepath.Base(k.kernel), "vmlinuz-")
	info, err := os.Stat(k.kernel)
	if err != nil {
		return k, fmt.Errorf("kernel package: %w", err)
	}
	k.epoch = info.ModTime().Unix()

	base := filepath.Join(root, "lib")
	if _, err := os.Stat(base); errors.Is(err, fs.ErrNotExist) {
		base = filepath.Join(root, "usr", "lib")
	}
	base = filepath.Join(base, "modules", k.kernelVersion)
	builtin, err := os.ReadFile(filepath.Join(base, "modules.builtin"))
	if err != nil {
		return k, fmt.Errorf("kernel package: %w", err)
	}
	all, err := s.depmod(ctx, filepath.Dir(filepath.Dir(filepath.Dir(base))), k.kernelVersion)
	if err != nil {
		return k, err
	}
	chosen, unmatched, err := all.Choose(patterns, strings.Fields(string(builtin)))
	if err != nil {
		return k, err
	}
	k.unmatched, k.modules = unmatched, len(chosen)

	dir := path.Join("usr/lib/modules", k.kernelVersion)
	small := filepath.Join(work, "lib", "modules", k.kernelVersion)
	for _, name := range slices.Concat(chosen, []string{"modules.order", "modules.builtin", "modules.builtin.modinfo"}) {
		to := filepath.Join(small, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return k, fmt.Errorf("choose modules: %w", err)
		}
		if err := os.Link(filepath.Join(base, filepath.FromSlash(name)), to); err != nil {
			return k, fmt.Errorf("choose modules: %w", err)
		}
		s.out.add(entry{path: path.Join(dir, name), mode: 0o644, source: to})
	}
	if _, err := s.depmod(ctx, work, k.kernelVersion); err != nil {
		return k, err
	}
	for _, name := range kernelIndex {
		from := filepath.Join(small, name)
		if _, err := os.Stat(from); err == nil {
			s.out.add(entry{path: path.Join(dir, name), mode: 0o644, source: from})
		}
	}
	return k, nil
}

// depmod makes the index of the modules below root/lib/modules/version with the
// unpacked depmod and returns the dependencies.
func (s *stager) depmod(ctx context.Context, root, version string) (Deps, error) {
	cmd, err := s.program("usr/sbin/depmod")
	if err != nil {
		return nil, err
	}
	if _, err := run(ctx, root, cmd[0], append(cmd[1:], "-b", root, version)...); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(root, "lib", "modules", version, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("module index: %w", err)
	}
	defer f.Close()
	return ParseDeps(f)
}

// stage collects everything that belongs into the image from the packages
// unpacked below dir.
func stage(ctx context.Context, dir, work string, pkgs []string, kernelPkg string, in inputs) (staged, error) {
	others := slices.DeleteFunc(slices.Clone(pkgs), func(p string) bool { return p == kernelPkg })
	s, err := newStager(dir, others)
	if err != nil {
		return staged{}, err
	}
	if err := errors.Join(s.tools(in.tools), s.leaveOutICU()); err != nil {
		return staged{}, err
	}
	if err := s.applets(ctx); err != nil {
		return staged{}, err
	}
	k, err := s.kernel(ctx, filepath.Join(dir, kernelPkg), work, in.modules)
	if err != nil {
		return staged{}, err
	}
	if err := s.skeleton(); err != nil {
		return staged{}, err
	}
	s.used[kernelPkg] = true
	// the build itself runs these
	for _, p := range []string{"usr/sbin/depmod", "usr/bin/zstd"} {
		if err := s.include(p); err != nil {
			return staged{}, err
		}
	}
	k.files, k.used = s.out, s.used
	return k, nil
}

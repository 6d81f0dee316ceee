package bootimage

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed rootfs
var rootfs embed.FS

// staged is a boot image before it is written.
type staged struct {
	files         tree
	used          map[string]bool // packages that contributed a file
	kernel        string          // path of the kernel's file
	kernelVersion string
	epoch         int64
	unmatched     []string // patterns of the module list that covered nothing
	modules       int
}

// stager collects the files of a boot image from unpacked packages.
type stager struct {
	index map[string]located // merged path -> where it is
	out   tree
	used  map[string]bool
}

type located struct{ pkg, file string }

// merged maps a path onto Debian's merged /usr, so that /sbin/x and /usr/sbin/x
// are the same file whatever the package says.
func merged(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	switch first, _, _ := strings.Cut(p, "/"); first {
	case "bin", "sbin", "lib", "lib64":
		return "usr/" + p
	}
	return p
}

// newStager indexes the unpacked packages below dir, one folder per package.
func newStager(dir string, pkgs []string) (*stager, error) {
	s := &stager{index: map[string]located{}, out: tree{}, used: map[string]bool{}}
	for _, pkg := range pkgs {
		root := filepath.Join(dir, pkg)
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(root, name)
			s.index[merged(filepath.ToSlash(rel))] = located{pkg: pkg, file: name}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list package %s: %w", pkg, err)
		}
	}
	return s, nil
}

// include adds the file at a merged path with all it needs: the target of a
// link, the libraries of a program.
func (s *stager) include(p string) error {
	if _, ok := s.out[p]; ok {
		return nil
	}
	at, ok := s.index[p]
	if !ok {
		return fmt.Errorf("%s is in none of the packages", p)
	}
	info, err := os.Lstat(at.file)
	if err != nil {
		return fmt.Errorf("add %s: %w", p, err)
	}
	s.used[at.pkg] = true
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(at.file)
		if err != nil {
			return fmt.Errorf("add %s: %w", p, err)
		}
		s.out.link(p, target)
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(p), target)
		}
		return s.include(merged(target))
	}
	// set-user-id bits mean nothing where everything is root
	s.out.add(entry{path: p, mode: info.Mode().Perm(), source: at.file})
	interp, libs, dirs, err := needs(at.file)
	if err != nil {
		return err
	}
	if interp != "" {
		if err := s.include(merged(interp)); err != nil {
			return fmt.Errorf("loader of %s: %w", p, err)
		}
	}
	for _, lib := range libs {
		found, ok := s.library(lib, dirs)
		if !ok {
			return fmt.Errorf("library %s, needed by %s, is in none of the packages", lib, p)
		}
		if err := s.include(found); err != nil {
			return err
		}
	}
	return nil
}

func (s *stager) library(name string, dirs []string) (string, bool) {
	for _, d := range slices.Concat(dirs, libraryDirs) {
		p := path.Join(d, name)
		if _, ok := s.index[p]; ok {
			return p, true
		}
	}
	return "", false
}

// tools adds what the tool list names.
func (s *stager) tools(list []Tool) error {
	for _, t := range list {
		for _, pattern := range t.Paths {
			glob, hits := merged(pattern), 0
			for p, at := range s.index {
				if ok, err := path.Match(glob, p); err != nil || !ok || at.pkg != t.Package {
					continue
				}
				hits++
				if err := s.include(p); err != nil {
					return fmt.Errorf("package %s: %w", t.Package, err)
				}
			}
			if hits == 0 {
				return fmt.Errorf("package %s has no file %s: correct the tool list", t.Package, pattern)
			}
		}
	}
	return nil
}

// applets adds a link for every name busybox answers to and no package does.
func (s *stager) applets(ctx context.Context) error {
	const busybox = "usr/bin/busybox"
	at, ok := s.index[busybox]
	if !ok {
		return errors.New("busybox-static is missing in the tool list: the first program of the image is written for it")
	}
	list, err := run(ctx, "", at.file, "--list-full")
	if err != nil {
		return err
	}
	have := map[string]bool{"sh": true, "linuxrc": true, "init": true, "dpkg": true, "dpkg-deb": true, "busybox": true}
	for p := range s.out {
		have[path.Base(p)] = true
	}
	for _, name := range strings.Fields(string(list)) {
		if !have[path.Base(name)] && fs.ValidPath(name) {
			s.out.link(merged(name), "/"+busybox)
		}
	}
	return nil
}

// skeleton adds the folders, the first program and its companions.
func (s *stager) skeleton() error {
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		s.out.link(l, "usr/"+l)
		s.out.dir("usr/"+l, 0o755)
	}
	for _, d := range []string{"dev", "proc", "sys", "run", "mnt", "etc/bootyard", "var/log", "usr/share/udhcpc"} {
		s.out.dir(d, 0o755)
	}
	s.out.dir("root", 0o700)
	s.out.dir("tmp", fs.ModeSticky|0o777)
	// the kernel opens /dev/console before devtmpfs is there
	s.out.device("dev/console", 0o600, 5, 1)
	s.out.device("dev/null", 0o666, 1, 3)
	s.out.link("usr/bin/sh", "dash")
	s.out.link("etc/udhcpc/default.script", "/usr/share/udhcpc/default.script") // where Debian's udhcpc looks
	s.out.link("var/run", "/run")
	s.out.link("etc/mtab", "/proc/self/mounts")
	s.out.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644)
	s.out.file("etc/group", "root:x:0:\ntty:x:5:\ndisk:x:6:\n", 0o644)
	s.out.file("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", 0o644)
	s.out.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", 0o644)
	for name, at := range map[string]struct {
		path string
		perm fs.FileMode
	}{
		"init":          {"init", 0o755},
		"udhcpc.script": {"usr/share/udhcpc/default.script", 0o755},
		"mdev.conf":     {"etc/mdev.conf", 0o644},
		"profile":       {"etc/profile", 0o644},
	} {
		data, err := rootfs.ReadFile("rootfs/" + name)
		if err != nil {
			return fmt.Errorf("own file %s: %w", name, err)
		}
		s.out.file(at.path, string(data), at.perm)
	}
	return nil
}

// program returns the arguments that start an unpacked program with its own
// libraries, so that the build does not depend on the host's versions.
func (s *stager) program(p string) ([]string, error) {
	at, ok := s.index[p]
	if !ok {
		return nil, fmt.Errorf("%s, needed for the build, is in none of the packages", p)
	}
	loader, ok := s.index["usr/lib64/ld-linux-x86-64.so.2"]
	if !ok {
		return nil, errors.New("the dynamic loader is in none of the packages")
	}
	// The loader is a link in the package; libraries may be in several packages.
	real, err := filepath.EvalSymlinks(loader.file)
	if err != nil {
		if at2, ok := s.index["usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"]; ok {
			real, err = at2.file, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find the dynamic loader: %w", err)
	}
	seen, dirs := map[string]bool{}, []string{}
	for lib, l := range s.index {
		dir := filepath.Dir(l.file)
		if slices.Contains(libraryDirs, path.Dir(lib)) && !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return []string{real, "--library-path", strings.Join(dirs, ":"), at.file}, nil
}

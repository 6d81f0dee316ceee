package bootimage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bootyard/bootyard/images/internal/command"
)

// maxOutput bounds what is kept of a program's output. apt-get lists about 100
// packages; errors show the end only.
const maxOutput = 4 << 20

// run starts a program and returns what it printed. The error carries the end
// of what it said on standard error.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	stdout, stderr := &command.Head{Limit: maxOutput}, &command.Head{Limit: maxOutput}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(name), ctx.Err())
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%s is not installed (package %s); boot images are built on a Debian machine: %w", name, ownerOf[name], err)
	}
	if err != nil {
		return "", &toolError{name: filepath.Base(name), said: stderr.Tail(2000), err: err}
	}
	return stdout.String(), nil
}

// ownerOf names the Debian packages of the programs that are run.
var ownerOf = map[string]string{"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"}

// toolError is a program that ended badly and what it said.
type toolError struct {
	name, said string
	err        error
}

func (e *toolError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.said), "\n")
	if n := len(lines); n > 4 { // a line per package says no more than the first ones
		lines = append(lines[:3], fmt.Sprintf("and %d lines more", n-3))
	}
	return fmt.Sprintf("%s: %v: %s", e.name, e.err, strings.Join(lines, "; "))
}

func (e *toolError) Unwrap() error { return e.err }

// apt asks the host's package manager. Its sources and keys decide what is
// trusted; nothing is installed, and root is not needed.
type apt struct {
	arch string
	tmp  string // an empty folder of ours
	// lists is a folder with a package index of our own; empty: the host's.
	lists string
}

// options keep apt-get from seeing what the host has installed (a package
// counts as missing, so that all dependencies are listed) and from writing its
// caches.
func (a apt) options() ([]string, error) {
	status := filepath.Join(a.tmp, "status")
	if err := os.WriteFile(status, nil, 0o600); err != nil {
		return nil, fmt.Errorf("apt: %w", err)
	}
	opts := []string{
		"-q", "-o", "Dir::State::status=" + status, "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
		"-o", "APT::Architecture=" + a.arch, "-o", "APT::Architectures::=" + a.arch, "-o", "APT::Sandbox::User=root",
		"-o", "Acquire::Retries=3",
	}
	if a.lists != "" {
		opts = append(opts, "-o", "Dir::State::lists="+a.lists, "-o", "Acquire::Languages=none", "-o", "Acquire::GzipIndexes=true")
	}
	return opts, nil
}

// update fetches the index of the host's sources into the folder of our own. It
// disturbs nobody's apt: no lock and no file of the host is touched.
func (a apt) update(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(a.lists, "partial"), 0o755); err != nil {
		return fmt.Errorf("apt: %w", err)
	}
	opts, err := a.options()
	if err != nil {
		return err
	}
	// Without Error-Mode a mirror that does not answer is only a warning.
	_, err = run(ctx, a.tmp, "apt-get", append(opts, "-o", "APT::Update::Error-Mode=any", "update")...)
	return err
}

// kernelPackage follows Debian's pointer to the concrete kernel package.
func (a apt) kernelPackage(ctx context.Context) (string, error) {
	opts, err := a.options()
	if err != nil {
		return "", err
	}
	meta := "linux-image-" + a.arch
	out, err := run(ctx, a.tmp, "apt-cache", append(opts, "show", "--no-all-versions", meta)...)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		depends, ok := strings.CutPrefix(line, "Depends:")
		if !ok {
			continue
		}
		for _, d := range strings.Split(depends, ",") {
			name := strings.Fields(d)
			if len(name) > 0 && strings.HasPrefix(name[0], "linux-image-") && packageName(name[0]) {
				return name[0], nil
			}
		}
	}
	return "", fmt.Errorf("apt: %s names no kernel package; run apt-get update, or check the apt sources", meta)
}

// closure lists the packages and everything they depend on, at the versions
// that the apt sources offer now.
func (a apt) closure(ctx context.Context, names []string) ([]Package, error) {
	opts, err := a.options()
	if err != nil {
		return nil, err
	}
	args := append(opts, "--print-uris", "--yes", "--no-install-recommends", "install", "--")
	out, err := run(ctx, a.tmp, "apt-get", append(args, names...)...)
	if err != nil {
		return nil, err
	}
	return parseURIs(out)
}

// offered is one package at the version that the apt sources offer now.
func (a apt) offered(ctx context.Context, name string) (Package, error) {
	opts, err := a.options()
	if err != nil {
		return Package{}, err
	}
	out, err := run(ctx, a.tmp, "apt-get", append(opts, "--print-uris", "download", "--", name)...)
	if err != nil {
		return Package{}, err
	}
	pkgs, err := parseURIs(out)
	if err != nil || len(pkgs) != 1 {
		return Package{}, errors.Join(fmt.Errorf("apt: want one package for %s, have %d", name, len(pkgs)), err)
	}
	return pkgs[0], nil
}

// parseURIs reads the output of apt-get --print-uris: 'URI' file size hash,
// where file is name_version_arch.deb. Other lines are talk.
func parseURIs(out string) ([]Package, error) {
	var pkgs []Package
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasPrefix(f[0], "'") {
			continue
		}
		parts := strings.Split(strings.TrimSuffix(f[1], ".deb"), "_")
		if len(parts) != 3 {
			return nil, fmt.Errorf("apt: cannot read file name %q", f[1])
		}
		version, err := url.PathUnescape(parts[1])
		if err != nil || !packageName(parts[0]) || !versionText(version) {
			return nil, fmt.Errorf("apt: cannot read file name %q", f[1])
		}
		pkgs = append(pkgs, Package{Name: parts[0], Version: version, Arch: parts[2]})
	}
	slices.SortFunc(pkgs, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	return pkgs, nil
}

// download fetches packages into an empty folder and returns the file of each
// by name. apt-get checks them against the signed index.
func (a apt) download(ctx context.Context, dir string, pkgs []Package) (map[string]string, error) {
	opts, err := a.options()
	if err != nil {
		return nil, err
	}
	args := append(opts, "download", "--")
	for _, p := range pkgs {
		args = append(args, p.String())
	}
	if _, err := run(ctx, dir, "apt-get", args...); err != nil {
		return nil, goneError(err)
	}
	files := map[string]string{}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("apt: %w", err)
	}
	for _, f := range found {
		name, _, _ := strings.Cut(f.Name(), "_")
		files[name] = filepath.Join(dir, f.Name())
	}
	for _, p := range pkgs {
		if files[p.Name] == "" {
			return nil, fmt.Errorf("apt: %s was not downloaded", p)
		}
	}
	return files, nil
}

// goneError recognises the two ways in which apt-get says that a version is no
// longer to be had: the index does not know it, or the index is older than the
// mirror. This is the one place that reads apt-get's words.
func goneError(err error) error {
	var te *toolError
	if errors.As(err, &te) {
		for _, sign := range []string{"was not found", "404  Not Found", "Unable to locate package", "No packages found", "Can't find a source to download"} {
			if strings.Contains(te.said, sign) {
				return errors.Join(ErrVersionGone, err)
			}
		}
	}
	return err
}

// unpack extracts the files of a package.
func unpack(ctx context.Context, deb, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
	}
	if _, err := run(ctx, dir, "dpkg-deb", "-x", deb, dir); err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
	}
	return nil
}

package library

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// Package is one line of the list of packages.
type Package struct {
	// ID is the package id.
	ID string
	// Versions are the versions kept, rising; the last one is what clients get.
	Versions []int
}

// List returns all packages, sorted by id.
func (l *Library) List() ([]Package, error) {
	entries, err := os.ReadDir(filepath.Join(l.root, "packages"))
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var packages []Package
	for _, entry := range entries {
		if content.CheckPackageID(entry.Name()) != nil {
			continue
		}
		versions, err := l.Versions(entry.Name())
		if err != nil {
			return nil, err
		}
		if len(versions) > 0 {
			packages = append(packages, Package{ID: entry.Name(), Versions: versions})
		}
	}
	return packages, nil
}

// Versions returns the kept versions of a package, rising; none when there is no such package.
func (l *Library) Versions(packageID string) ([]int, error) {
	if err := content.CheckPackageID(packageID); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(l.packageDir(packageID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("versions of package %s: %w", packageID, err)
	}
	var versions []int
	for _, entry := range entries {
		if number, ok := strings.CutSuffix(entry.Name(), ".json"); ok {
			if version, err := strconv.Atoi(number); err == nil && version > 0 {
				versions = append(versions, version)
			}
		}
	}
	slices.Sort(versions)
	return versions, nil
}

// Manifest returns the newest version's manifest, signed and as a value. The error wraps ErrNotFound when there is no such
// package.
func (l *Library) Manifest(packageID string) (content.Signed, content.Manifest, error) {
	versions, err := l.Versions(packageID)
	if err != nil {
		return content.Signed{}, content.Manifest{}, err
	}
	if len(versions) == 0 {
		return content.Signed{}, content.Manifest{}, fmt.Errorf("package %s: %w: create it with 'bootyard package create'", packageID, ErrNotFound)
	}
	return l.ManifestVersion(packageID, versions[len(versions)-1])
}

// ManifestVersion is Manifest for one version.
func (l *Library) ManifestVersion(packageID string, version int) (content.Signed, content.Manifest, error) {
	fail := func(err error) (content.Signed, content.Manifest, error) {
		return content.Signed{}, content.Manifest{}, fmt.Errorf("package %s version %d: %w", packageID, version, err)
	}
	if err := content.CheckPackageID(packageID); err != nil {
		return fail(err)
	}
	data, err := os.ReadFile(l.manifestName(packageID, version))
	if errors.Is(err, fs.ErrNotExist) {
		return fail(ErrNotFound)
	}
	if err != nil {
		return fail(err)
	}
	var signed content.Signed
	if err := json.Unmarshal(data, &signed); err != nil {
		return fail(fmt.Errorf("stored manifest is damaged, update the package to write a new one: %w", err))
	}
	m, err := content.Verify(signed, l.trusted...)
	if err != nil {
		return fail(err)
	}
	if m.PackageID != packageID || m.Version != version {
		return fail(fmt.Errorf("stored manifest is that of %s version %d", m.PackageID, m.Version))
	}
	return signed, m, nil
}

// publish signs and stores a manifest; from here on the version exists.
func (l *Library) publish(m content.Manifest) error {
	signed, err := content.Sign(m, l.signer)
	if err != nil {
		return err
	}
	data, err := json.Marshal(signed)
	if err != nil {
		return fmt.Errorf("encode manifest of %s: %w", m.PackageID, err)
	}
	if err := os.MkdirAll(l.packageDir(m.PackageID), 0o755); err != nil {
		return fmt.Errorf("package %s: %w", m.PackageID, err)
	}
	if err := safefile.SyncDir(filepath.Join(l.root, "packages")); err != nil {
		return err
	}
	defer l.held.forget(m.PackageID, m.Version)
	return safefile.WriteFile(l.manifestName(m.PackageID, m.Version), data)
}

func (l *Library) packageDir(packageID string) string {
	return filepath.Join(l.root, "packages", packageID)
}

func (l *Library) manifestName(packageID string, version int) string {
	return filepath.Join(l.packageDir(packageID), strconv.Itoa(version)+".json")
}

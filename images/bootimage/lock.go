package bootimage

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bootyard/bootyard/images/internal/cache"
)

//go:embed lock.json
var defaultLock []byte

// lockFormat is the version of the lock file's format.
const lockFormat = 1

// maxLockBytes bounds a lock file; the shipped one has about 60 packages.
const maxLockBytes = 4 << 20

// Package is one Debian package at one version.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	SHA256  string `json:"sha256"` // of the .deb file, lower-case hex
	Size    int64  `json:"size"`   // of the .deb file in bytes
}

// String is the package as apt-get names it.
func (p Package) String() string { return p.Name + "=" + p.Version }

// Lock names every package whose files are in a boot image. The same lock gives
// the same image.
type Lock struct {
	Format int `json:"format"`
	// Epoch is the time stamp of all files in the image, in seconds since 1970:
	// that of the kernel in the locked package.
	Epoch int64 `json:"source_date_epoch"`
	// Arch is the machine architecture in Debian's words.
	Arch string `json:"arch"`
	// KernelVersion is the release of the kernel, as uname -r prints it.
	KernelVersion string    `json:"kernel"`
	Packages      []Package `json:"packages"` // sorted by name
}

// DefaultLock is the lock file that this version of bootyard was tested with.
func DefaultLock() (Lock, error) { return ParseLock(defaultLock) }

// ReadLock reads a lock file.
func ReadLock(name string) (Lock, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Lock{}, fmt.Errorf("lock file: %w", err)
	}
	if info.Size() > maxLockBytes {
		return Lock{}, fmt.Errorf("lock file %s: %d bytes, at most %d are read", name, info.Size(), maxLockBytes)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Lock{}, fmt.Errorf("lock file: %w", err)
	}
	l, err := ParseLock(data)
	if err != nil {
		return Lock{}, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

// ParseLock reads the JSON of a lock file and checks it: what passes is safe to
// hand to apt-get and to use in file names.
func ParseLock(data []byte) (Lock, error) {
	var l Lock
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return Lock{}, fmt.Errorf("lock file: %w", err)
	}
	if err := l.check(); err != nil {
		return Lock{}, fmt.Errorf("lock file: %w", err)
	}
	return l, nil
}

func (l Lock) check() error {
	if l.Format != lockFormat {
		return fmt.Errorf("format %d is unknown, this version reads %d; make a new one with Lock", l.Format, lockFormat)
	}
	if l.Arch != "amd64" {
		return fmt.Errorf("architecture %q: only amd64 is built", l.Arch)
	}
	if l.Epoch <= 0 {
		return errors.New("source_date_epoch is missing")
	}
	if !versionText(l.KernelVersion) || strings.Contains(l.KernelVersion, "..") {
		return fmt.Errorf("kernel release %q is not one", l.KernelVersion)
	}
	seen := map[string]bool{}
	for _, p := range l.Packages {
		switch {
		case !packageName(p.Name):
			return fmt.Errorf("%q is not the name of a package", p.Name)
		case seen[p.Name]:
			return fmt.Errorf("package %s is there twice", p.Name)
		case !versionText(p.Version):
			return fmt.Errorf("package %s: %q is not a version", p.Name, p.Version)
		case p.Arch != l.Arch && p.Arch != "all":
			return fmt.Errorf("package %s: architecture %q", p.Name, p.Arch)
		}
		if sum, err := hex.DecodeString(p.SHA256); err != nil || len(sum) != 32 {
			return fmt.Errorf("package %s: %q is not a SHA-256", p.Name, p.SHA256)
		}
		seen[p.Name] = true
	}
	if !seen[l.kernelPackage()] {
		return fmt.Errorf("package %s is missing", l.kernelPackage())
	}
	return nil
}

// kernelPackage is the name of the package that holds the locked kernel.
func (l Lock) kernelPackage() string { return "linux-image-" + l.KernelVersion }

// Write stores the lock file, replacing name in one step.
func (l Lock) Write(name string) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	return cache.WriteFile(name, append(data, '\n'))
}

// versionText says whether s consists of characters of Debian versions (policy
// 5.6.12) only and does not begin like an option.
func versionText(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '-' {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(".+-:~", r):
		default:
			return false
		}
	}
	return true
}

package content

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// ManifestFormat is the only manifest format so far.
	ManifestFormat = 1
	// DefaultChunkSize is the size in bytes of the pieces that have a hash of their own.
	DefaultChunkSize = 4 << 20
	// MaxManifest limits a manifest in bytes: 32 MiB names about 150,000 files or one image of 1.8 TB.
	MaxManifest = 32 << 20

	minChunkSize = 64 << 10
	maxChunkSize = 16 << 20
	maxFileSize  = 1 << 50
)

// packageID has the shape of TRM-4: a site code of three characters and five upper-case hexadecimal digits.
var packageID = regexp.MustCompile(`^[A-Z0-9]{3}[0-9A-F]{5}$`)

// CheckPackageID says whether id is a package id (TRM-4), e.g. "BYD00001".
func CheckPackageID(id string) error {
	if !packageID.MatchString(id) {
		return fmt.Errorf("package id %q must be a three-character site code and five upper-case hexadecimal digits, e.g. BYD00001", id)
	}
	return nil
}

// Manifest lists the files of one version of one package. Values from [ParseManifest], [Verify] and the library are valid;
// call [Manifest.Validate] on others.
type Manifest struct {
	// Format is ManifestFormat.
	Format int `json:"format"`
	// PackageID is the package's id (TRM-4).
	PackageID string `json:"packageId"`
	// Version counts from 1 and rises with every change of the content (DOP-22).
	Version int `json:"version"`
	// ChunkSize is the length in bytes of every chunk but a file's last one.
	ChunkSize int64 `json:"chunkSize"`
	// Files are sorted by path.
	Files []File `json:"files"`
	// TotalSize is the sum of the sizes of all files in bytes.
	TotalSize int64 `json:"totalSize"`
	// CreatedAt is when this version was made, in UTC.
	CreatedAt time.Time `json:"createdAt"`
}

// File is one file of a package. Modes, owners and times are not kept: a file arrives with mode 0644.
type File struct {
	// Path is relative and slash separated (CheckPath).
	Path string `json:"path"`
	// Size is the length in bytes.
	Size int64 `json:"size"`
	// SHA256 is the hash of the whole file and its name in the library.
	SHA256 Hash `json:"sha256"`
	// Chunks are the hashes of the pieces of ChunkSize bytes, in order; an empty file has none.
	Chunks []Hash `json:"chunks,omitempty"`
}

// ParseManifest reads a manifest from a peer or from disk and accepts only a valid one. It never returns paths that leave
// the package's folder.
func ParseManifest(data []byte) (Manifest, error) {
	if len(data) > MaxManifest {
		return Manifest{}, fmt.Errorf("manifest of %d bytes, at most %d are allowed", len(data), MaxManifest)
	}
	var m Manifest
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Manifest{}, fmt.Errorf("manifest: data after its end")
	}
	if err := m.Validate(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// Validate checks everything a consumer relies on: ids, paths, sizes, number of chunks, order and sum.
func (m Manifest) Validate() error {
	if m.Format != ManifestFormat {
		return fmt.Errorf("manifest format %d is not known, this program reads format %d: update it", m.Format, ManifestFormat)
	}
	if err := CheckPackageID(m.PackageID); err != nil {
		return err
	}
	if m.Version < 1 || m.Version > math.MaxInt32 {
		return fmt.Errorf("package %s: version %d is out of range", m.PackageID, m.Version)
	}
	if m.ChunkSize < minChunkSize || m.ChunkSize > maxChunkSize {
		return fmt.Errorf("package %s: chunk size %d is not between %d and %d", m.PackageID, m.ChunkSize, minChunkSize, maxChunkSize)
	}
	if len(m.Files) == 0 {
		return fmt.Errorf("package %s has no files", m.PackageID)
	}
	var total int64
	for _, file := range m.Files {
		if err := file.validate(m.ChunkSize); err != nil {
			return fmt.Errorf("package %s: %w", m.PackageID, err)
		}
		if total += file.Size; total < 0 {
			return fmt.Errorf("package %s: sum of sizes overflows", m.PackageID)
		}
	}
	if total != m.TotalSize {
		return fmt.Errorf("package %s: files add up to %d bytes, manifest says %d", m.PackageID, total, m.TotalSize)
	}
	if !slices.IsSortedFunc(m.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) }) {
		return fmt.Errorf("package %s: files are not sorted by path", m.PackageID)
	}
	if err := checkPathSet(m.Files); err != nil {
		return fmt.Errorf("package %s: %w", m.PackageID, err)
	}
	return nil
}

func (f File) validate(chunkSize int64) error {
	if err := CheckPath(f.Path); err != nil {
		return err
	}
	if f.Size < 0 || f.Size > maxFileSize {
		return fmt.Errorf("file %q: size %d is out of range", f.Path, f.Size)
	}
	want := (f.Size + chunkSize - 1) / chunkSize
	if int64(len(f.Chunks)) != want {
		return fmt.Errorf("file %q: %d chunk hashes for %d bytes, want %d", f.Path, len(f.Chunks), f.Size, want)
	}
	if f.Size == 0 && f.SHA256 != HashOf(nil) {
		return fmt.Errorf("file %q: is empty, but its hash is not that of an empty file", f.Path)
	}
	if len(f.Chunks) == 1 && f.Chunks[0] != f.SHA256 {
		return fmt.Errorf("file %q: its only chunk has another hash than the file", f.Path)
	}
	return nil
}

// Digest is the hash of what the package contains: id, version and files, but not when it was made. Two manifests with one
// digest describe the same folder.
func (m Manifest) Digest() Hash {
	m.CreatedAt = time.Time{}
	data, err := json.Marshal(m)
	if err != nil {
		// Only strings, numbers, hashes and the zero time are in it, none of which can fail.
		return Hash{}
	}
	return HashOf(data)
}
